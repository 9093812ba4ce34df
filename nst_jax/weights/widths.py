"""The number of filters of networks that a config may stand for, none of which is fetched."""

from collections.abc import Mapping

from nst_jax.config import NetworkConfig
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import Weights
from nst_jax.weights import embedded
from nst_jax.weights.random import SLIM_WIDTHS

Widths = Mapping[str, int]  # by the name of a convolution


def widths_of(weights: Weights) -> Widths:
    """Return the widths of a network that is known."""
    kernels = {name: array for name, array in weights.arrays.items() if name.endswith(".kernel")}
    return {name.removesuffix(".kernel"): kernel.shape[-1] for name, kernel in kernels.items()}


def possible_widths(settings: NetworkConfig) -> list[Widths]:
    """Return those of each network that `settings` may stand for; none if a file of weights decides."""
    arch = architecture(settings.arch)
    found: list[Widths] = []
    convolutions = [filters for layer in arch.layers for filters in layer.convolutions()]
    if settings.weights == "random" or all(filters.channels for filters in convolutions):
        shapes = arch.kernel_shapes(SLIM_WIDTHS)
        found.append({name: shape[-1] for name, shape in shapes.items()})
    if settings.weights == "auto":
        found.append(widths_of(embedded.slim()))
    return found
