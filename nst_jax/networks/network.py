"""The interface of a network that the rest of the package relies on, whatever the architecture."""

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

from flax import nnx
from jaxtyping import Array, Float

from nst_jax.networks.architectures import Layer
from nst_jax.networks.layers import Relu

PRE = ":pre"  # after the name of a layer: what enters its last ReLU


@runtime_checkable
class Network(Protocol):
    """A pytree of weights that maps images in [0,1] RGB to named activations.

    `geometry` lists the layers that can be computed with the weights, in order; `layers` lists their names.
    """

    geometry: tuple[Layer, ...]
    layers: tuple[str, ...]

    def preprocess(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
        """Convert [0,1] RGB to the input of the first layer."""

    def first_kernel(self) -> Float[Array, "h w 3 o"]:
        """The filters of the first layer, with input channels in RGB order."""

    def apply(self, name: str, x: Float[Array, "b h w i"], relu: Relu = nnx.relu) -> Float[Array, "b _ _ o"]:
        """Apply one layer; `relu` may define its own gradient, see `nst_jax.vision.deconvnet`.

        A network that can also be asked for what enters a ReLU takes it as a further argument, `last_relu`.
        """

    def __call__(
        self, image: Float[Array, "b h w 3"], layers: Sequence[str], relu: Relu = nnx.relu
    ) -> dict[str, Float[Array, "b _ _ _"]]:
        """Activations of `image` at `layers`; at `convB_I:pre`, those before the layer's last ReLU."""


def entering(network: Network, layer: str) -> str:
    """The name of what enters the last ReLU of `layer`, or `layer` if the network cannot be asked for it."""
    rectified = any(each.name == layer and each.rectified for each in network.geometry)
    asked = "last_relu" in inspect.signature(network.apply).parameters
    return layer + PRE if rectified and asked else layer


def walk(
    layers: Sequence[Layer],
    wanted: Collection[str],
    x: Array,
    apply: Callable[[Layer, Array], Array],
    before_relu: Callable[[Layer, Array], tuple[Array, Array]] | None = None,
) -> dict[str, Array]:
    """Apply `layers` in order, up to the last of `wanted`, and return the outputs of the wanted layers.

    `before_relu(layer, x)` returns what enters the last ReLU of a layer, and its output; without it, only
    outputs can be wanted.

    Raises:
        ValueError: a wanted layer is not among `layers`.
    """
    names = [layer.name + suffix for suffix in ("", PRE)[: 2 if before_relu else 1] for layer in layers]
    if missing := [name for name in wanted if name not in names]:
        known = ", ".join(layer.name for layer in layers)
        raise ValueError(f"no layer {', '.join(missing)}; the network has {known}")
    outputs: dict[str, Array] = {}
    for layer in layers:
        if len(outputs) == len(set(wanted)):
            break
        if before_relu and layer.name + PRE in wanted:
            outputs[layer.name + PRE], x = before_relu(layer, x)
        else:
            x = apply(layer, x)
        if layer.name in wanted:
            outputs[layer.name] = x
    return outputs
