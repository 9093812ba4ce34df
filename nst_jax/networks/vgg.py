"""The convolutional part of VGG as a Flax NNX module: named activations of an image."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from nst_jax.networks import winograd
from nst_jax.networks.architectures import Layer, architecture
from nst_jax.networks.conv import conv3x3, turned
from nst_jax.networks.network import Relu, walk
from nst_jax.networks.padding import crop, pad
from nst_jax.networks.pool import POOLS
from nst_jax.networks.trained import Preprocessing, Weights


class Conv(nnx.Module):
    """3x3 convolution with bias and ReLU; its outputs have the size of its inputs."""

    def __init__(
        self,
        kernel: Float[Array, "3 3 i o"],
        bias: Float[Array, "o"],
        algorithm: str = "auto",
        precision: str = "float32",
        padding: str = "zeros",
    ):
        """Store the trained `kernel` and `bias`.

        `algorithm` is 'direct', 'winograd', or 'auto' for the faster of the two; `precision` applies to
        'direct' only; `padding` is 'zeros' or one of `nst_jax.networks.padding`.
        """
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(bias)
        self.precision, self.padding = precision, padding
        self.winograd = algorithm == "winograd" or (algorithm == "auto" and winograd.pays(kernel.shape))
        if self.winograd:
            self.filters = nnx.Variable(winograd.transform_filters(kernel))
            self.turned = nnx.Variable(winograd.transform_filters(turned(kernel)))

    def __call__(self, x: Float[Array, "b h w i"], relu: Relu = nnx.relu) -> Float[Array, "b h w o"]:
        """The rectified response of each filter."""
        if self.padding == "zeros":
            return relu(self._convolved(x) + self.bias[...])
        return relu(crop(self._convolved(pad(x, self.padding))) + self.bias[...])

    def _convolved(self, x: Float[Array, "b h w i"]) -> Float[Array, "b h w o"]:
        if self.winograd:
            return winograd.conv3x3_by_tiles(x, self.filters[...], self.turned[...])
        return conv3x3(x, self.kernel[...], self.precision)


class VGG(nnx.Module):
    """The convolutional part of VGG-16, VGG-19 or a narrower network with the same topology.

    `convB_I` is the activation *after* the ReLU, and `poolB` the output of a pooling. Inputs are [0,1] RGB:
    the preprocessing that the weights expect is part of the network. If the weights cover only the first
    layers, the network ends there. Simonyan & Zisserman 2015; average pooling: Gatys et al. 2015, 'Methods'.
    """

    def __init__(
        self,
        weights: Weights,
        pool: str = "avg",
        conv: str = "auto",
        precision: str = "float32",
        padding: str = "zeros",
    ):
        """Build the layers from `weights`; `pool` is 'avg' or 'max'; for the others see `Conv`."""
        self.pool = pool
        self.preprocessing = weights.preprocessing
        self.geometry = _reachable(weights)
        self.layers = tuple(layer.name for layer in self.geometry)
        self.convs = nnx.Dict(
            {
                layer.name: Conv(*_kernel_and_bias(weights, layer.name), conv, precision, padding)
                for layer in self.geometry
                if layer.weighted
            }
        )

    def preprocess(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
        """Convert [0,1] RGB to the input of the first layer."""
        return preprocess(image, self.preprocessing)

    def first_kernel(self) -> Float[Array, "3 3 3 o"]:
        """The filters of the first convolution, with input channels in RGB order."""
        kernel = self.convs[self.layers[0]].kernel[...]
        return kernel[:, :, ::-1] if self.preprocessing.channels == "bgr" else kernel

    def apply(self, name: str, x: Float[Array, "b h w i"], relu: Relu = nnx.relu) -> Float[Array, "b _ _ o"]:
        """Apply one convolution with its ReLU, or one pooling."""
        return self.convs[name](x, relu) if name in self.convs else POOLS[self.pool](x)

    def __call__(
        self, image: Float[Array, "b h w 3"], layers: Sequence[str], relu: Relu = nnx.relu
    ) -> dict[str, Float[Array, "b _ _ _"]]:
        """Activations of `image` at `layers`; layers beyond the deepest of them are not computed.

        Raises:
            ValueError: the network does not have one of the layers.
        """
        x = self.preprocess(image)
        return walk(self.geometry, layers, x, lambda layer, x: self.apply(layer.name, x, relu))


def preprocess(image: Float[Array, "b h w 3"], how: Preprocessing) -> Float[Array, "b h w 3"]:
    """Convert [0,1] RGB to the input of the first layer: channel order, scale, mean, standard deviation."""
    if how.channels == "bgr":
        image = image[..., ::-1]
    return (image * how.scale - jnp.array(how.mean)) / jnp.array(how.std)


def _reachable(weights: Weights) -> tuple[Layer, ...]:
    """The layers before the first convolution that is missing in `weights`."""
    held = set(weights.layers())
    reachable = []
    for layer in architecture(weights.arch).layers:
        if layer.weighted and layer.name not in held:
            break
        reachable.append(layer)
    return tuple(reachable)


def _kernel_and_bias(weights: Weights, name: str) -> tuple[Array, Array]:
    return jnp.asarray(weights.arrays[f"{name}.kernel"]), jnp.asarray(weights.arrays[f"{name}.bias"])
