"""A neutral score of finished pictures: style distances that no run was optimised for.

Every distance is given as a share: 1 for the content picture itself, 0 for a picture with the style's own
statistics.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax import images
from nst_jax.losses.gram import gram
from nst_jax.networks.network import Network
from nst_jax.sweeps.judging import relative_distance

LAYERS = ("conv1_1", "conv2_1", "conv3_1")
SIZE = 256  # pixels, longer side at which pictures are compared
DIRECTIONS = 256  # fixed ones


def style_shares(
    network: Network,
    picture: Float[np.ndarray, "1 h w 3"],
    content: Float[np.ndarray, "1 h2 w2 3"],
    style: Float[np.ndarray, "1 h3 w3 3"],
    layers: Sequence[str] = LAYERS,
) -> dict[str, float]:
    """Return the distances of `picture` to `style`, each divided by that of `content` to `style`.

    `gram`: squared difference of Gram matrices; `sliced`: sliced Wasserstein distance (Heitz et al. 2021,
    arXiv 2006.07229); both are means over `layers` of the shares. `palette`: sliced Wasserstein distance of
    the colours of the pixels.
    """
    small = [images.fit(image, SIZE) for image in (picture, content, style)]
    ours, theirs = (_distances(network, image, small[2], tuple(layers)) for image in small[:2])
    return {name: float(np.mean(np.divide(ours[name], theirs[name]))) for name in ours}


def content_distance(
    network: Network,
    picture: Float[np.ndarray, "1 h w 3"],
    content: Float[np.ndarray, "1 h2 w2 3"],
    layer: str = LAYERS[-1],
) -> float:
    """Return ||F - P|| / ||P|| of the activations at `layer`, in Frobenius norms; 0 if they are equal."""
    target = images.fit(content, SIZE)
    resized = images.resize(picture, *target.shape[1:3])
    F, P = (network(jnp.asarray(image), (layer,))[layer] for image in (resized, target))
    return relative_distance(F, P)


def sliced_wasserstein(F: Float[np.ndarray, "m n"], S: Float[np.ndarray, "k n"]) -> float:
    """Return the squared sliced Wasserstein distance between the rows of F and those of S.

    The rows are projected onto fixed random directions. The sorted projections of two sets are compared rank
    by rank, after linear interpolation if the sets differ in size.
    """
    vectors = np.random.default_rng(0).standard_normal((F.shape[1], DIRECTIONS))
    directions = (vectors / np.linalg.norm(vectors, axis=0)).astype(np.float32)
    # A column per rank. On the host: NumPy sorts thirty times faster than XLA on a CPU.
    ours, theirs = (np.sort(directions.T @ rows.T, axis=1) for rows in (F, S))
    return float(np.mean(np.square(ours - resampled(theirs, ours.shape[1]))))


def resampled(ranked: Float[np.ndarray, "d k"], count: int) -> Float[np.ndarray, "d {count}"]:
    """Interpolate sorted rows linearly to `count` values: the quantiles at the middles of equal shares."""
    size = ranked.shape[1]
    position = np.clip((np.arange(count) + 0.5) / count * size - 0.5, 0, size - 1)
    below = np.floor(position).astype(np.int32)
    share = (position - below).astype(ranked.dtype)
    return ranked[:, below] * (1 - share) + ranked[:, np.minimum(below + 1, size - 1)] * share


def _distances(
    network: Network, image: np.ndarray, style: np.ndarray, layers: tuple[str, ...]
) -> dict[str, list[float]]:
    """Each distance by layer."""
    (F, G), (S, A) = (_seen(network, jnp.asarray(picture), layers) for picture in (image, style))
    return {
        "gram": [float(np.sum(np.square(np.asarray(G[layer]) - np.asarray(A[layer])))) for layer in layers],
        "sliced": [sliced_wasserstein(_rows(F[layer]), _rows(S[layer])) for layer in layers],
        "palette": [sliced_wasserstein(_rows(image), _rows(style))],
    }


def _rows(F: Array | np.ndarray) -> Float[np.ndarray, "m n"]:
    return np.asarray(F).reshape(-1, F.shape[-1])


@partial(jax.jit, static_argnums=2)
def _seen(
    network: Network, image: Array, layers: tuple[str, ...]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The activations at `layers`, and their Gram matrices."""
    F = network(image, layers)
    return F, {layer: gram(F[layer]) for layer in layers}
