"""LPIPS (Zhang et al. 2018, arXiv 1801.03924): a distance of pictures, weighted by what people judged."""

import dataclasses
import functools
import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax.config import NetworkConfig, fields
from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture
from nst_jax.networks.network import Network
from nst_jax.networks.trained import TORCHVISION
from nst_jax.weights import load_network
from nst_jax.weights.loading import read_contents

# Whose activations are compared, and the file of their weights in version 0.1 of the package lpips.
LAYERS = {
    "vgg16": ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"),
    "squeezenet1_1": ("conv1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9"),
}
FILES = {"vgg16": "vgg.pth", "squeezenet1_1": "squeeze.pth"}
EPSILON = 1e-10  # added to the lengths of vectors


@dataclasses.dataclass(frozen=True)
class LpipsSettings:
    """The two networks of LPIPS, which this package does not ship."""

    arch: str = ""  # 'vgg16' or 'squeezenet1_1'; '' to leave LPIPS out
    weights: str = ""  # a file or a registered name; '' for those of torchvision
    linear: str = ""  # the file of the weights of channels; '' for that of the installed package lpips

    def __post_init__(self) -> None:
        fields.one_of("lpips.arch", self.arch, ("", *LAYERS))


class Lpips:
    """The distance of two pictures by one network."""

    def __init__(self, network: Network, channel_weights: Mapping[str, np.ndarray], digest: str):
        """Compare at the layers of `channel_weights`; `digest` identifies all weights."""
        self._network, self._layers, self.digest = network, tuple(channel_weights), digest
        self._channel_weights = [jnp.asarray(weights) for weights in channel_weights.values()]

    def __call__(self, picture: Float[np.ndarray, "1 h w 3"], other: Float[np.ndarray, "1 h w 3"]) -> float:
        """Return the distance of [0,1] RGB pictures of one size; 0 if they are equal."""
        pair = jnp.asarray(picture), jnp.asarray(other)
        return float(_distance(self._network, self._channel_weights, self._layers, *pair))


def load_lpips(settings: LpipsSettings) -> Lpips | None:
    """Load the networks of LPIPS; None if it is to be left out.

    Raises:
        UserError: a file cannot be found, read or downloaded, or is of another network.
    """
    if not settings.arch:
        return None
    file = Path(settings.linear) if settings.linear else _installed(settings.arch)
    channel_weights = _channel_weights(file, settings.arch)
    weights = settings.weights or f"{settings.arch}-torchvision"
    config = NetworkConfig(settings.arch, weights, pool="max")
    try:
        network, trained = load_network(config, LAYERS[settings.arch])
    except UserError as error:
        raise error.prefixed("lpips") from error
    if trained.preprocessing != TORCHVISION:
        raise UserError(f"lpips.weights: {trained.name} is not torchvision's {settings.arch}")
    numbers = b"".join(array.tobytes() for array in channel_weights.values())
    return Lpips(network, channel_weights, f"{trained.sha256} {hashlib.sha256(numbers).hexdigest()}")


def _installed(arch: str) -> Path:
    """The file of channel weights in the installed package lpips, which is not imported."""
    found = importlib.util.find_spec("lpips")
    if found is None or not found.origin:
        raise UserError(
            "lpips.linear: the package lpips, which has the weights of channels, is not installed; run "
            "pip install --no-deps lpips, or give a file"
        )
    return Path(found.origin).parent / "weights" / "v0.1" / FILES[arch]


def _channel_weights(file: Path, arch: str) -> dict[str, Float[np.ndarray, "n"]]:
    """The weight of every channel of each layer."""
    tensors = read_contents(file, lambda name: False).tensors
    described = {layer.name: layer for layer in architecture(arch).layers}
    found = {}
    for index, layer in enumerate(LAYERS[arch]):
        weights = tensors.get(f"lin{index}.model.1.weight")
        channels = described[layer].channels
        if weights is None or weights.size != channels:
            raise UserError(f"{file}: has no lin{index}.model.1.weight of {channels} channels for {arch}")
        found[layer] = np.asarray(weights, np.float32).ravel()
    return found


@functools.partial(jax.jit, static_argnums=2)
def _distance(
    network: Network,
    channel_weights: Sequence[Float[Array, "_"]],
    layers: tuple[str, ...],
    picture: Float[Array, "1 h w 3"],
    other: Float[Array, "1 h w 3"],
) -> Float[Array, ""]:
    """Equation 1: squared differences of unit vectors, weighted by channel and averaged over positions."""
    F, P = network(picture, layers), network(other, layers)
    squares = [jnp.square(_unit(F[layer]) - _unit(P[layer])) for layer in layers]
    weighted = [jnp.sum(x * weights, axis=-1) for x, weights in zip(squares, channel_weights, strict=True)]
    return jnp.sum(jnp.stack([jnp.mean(x) for x in weighted]))


def _unit(F: Float[Array, "1 h w n"]) -> Float[Array, "1 h w n"]:
    """F with vectors of length 1 at every position."""
    return F / (jnp.linalg.norm(F, axis=-1, keepdims=True) + EPSILON)
