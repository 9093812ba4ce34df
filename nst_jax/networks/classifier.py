"""Class scores from the activations of a network, as a Flax NNX module."""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from nst_jax.errors import UserError
from nst_jax.networks.architectures import Head
from nst_jax.networks.vgg_layers import HEAD

HEAD_LAYERS = HEAD.dense
INPUT_SIDE = HEAD.side  # pixels: the size of the pictures that VGG's classifier was trained on
GRID = HEAD.grid  # rows and columns of pool5 for such a picture: 224 halved five times


@dataclasses.dataclass(frozen=True)
class ClassifierWeights:
    """The fully connected layers of a head, for VGG fc6 to fc8; none if the scores are means of a layer.

    "fc6.kernel" is (inputs, outputs) float32, "fc6.bias" has length outputs.
    """

    name: str
    arrays: Mapping[str, np.ndarray]
    sha256: str  # of the arrays, so that it does not depend on the file format
    classes: int  # 1000 for ImageNet
    head: Head = HEAD


class Dense(nnx.Module):
    """A fully connected layer."""

    def __init__(self, kernel: Float[Array, "i o"], bias: Float[Array, "o"]):
        """Store the trained `kernel` and `bias`."""
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(bias)

    def __call__(self, x: Float[Array, "b i"]) -> Float[Array, "b o"]:
        """The affine map in full float32, without a non-linearity."""
        # Accelerators round the operands to fewer bits by default.
        return jnp.matmul(x, self.kernel[...], precision=jax.lax.Precision.HIGHEST) + self.bias[...]


class Classifier(nnx.Module):
    """Scores of the classes from the activations of the layer called `layer`.

    VGG: fc6, fc7 and fc8, with a ReLU after the first two; the dropout used in training is left out
    (Simonyan & Zisserman 2015, section 2.1). Other networks: the mean of each map of `layer`. Use it after a
    network with `pool="max"`: the published classifiers were trained with max pooling, and their scores are
    less meaningful with average pooling. The softmax of the scores gives the probabilities of the classes.
    """

    def __init__(self, weights: ClassifierWeights):
        """Build the layers from `weights`."""
        self.layer, self.side, self.grid = weights.head.layer, weights.head.side, weights.head.grid
        self.names = weights.head.dense
        self.dense = nnx.Dict(
            {
                name: Dense(*(jnp.asarray(weights.arrays[f"{name}.{part}"]) for part in ("kernel", "bias")))
                for name in self.names
            }
        )

    def __call__(self, activations: Float[Array, "b h w n"]) -> Float[Array, "b classes"]:
        """The score (logit) of each class, from the activations at `layer`.

        Raises:
            UserError: fully connected layers are given activations of pictures of another size than they
                were trained on, or of another network.
        """
        if not self.names:
            return activations.mean((1, 2))
        channels = self.dense[self.names[0]].kernel.shape[0] // self.grid**2
        if activations.shape[1:] != (self.grid, self.grid, channels):
            height, width, depth = activations.shape[1:]
            raise UserError(
                f"the classifier requires pictures of {self.side} x {self.side} pixels, whose {self.layer} "
                f"is {self.grid} x {self.grid} x {channels}, not {height} x {width} x {depth}"
            )
        x = activations.reshape(len(activations), -1)
        for name in self.names[:-1]:
            x = nnx.relu(self.dense[name](x))
        return self.dense[self.names[-1]](x)
