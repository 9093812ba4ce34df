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
INPUT_SIDE = 224  # pixels of the pictures that the classifier was trained on
GRID = 7  # rows and columns of pool5 for such a picture: 224 halved five times


@dataclasses.dataclass(frozen=True)
class ClassifierWeights:
    """fc6 to fc8: "fc6.kernel" is (inputs, outputs) float32, "fc6.bias" has length outputs."""

    name: str
    arrays: Mapping[str, np.ndarray]
    sha256: str  # of the arrays, so the same classifier has the same digest in every format

    @property
    def classes(self) -> int:
        """The number of classes: 1000 for ImageNet."""
        return self.arrays["fc8.bias"].size


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
                for name in HEAD_LAYERS
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
        for name in HEAD_LAYERS[:-1]:
            x = nnx.relu(self.layers[name](x))
        return self.layers[HEAD_LAYERS[-1]](x)
