"""A neutral score of finished pictures: style distances in terms that no run was optimised for.

Every distance is a share: 1 for the content picture itself, 0 for a picture with the style's own statistics.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax import images
from nst_jax.losses.gram import gram
from nst_jax.losses.sliced import random_directions, sliced_wasserstein
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

    `gram`: squared difference of Gram matrices; `sliced`: sliced Wasserstein distance (Heitz et al. 2021),
    both as means over `layers` of the shares; `palette`: sliced Wasserstein distance of the pixels' colours.
    """
    small = [jnp.asarray(images.fit(image, SIZE)) for image in (picture, content, style)]
    ours, theirs = (_distances(network, image, small[2], tuple(layers)) for image in small[:2])
    shares = {name: np.mean(np.asarray(ours[name]) / np.asarray(theirs[name])) for name in ours}
    return {name: float(share) for name, share in shares.items()}


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


@partial(jax.jit, static_argnums=3)
def _distances(network: Network, image: Array, style: Array, layers: tuple[str, ...]) -> dict[str, Array]:
    """Each distance by layer."""
    F, S = network(image, layers), network(style, layers)
    return {
        "gram": jnp.stack([jnp.sum(jnp.square(gram(F[layer]) - gram(S[layer]))) for layer in layers]),
        "sliced": jnp.stack([_sliced(F[layer], S[layer]) for layer in layers]),
        "palette": _sliced(image, style),
    }


def _sliced(F: Float[Array, "1 h w n"], S: Float[Array, "1 h2 w2 n"]) -> Float[Array, ""]:
    channels = F.shape[-1]
    directions = jnp.asarray(random_directions(channels, DIRECTIONS))
    return sliced_wasserstein(F.reshape(-1, channels), S.reshape(-1, channels), directions)
