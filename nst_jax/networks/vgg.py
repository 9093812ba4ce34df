"""The convolutional part of VGG as a Flax NNX module: named activations of an image."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from nst_jax.networks import winograd
from nst_jax.networks.conv import conv3x3, turned
from nst_jax.networks.pool import POOLS
from nst_jax.weights import Preprocessing, Weights
from nst_jax.weights.topology import layer_names

Relu = Callable[[Array], Array]


class Conv(nnx.Module):
    """3x3 convolution, zero padding, bias, ReLU."""

    def __init__(
        self,
        kernel: Float[Array, "3 3 i o"],
        bias: Float[Array, "o"],
        algorithm: str = "auto",
        precision: str = "float32",
    ):
        """Hold the trained `kernel` and `bias`.

        `algorithm` is 'direct', 'winograd' or 'auto', whichever is faster; `precision` is that of the former.
        """
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(bias)
        self.precision = precision
        self.winograd = algorithm == "winograd" or (algorithm == "auto" and winograd.pays(kernel.shape))
        if self.winograd:
            self.filters = nnx.Variable(winograd.transform_filters(kernel))
            self.turned = nnx.Variable(winograd.transform_filters(turned(kernel)))

    def __call__(self, x: Float[Array, "b h w i"], relu: Relu = nnx.relu) -> Float[Array, "b h w o"]:
        """The rectified response of each filter."""
        if self.winograd:
            response = winograd.conv3x3(x, self.filters[...], self.turned[...])
        else:
            response = conv3x3(x, self.kernel[...], self.precision)
        return relu(response + self.bias[...])


class VGG(nnx.Module):
    """VGG-16, VGG-19 or a narrow relative, from the weights of its convolutions.

    `convB_I` names the activation *after* its ReLU, `poolB` the pooling output. The weights' own
    preprocessing is inside: images are [0,1] RGB. A weights file that stops early makes a network
    that stops there. Simonyan & Zisserman 2015; average pooling is Gatys et al. 2015, section 'Methods'.
    """

    def __init__(self, weights: Weights, pool: str = "avg", conv: str = "auto", precision: str = "float32"):
        """Take the kernels of `weights`; `pool` is 'avg' or 'max'; `conv` and `precision` as in `Conv`."""
        self.pool = pool
        self.preprocessing = weights.preprocessing
        self.layers = _reachable(weights)
        self.convs = nnx.Dict(
            {name: _conv(weights, name, conv, precision) for name in weights.layers() if name in self.layers}
        )

    def __call__(
        self, image: Float[Array, "b h w 3"], layers: Sequence[str], relu: Relu = nnx.relu
    ) -> dict[str, Float[Array, "b _ _ _"]]:
        """Activations of `image` at `layers`, computed no further than the deepest of them.

        `relu` may differ from the plain one in its gradient: see `nst_jax.vision.deconvnet`.

        Raises:
            ValueError: a layer that this network does not have.
        """
        if missing := [name for name in layers if name not in self.layers]:
            raise ValueError(f"no layer {', '.join(missing)}; the network has {', '.join(self.layers)}")
        activations: dict[str, Array] = {}
        x = preprocess(image, self.preprocessing)
        for name in self.layers:
            if len(activations) == len(set(layers)):
                break
            x = POOLS[self.pool](x) if name.startswith("pool") else self.convs[name](x, relu)
            if name in layers:
                activations[name] = x
        return activations


def preprocess(image: Float[Array, "b h w 3"], how: Preprocessing) -> Float[Array, "b h w 3"]:
    """[0,1] RGB to what the first kernel expects: channel order, scale, mean and spread."""
    if how.channels == "bgr":
        image = image[..., ::-1]
    return (image * how.scale - jnp.array(how.mean)) / jnp.array(how.std)


def _reachable(weights: Weights) -> tuple[str, ...]:
    """Layers up to the first convolution that the weights lack."""
    held = set(weights.layers())
    reachable = []
    for name in layer_names(weights.arch):
        if name.startswith("conv") and name not in held:
            break
        reachable.append(name)
    return tuple(reachable)


def _conv(weights: Weights, name: str, algorithm: str, precision: str) -> "Conv":
    kernel, bias = (jnp.asarray(weights.arrays[f"{name}.{part}"]) for part in ("kernel", "bias"))
    return Conv(kernel, bias, algorithm, precision)
