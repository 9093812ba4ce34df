"""The interface of a network that the rest of the package relies on, whatever the architecture."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

from flax import nnx
from jaxtyping import Array, Float

from nst_jax.networks.architectures import Layer

Relu = Callable[[Array], Array]


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
        """Apply one layer; `relu` may define its own gradient, see `nst_jax.vision.deconvnet`."""

    def __call__(
        self, image: Float[Array, "b h w 3"], layers: Sequence[str], relu: Relu = nnx.relu
    ) -> dict[str, Float[Array, "b _ _ _"]]:
        """Activations of `image` at `layers`."""


def walk(
    layers: Sequence[Layer], wanted: Collection[str], x: Array, apply: Callable[[Layer, Array], Array]
) -> dict[str, Array]:
    """Apply `layers` in order, up to the last of `wanted`, and return the outputs of the wanted layers.

    Raises:
        ValueError: a wanted layer is not among `layers`.
    """
    names = [layer.name for layer in layers]
    if missing := [name for name in wanted if name not in names]:
        raise ValueError(f"no layer {', '.join(missing)}; the network has {', '.join(names)}")
    outputs: dict[str, Array] = {}
    for layer in layers:
        if len(outputs) == len(set(wanted)):
            break
        x = apply(layer, x)
        if layer.name in wanted:
            outputs[layer.name] = x
    return outputs
