"""The teachers: the true VGG-19 as far as it is at hand, a compressed encoder for what is deeper.

A response is a layer's value before its ReLU. Teachers take Oxford's input (`preprocess`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float
from safetensors.numpy import load_file

from nst_jax.distill.student import responses
from nst_jax.networks.architectures import Layer, architecture
from nst_jax.networks.conv import DIMENSIONS
from nst_jax.networks.network import walk
from nst_jax.networks.pool import max_pool
from nst_jax.networks.trained import OXFORD
from nst_jax.networks.vgg import preprocess
from nst_jax.weights import load

# Both teachers' arrays: "shallow", "deep".
Taught = Mapping[str, Mapping[str, ArrayLike]]

# The true VGG-19's; what the first half of the student learns from.
SHALLOW = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2")
# The encoder's: auxiliary outputs at convB_1, which approximate VGG-19's channels with their
# mean activation normalised to 1; its own narrow layer at conv4_2, where content is matched.
DEEP = ("conv4_1", "conv4_2", "conv5_1")
LAYERS = SHALLOW + DEEP


def read_teachers(shallow: Path, deep: Path) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of both teachers, from VGG-19's weight file and the encoder's."""
    return {"shallow": dict(load(shallow, "vgg19").arrays), "deep": load_file(deep)}


def teacher_activations(
    teachers: Taught, image: Float[Array, "b h w 3"]
) -> dict[str, Float[Array, "b _ _ _"]]:
    """The teachers' activations at `LAYERS`; VGG-19 with average pooling, as Gatys et al. use it."""
    shallow = responses(teachers["shallow"], preprocess(image, OXFORD), SHALLOW)
    deep = encoder_responses(teachers["deep"], image, DEEP)
    return {layer: nnx.relu(R) for layer, R in (shallow | deep).items()}


def encoder_responses(
    arrays: Mapping[str, ArrayLike], image: Float[Array, "b h w 3"], layers: Sequence[str]
) -> dict[str, Float[Array, "b _ _ _"]]:
    """Responses of the encoder of Wang et al. 2020 (Collaborative Distillation), by its conventions.

    Those are reflection padding, max pooling, and a first 1x1 convolution in place of preprocessing.
    If a layer has an auxiliary output, that is its response; else its own.
    """
    first = _conv1x1(arrays, "conv0", image)

    def respond(layer: Layer, x: Array) -> Array:
        rectified = x if x is first else nnx.relu(x)
        return _reflecting_conv(arrays, layer.name, rectified) if layer.weighted else max_pool(rectified)

    found = walk(architecture("vgg19").layers, layers, first, respond)
    auxiliary = [name for name in found if f"{name}_aux.kernel" in arrays]
    return found | {name: _conv1x1(arrays, f"{name}_aux", nnx.relu(found[name])) for name in auxiliary}


def _conv1x1(arrays: Mapping[str, ArrayLike], name: str, x: Array) -> Array:
    return x @ jnp.asarray(arrays[f"{name}.kernel"])[0, 0] + arrays[f"{name}.bias"]


def _reflecting_conv(arrays: Mapping[str, ArrayLike], name: str, x: Array) -> Array:
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    kernel = jnp.asarray(arrays[f"{name}.kernel"])
    convolved = lax.conv_general_dilated(
        padded, kernel, (1, 1), "VALID", dimension_numbers=DIMENSIONS, precision=lax.Precision.HIGHEST
    )
    return convolved + arrays[f"{name}.bias"]
