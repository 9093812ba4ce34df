"""A neutral score of finished pictures: style distances that no run was optimised for.

Every distance is given as a share: 1 for the content picture itself, 0 for a picture with the style's own
statistics.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax import images
from nst_jax.losses.gram import gram
from nst_jax.networks.network import Network
from nst_jax.optimizers.compiler import jit_at_first_call
from nst_jax.sweeps.judging import CONTENT_LAYER, STYLE_LAYERS, relative_distance

SIZE = 256  # pixels, longer side at which pictures are compared
DIRECTIONS = 256  # fixed ones
COLOURS = "pixels"  # stands for a layer whose activations are the pixels

Distances = dict[str, list[float]]  # by name, a number per layer


def judged_layers(network: Network) -> tuple[str, ...]:
    """Those of `STYLE_LAYERS` that `network` has."""
    return tuple(layer for layer in STYLE_LAYERS if layer in network.layers)


def style_shares(
    network: Network,
    picture: Float[np.ndarray, "1 h w 3"],
    content: Float[np.ndarray, "1 h2 w2 3"],
    style: Float[np.ndarray, "1 h3 w3 3"],
) -> dict[str, float]:
    """Return the distances of `picture` to `style`, each divided by that of `content` to `style`.

    `gram`: squared difference of Gram matrices; `sliced`: sliced Wasserstein distance (Heitz et al. 2021,
    arXiv 2006.07229); both are means of the shares over those of `STYLE_LAYERS` that `network`
    has. `palette`: sliced Wasserstein distance of the colours of the pixels.
    """
    reference = StyleReference(network, style)
    return shares(reference.distances(picture), reference.distances(content))


class StyleReference:
    """The statistics of one style, with which any number of pictures are compared."""

    def __init__(
        self, network: Network, style: Float[np.ndarray, "1 h w 3"], layers: tuple[str, ...] | None = None
    ):
        """Measure `style` at `layers`, or at those of `STYLE_LAYERS` that `network` has."""
        self._network, self._layers = network, judged_layers(network) if layers is None else layers
        small = images.fit(style, SIZE)
        S, self._grams = jax.device_get(_activations_and_grams(network, jnp.asarray(small), self._layers))
        self._ranked = {layer: ranked(_rows(S[layer])) for layer in self._layers}
        self._ranked[COLOURS] = ranked(_rows(small))
        # The pictures of a sweep usually have the same size.
        self._resampled = functools.lru_cache(len(self._ranked))(
            lambda name, count: resampled(self._ranked[name], count)
        )

    def distances(self, picture: Float[np.ndarray, "1 h w 3"]) -> Distances:
        """Return each distance of `picture` to the style, by layer."""
        small = images.fit(picture, SIZE)
        found = _activations_and_grams(self._network, jnp.asarray(small), self._layers)
        F, G = jax.device_get(found)
        distances = [_squares(G[layer] - A) for layer, A in self._grams.items()]
        sliced = [self._sliced(layer, F[layer]) for layer in self._layers]
        palette = [self._sliced(COLOURS, small)]
        return {"gram": distances, "sliced": sliced, "palette": palette}

    def _sliced(self, name: str, F: np.ndarray) -> float:
        """The squared sliced Wasserstein distance: projections of both are compared rank by rank."""
        rows = _rows(F)
        return _mean_square_difference(ranked(rows), self._resampled(name, len(rows)))


def shares(ours: Distances, of_content: Distances) -> dict[str, float]:
    """Return the distances of a picture, each divided by that of the content; means over the layers."""
    return {name: float(np.mean(np.divide(ours[name], of_content[name]))) for name in ours}


def content_distance(
    network: Network,
    picture: Float[np.ndarray, "1 h w 3"],
    content: Float[np.ndarray, "1 h2 w2 3"],
    layer: str = CONTENT_LAYER,
) -> float:
    """Return ||F - P||^2 / ||P||^2 of the activations at `layer`, in Frobenius norms; 0 if they are equal."""
    target = images.fit(content, SIZE)
    resized = images.resize(picture, *target.shape[1:3])
    F, P = (network(jnp.asarray(image), (layer,))[layer] for image in (resized, target))
    return relative_distance(F, P) ** 2


def ranked(F: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "d m"]:
    """Return the projections of the rows of F onto each direction, sorted: a column per rank."""
    vectors = np.random.default_rng(0).standard_normal((F.shape[1], DIRECTIONS))
    directions = (vectors / np.linalg.norm(vectors, axis=0)).astype(np.float32)
    # On the host: NumPy sorts thirty times faster than XLA on a CPU.
    projections = directions.T @ F.T
    projections.sort(axis=1)
    return projections


def resampled(values: Float[np.ndarray, "d k"], count: int) -> Float[np.ndarray, "d {count}"]:
    """Interpolate sorted rows linearly to `count` values: the quantiles at the middles of equal shares."""
    size = values.shape[1]
    if count == size:
        return values
    position = np.clip((np.arange(count) + 0.5) / count * size - 0.5, 0, size - 1)
    below = np.floor(position).astype(np.int32)
    share = (position - below).astype(values.dtype)
    # `take` keeps the order of rows in memory, where `values[:, below]` transposes it.
    lower, upper = (values.take(index, axis=1) for index in (below, np.minimum(below + 1, size - 1)))
    return lower * (1 - share) + upper * share


def _mean_square_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The mean square of `ours - theirs`, which replaces `ours`: new memory takes longer than the sums."""
    ours -= theirs
    return _squares(ours) / ours.size


def _squares(difference: np.ndarray) -> float:
    # By rows: one sum of ten million squares in float32 is off by 2e-4.
    return float(np.einsum("ij,ij->i", difference, difference).sum(dtype=np.float64))


def _rows(F: np.ndarray) -> Float[np.ndarray, "m n"]:
    return F.reshape(-1, F.shape[-1])


# Both from one pass, and one program for pictures of a size.
@jit_at_first_call(static_argnums=2)
def _activations_and_grams(
    network: Network, image: Array, layers: tuple[str, ...]
) -> tuple[dict[str, Array], dict[str, Array]]:
    F = network(image, layers)
    return F, {layer: gram(F[layer]) for layer in layers}
