"""What the rest of the package expects of a network, whatever its architecture."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

from flax import nnx
from jaxtyping import Array, Float

from nst_jax.networks.architectures import Layer

Relu = Callable[[Array], Array]


@runtime_checkable
class Network(Protocol):
    """A pytree of weights that turns images in [0,1] RGB into named activations.

    `geometry` holds the layers that its weights reach, in order; `layers` are their names.
    """

    geometry: tuple[Layer, ...]
    layers: tuple[str, ...]

    def preprocess(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
        """[0,1] RGB to what the first layer expects."""

    def first_kernel(self) -> Float[Array, "h w 3 o"]:
        """The filters of the first layer, their inputs in the order red, green, blue."""

    def apply(self, name: str, x: Float[Array, "b h w i"], relu: Relu = nnx.relu) -> Float[Array, "b _ _ o"]:
        """One layer; `relu` may have another gradient than the usual one (`nst_jax.vision.deconvnet`)."""

    def __call__(
        self, image: Float[Array, "b h w 3"], layers: Sequence[str], relu: Relu = nnx.relu
    ) -> dict[str, Float[Array, "b _ _ _"]]:
        """Activations of `image` at `layers`."""


def walk(
    layers: Sequence[Layer], wanted: Collection[str], x: Array, apply: Callable[[Layer, Array], Array]
) -> dict[str, Array]:
    """Apply `layers` in order, no further than the last of `wanted`; returns the outputs at those.

    Raises:
        ValueError: a wanted layer is not among `layers`.
    """
    names = [layer.name for layer in layers]
    if missing := [name for name in wanted if name not in names]:
        raise ValueError(f"no layer {', '.join(missing)}; the network has {', '.join(names)}")
    found: dict[str, Array] = {}
    for layer in layers:
        if len(found) == len(set(wanted)):
            break
        x = apply(layer, x)
        if layer.name in wanted:
            found[layer.name] = x
    return found
