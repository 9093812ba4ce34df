"""VGG's classifier as a Flax NNX module: from pool5 to a score for each class."""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from nst_jax.errors import UserError

HEAD_LAYERS = ("fc6", "fc7", "fc8")
INPUT_SIDE = 224  # pixels: the size of the pictures that the classifier was trained on
GRID = 7  # rows and columns of pool5 for such a picture: 224 halved five times


@dataclasses.dataclass(frozen=True)
class ClassifierWeights:
    """fc6 to fc8: "fc6.kernel" is (inputs, outputs) float32, "fc6.bias" has length outputs."""

    name: str
    arrays: Mapping[str, np.ndarray]
    sha256: str  # of the arrays, so that it does not depend on the file format

    @property
    def classes(self) -> int:
        """The number of classes: 1000 for ImageNet."""
        return self.arrays["fc8.bias"].size


class Dense(nnx.Module):
    """A fully connected layer."""

    def __init__(self, kernel: Float[Array, "i o"], bias: Float[Array, "o"]):
        """Store the trained `kernel` and `bias`."""
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(bias)

    def __call__(self, x: Float[Array, "b i"]) -> Float[Array, "b o"]:
        """The affine map in full float32, without a non-linearity."""
        return jnp.matmul(x, self.kernel[...], precision=jax.lax.Precision.HIGHEST) + self.bias[...]


class Classifier(nnx.Module):
    """fc6, fc7 and fc8, with a ReLU after the first two; the dropout used in training is left out.

    Use it after `VGG(weights, pool="max")`: the published classifiers were trained with max pooling, and
    their scores are less meaningful with average pooling. The softmax of the scores gives the probabilities
    of the classes. Simonyan & Zisserman 2015, section 2.1.
    """

    def __init__(self, weights: ClassifierWeights):
        """Build the layers from `weights`."""
        self.layers = nnx.Dict(
            {
                name: Dense(*(jnp.asarray(weights.arrays[f"{name}.{part}"]) for part in ("kernel", "bias")))
                for name in HEAD_LAYERS
            }
        )

    def __call__(self, pool5: Float[Array, "b h w n"]) -> Float[Array, "b classes"]:
        """The score (logit) of each class.

        Raises:
            UserError: `pool5` comes from pictures of another size than 224 x 224, or from another network.
        """
        channels = self.layers["fc6"].kernel.shape[0] // GRID**2
        if pool5.shape[1:] != (GRID, GRID, channels):
            height, width, depth = pool5.shape[1:]
            raise UserError(
                f"the classifier requires pictures of {INPUT_SIDE} x {INPUT_SIDE} pixels, whose pool5 is "
                f"{GRID} x {GRID} x {channels}, not {height} x {width} x {depth}"
            )
        x = pool5.reshape(len(pool5), -1)
        for name in HEAD_LAYERS[:-1]:
            x = nnx.relu(self.layers[name](x))
        return self.layers[HEAD_LAYERS[-1]](x)
