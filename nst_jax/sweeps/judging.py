"""Measurements of finished pictures, made in the same way for all runs so that they can be compared."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from skimage.metrics import structural_similarity

from nst_jax import images
from nst_jax.config import Config, NetworkConfig
from nst_jax.losses.gram import gram
from nst_jax.networks import receptive
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.optimizers.compiler import jit_at_first_call
from nst_jax.transfer.pictures import Pictures, picture_sources
from nst_jax.weights import load_network
from nst_jax.weights.resolving import cached_of

# Of Gatys et al. 2015, whichever layers a run used.
STYLE_LAYERS = tuple(f"conv{block}_1" for block in range(1, 6))
CONTENT_LAYER = "conv4_2"
JUDGES = ("vgg19", "vgg16", "slim")  # architectures, best first
SSIM_WINDOW = 7  # pixels
KEPT_INPUTS = 8  # contents and styles whose statistics are in memory at a time


def judge(configs: Sequence[Config]) -> tuple[Network, Weights]:
    """Load the network that measures all pictures.

    It is the largest trained one of `JUDGES` among `configs`, and VGG-19 from the cache if none of them uses
    it. Without either, it is the bundled network.

    Raises:
        UserError: the network cannot be loaded.
    """
    trained = [config for config in configs if config.network.weights != "random"] or list(configs)
    able = [config for config in trained if config.network.arch in JUDGES]
    largest = min(able, key=lambda config: JUDGES.index(config.network.arch), default=None)
    if (largest is None or largest.network.arch != JUDGES[0]) and cached_of(JUDGES[0]):
        return load_network(NetworkConfig(JUDGES[0]), (*STYLE_LAYERS, CONTENT_LAYER))
    if largest is None:
        return load_network(NetworkConfig("slim"), STYLE_LAYERS)
    network = dataclasses.replace(largest.network, normalize=False)
    return load_network(network, largest.required_layers())


class Closeness:
    """How close results are to their own content and style, whatever their objectives were.

    `ssim`: structural similarity to the content (Wang et al. 2004), 1 if equal. `style_distance/L`:
    ||G - A|| / ||A|| of the Gram matrices; of several styles, the average by their weights, whatever their
    regions. `content_distance/L`: ||F - P|| / ||P||; Frobenius norms, 0 if equal. Measures for which a
    picture is too small, and layers that the network lacks, are omitted.
    """

    def __init__(self, network: Network, pictures: Pictures):
        """Compare by `network` with contents and styles of `pictures`, each of which is measured once."""
        self._network, self._pictures = network, pictures
        self._content = functools.lru_cache(KEPT_INPUTS)(
            lambda source, size, layers: self._described(pictures.resized(source, *size), layers)
        )
        self._style = functools.lru_cache(KEPT_INPUTS)(
            lambda source, size, layers: self._described(
                images.fit(pictures.fitted(source, size).pixels, size), layers
            )
        )

    def __call__(self, config: Config, picture: Float[np.ndarray, "1 h w 3"]) -> dict[str, float]:
        """Return the measures of a result of `config`, by name."""
        size, styles = picture.shape[1:3], self._styles(config)
        sides = [min(size)]
        for _, source, style_size in styles:
            pixels = self._pictures.fitted(source, style_size).pixels
            sides.append(min(images.fitted(pixels.shape[1:3], style_size)))
        compared = (*STYLE_LAYERS, CONTENT_LAYER)
        layers = tuple(layer for layer in compared if fits_layer(self._network, layer, min(sides)))
        F = self._described(picture, layers)
        statistics = tuple(layer for layer in layers if layer != CONTENT_LAYER)
        S = [(share, self._style(source, size, statistics)) for share, source, size in styles]
        distances = {
            f"style_distance/{layer}": sum(
                share * relative_distance(F[layer], one[layer]) for share, one in S
            )
            for layer in statistics
        }
        if CONTENT_LAYER in layers:
            P = self._content(config.content, size, (CONTENT_LAYER,))
            content_distance = relative_distance(F[CONTENT_LAYER], P[CONTENT_LAYER])
            distances[f"content_distance/{CONTENT_LAYER}"] = content_distance
        if min(size) < SSIM_WINDOW:
            return distances
        content = self._pictures.resized(config.content, *size)
        options = {"win_size": SSIM_WINDOW, "channel_axis": -1, "data_range": 1.0}
        return {"ssim": float(structural_similarity(picture[0], content[0], **options))} | distances

    def _styles(self, config: Config) -> list[tuple[float, str, int]]:
        """Every style picture: its share in the average, its source, and its longer side."""
        styles = config.active_styles().values()
        total = sum(style.weight for style in styles)
        found = []
        for style in styles:
            sources = picture_sources(style.image)
            share, size = style.weight / total / len(sources), config.style_size(style)
            found += [(share, source, size) for source in sources]
        return found

    def _described(self, picture: np.ndarray, layers: tuple[str, ...]) -> dict[str, np.ndarray]:
        """The activations of `CONTENT_LAYER`, and the Gram matrices of the other layers."""
        return jax.device_get(_described(self._network, jnp.asarray(picture), layers))


def relative_distance(a: Any, b: Any) -> float:
    """Return ||a - b|| / ||b||, in Frobenius norms."""
    # On the host: in JAX, each operation on each shape would be a program to compile.
    a, b = np.asarray(a), np.asarray(b)
    return float(np.linalg.norm(np.ravel(a - b)) / np.linalg.norm(np.ravel(b)))


def fits_layer(network: Network, layer: str, side: int) -> bool:
    """Whether `network` has `layer`, and pictures of at least `side` pixels leave it a position."""
    return layer in network.layers and side >= receptive.smallest_side(network.geometry, layer)


@jit_at_first_call(static_argnums=2)
def _described(network: Network, image: Array, layers: tuple[str, ...]) -> dict[str, Array]:
    """What is compared: the activations of `CONTENT_LAYER`, and the Gram matrices of the other layers."""
    F = network(image, layers)
    return {layer: F[layer] if layer == CONTENT_LAYER else gram(F[layer]) for layer in layers}
