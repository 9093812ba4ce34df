"""A network as a Flax NNX module, built from the description of its layers: named activations of an image."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from nst_jax.networks import products, winograd
from nst_jax.networks.architectures import Layer, architecture
from nst_jax.networks.conv import conv3x3, strided_conv, turned
from nst_jax.networks.layers import Relu, identity
from nst_jax.networks.network import Network, walk
from nst_jax.networks.padding import crop, pad
from nst_jax.networks.pool import POOLS
from nst_jax.networks.prepared import PreparedConv
from nst_jax.networks.trained import Preprocessing, Weights

# Algorithms for 3x3 convolutions that prepare filters in advance: how they do, and how they then convolve.
PREPARED: dict[str, tuple[Callable[[np.ndarray], np.ndarray], PreparedConv]] = {
    "winograd": (winograd.transform_filters, winograd.conv3x3_by_tiles),
    "products": (products.arrange_filters, products.conv3x3_by_products),
}


class Conv(nnx.Module):
    """A convolution with bias and ReLU."""

    def __init__(
        self,
        kernel: Float[np.ndarray, "h w i o"],
        bias: Float[np.ndarray, "o"],
        algorithm: str = "auto",
        precision: str = "float32",
        padding: str = "zeros",
        stride: int = 1,
        border: int = 1,
    ):
        """Store the trained `kernel` and `bias`; the input is padded by `border` positions on each side.

        `algorithm` is 'direct', 'winograd', or 'auto' for the fastest at each size, and `padding` is 'zeros'
        or one of `nst_jax.networks.padding`. They apply to 3x3 convolutions with a stride and a border of 1;
        others are direct, and pad by zeros. `precision` does not apply to 'winograd'; if it is 'bfloat16',
        'auto' may choose `nst_jax.networks.products`.
        """
        # device_put: jnp.asarray would load a program for each shape.
        self.kernel = nnx.Param(jax.device_put(kernel))
        self.bias = nnx.Param(jax.device_put(bias))
        self.precision, self.padding, self.stride, self.border = precision, padding, stride, border
        self.is_3x3 = (kernel.shape[:2], stride, border) == ((3, 3), 1, 1)
        self.least = 0  # multiply-adds with which `algorithm` is used; smaller convolutions are direct
        if algorithm == "auto":
            fast = "winograd" if winograd.pays(kernel.shape) else "direct"
            suited = precision == "bfloat16" and products.suits(kernel.shape)
            algorithm = "products" if suited else fast
            self.least = winograd.MULTIPLY_ADDS if algorithm == "winograd" else 0
        self.algorithm = algorithm if self.is_3x3 else "direct"
        if self.algorithm in PREPARED:
            prepare, _ = PREPARED[self.algorithm]
            self.filters, self.turned = (
                nnx.Variable(jax.device_put(prepare(k))) for k in (kernel, turned(kernel))
            )

    def __call__(self, x: Float[Array, "b h w i"], relu: Relu = nnx.relu) -> Float[Array, "b _ _ o"]:
        """The rectified response of each filter."""
        # The network pads by itself and crops what the zero padding has reached, so each algorithm serves.
        if self.is_3x3 and self.padding != "zeros":
            response = crop(self._convolved(pad(x, self.padding)))
        else:
            response = self._convolved(x)
        return relu(response + self.bias[...])

    def _convolved(self, x: Float[Array, "b h w i"]) -> Float[Array, "b _ _ o"]:
        multiply_adds = x.shape[1] * x.shape[2] * self.kernel[...].size
        if self.algorithm in PREPARED and multiply_adds >= self.least:
            _, convolve = PREPARED[self.algorithm]
            return convolve(x, self.filters[...], self.turned[...])
        if self.is_3x3:
            return conv3x3(x, self.kernel[...], self.precision)
        return strided_conv(x, self.kernel[...], self.stride, self.border, self.precision)


class ConvNet(nnx.Module):
    """The network that `architecture(weights.arch)` describes, with trained `weights`.

    A layer's activations are those *after* its ReLU. Inputs are [0,1] RGB: the preprocessing that the weights
    expect is part of the network. If the weights cover only the first layers, the network ends there. Average
    pooling in place of max pooling: Gatys et al. 2015, 'Methods'.
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
        convs = {}
        for filters in (filters for layer in self.geometry for filters in layer.convolutions()):
            kernel, bias = (np.asarray(weights.arrays[f"{filters.name}.{p}"]) for p in ("kernel", "bias"))
            options = conv, precision, padding, filters.stride, filters.padding
            convs[filters.name] = Conv(kernel, bias, *options)
        self.convs = nnx.Dict(convs)

    def preprocess(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
        """Convert [0,1] RGB to the input of the first layer."""
        return preprocess(image, self.preprocessing)

    def first_kernel(self) -> Float[Array, "h w 3 o"]:
        """The filters of the first convolution, with input channels in RGB order."""
        kernel = self.convs[self.layers[0]].kernel[...]
        return kernel[:, :, ::-1] if self.preprocessing.channels == "bgr" else kernel

    def apply(
        self, name: str, x: Float[Array, "b h w i"], relu: Relu = nnx.relu, last_relu: Relu | None = None
    ) -> Float[Array, "b _ _ o"]:
        """Apply one layer: its convolutions with their ReLUs, the last of which may differ, or a pooling."""
        layer = self.geometry[self.layers.index(name)]
        if not layer.weighted:
            return POOLS[self.pool](x, layer.kernel, layer.stride, layer.padding, layer.ceil)
        convolutions = [self.convs[filters.name] for filters in layer.convolutions()]
        last_relu = identity if layer.linear else last_relu or relu
        if layer.block:
            return layer.block(convolutions, x, relu, last_relu)
        return convolutions[0](x, last_relu)

    def __call__(
        self, image: Float[Array, "b h w 3"], layers: Sequence[str], relu: Relu = nnx.relu
    ) -> dict[str, Float[Array, "b _ _ _"]]:
        """Activations of `image` at `layers`; layers beyond the deepest of them are not computed.

        `convB_I:pre` stands for what enters the last ReLU of `convB_I`. A layer without a ReLU is the same
        with and without `:pre`.

        Raises:
            ValueError: the network does not have one of the layers.
        """

        def before_relu(layer: Layer, x: Array) -> tuple[Array, Array]:
            entering = self.apply(layer.name, x, relu, identity)
            return entering, relu(entering) if layer.rectified else entering

        x = self.preprocess(image)
        return walk(self.geometry, layers, x, lambda layer, x: self.apply(layer.name, x, relu), before_relu)


def build_network(weights: Weights, **options: str) -> Network:
    """Build the network of `weights.arch`; `options` are those of `ConvNet`."""
    return (architecture(weights.arch).build or ConvNet)(weights, **options)


def preprocess(image: Float[Array, "b h w 3"], how: Preprocessing) -> Float[Array, "b h w 3"]:
    """Convert [0,1] RGB to the input of the first layer: channel order, scale, mean, standard deviation."""
    if how.channels == "bgr":
        image = image[..., ::-1]
    return (image * how.scale - jnp.array(how.mean)) / jnp.array(how.std)


def _reachable(weights: Weights) -> tuple[Layer, ...]:
    """The layers before the first one whose convolutions are missing in `weights`."""
    described = architecture(weights.arch)
    held = set(weights.layers())
    reachable = []
    for layer in described.as_trained(weights.preprocessing) if described.as_trained else described.layers:
        # A file may hold the first layers only: those after a gap cannot be computed.
        if layer.weighted and layer.name not in held:
            break
        reachable.append(layer)
    return tuple(reachable)
