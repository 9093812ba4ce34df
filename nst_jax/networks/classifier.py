"""VGG's classifier as a Flax NNX module: from pool5 to a score for each class."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from nst_jax.errors import UserError
from nst_jax.weights.classifier import GRID, INPUT_SIDE, LAYERS, ClassifierWeights


class Dense(nnx.Module):
    """A fully connected layer."""

    def __init__(self, kernel: Float[Array, "i o"], bias: Float[Array, "o"]):
        """Hold the trained `kernel` and `bias`."""
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(bias)

    def __call__(self, x: Float[Array, "b i"]) -> Float[Array, "b o"]:
        """The affine map, without a non-linearity, in full float32."""
        return jnp.matmul(x, self.kernel[...], precision=jax.lax.Precision.HIGHEST) + self.bias[...]


class Classifier(nnx.Module):
    """fc6, fc7 and fc8, with a ReLU behind the first two; the dropout of training does nothing here.

    It continues `VGG(weights, pool="max")`: the published classifiers were trained behind max pooling, and
    mean less behind average pooling. P(class) = softmax of the scores. Simonyan & Zisserman 2015, 2.1.
    """

    def __init__(self, weights: ClassifierWeights):
        """Take the kernels of `weights`."""
        self.layers = nnx.Dict(
            {
                name: Dense(*(jnp.asarray(weights.arrays[f"{name}.{part}"]) for part in ("kernel", "bias")))
                for name in LAYERS
            }
        )

    def __call__(self, pool5: Float[Array, "b h w n"]) -> Float[Array, "b classes"]:
        """The score (logit) of each class.

        Raises:
            UserError: `pool5` is not of pictures of 224 x 224, or of another network.
        """
        channels = self.layers["fc6"].kernel.shape[0] // GRID**2
        if pool5.shape[1:] != (GRID, GRID, channels):
            height, width, found = pool5.shape[1:]
            raise UserError(
                f"the classifier takes pictures of {INPUT_SIDE} x {INPUT_SIDE} pixels, of which pool5 is "
                f"{GRID} x {GRID} x {channels}, not {height} x {width} x {found}"
            )
        x = pool5.reshape(len(pool5), -1)
        for name in LAYERS[:-1]:
            x = nnx.relu(self.layers[name](x))
        return self.layers[LAYERS[-1]](x)
