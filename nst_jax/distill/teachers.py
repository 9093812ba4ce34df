"""The teachers: the first layers of the original VGG-19, and a compressed encoder for deeper layers.

A response is the value of a layer before its ReLU. VGG-19 takes Oxford's input (`preprocess`).
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

# The arrays of both teachers, "shallow" and "deep".
TeacherArrays = Mapping[str, Mapping[str, ArrayLike]]

# Layers whose teacher is VGG-19.
SHALLOW = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2")
# Layers whose teacher is the encoder. At convB_1, its auxiliary outputs approximate VGG-19's channels
# normalised to mean activation 1; at conv4_2, where content is matched, it has only its own narrow layer.
DEEP = ("conv4_1", "conv4_2", "conv5_1")
LAYERS = SHALLOW + DEEP


def read_teachers(shallow: Path, deep: Path) -> dict[str, dict[str, np.ndarray]]:
    """Read the arrays of both teachers from the weight files of VGG-19 and the encoder."""
    return {"shallow": dict(load(shallow, "vgg19").arrays), "deep": load_file(deep)}


def teacher_activations(
    teachers: TeacherArrays, image: Float[Array, "b h w 3"]
) -> dict[str, Float[Array, "b _ _ _"]]:
    """Return the teachers' activations at `LAYERS`; VGG-19 uses average pooling, as in Gatys et al."""
    shallow = responses(teachers["shallow"], preprocess(image, OXFORD), SHALLOW)
    deep = encoder_responses(teachers["deep"], image, DEEP)
    return {layer: nnx.relu(R) for layer, R in (shallow | deep).items()}


def encoder_responses(
    arrays: Mapping[str, ArrayLike], image: Float[Array, "b h w 3"], layers: Sequence[str]
) -> dict[str, Float[Array, "b _ _ _"]]:
    """Return the responses of the encoder of Wang et al. 2020 (Collaborative Distillation).

    It uses reflection padding, max pooling, and an initial 1x1 convolution instead of preprocessing. The
    response of a layer with an auxiliary output is that output.
    """
    first = _conv1x1(arrays, "conv0", image)

    def respond(layer: Layer, x: Array) -> Array:
        rectified = x if x is first else nnx.relu(x)
        return _reflecting_conv(arrays, layer.name, rectified) if layer.weighted else max_pool(rectified)

    outputs = walk(architecture("vgg19").layers, layers, first, respond)
    auxiliary = [name for name in outputs if f"{name}_aux.kernel" in arrays]
    return outputs | {name: _conv1x1(arrays, f"{name}_aux", nnx.relu(outputs[name])) for name in auxiliary}


def _conv1x1(arrays: Mapping[str, ArrayLike], name: str, x: Array) -> Array:
    return x @ jnp.asarray(arrays[f"{name}.kernel"])[0, 0] + arrays[f"{name}.bias"]


def _reflecting_conv(arrays: Mapping[str, ArrayLike], name: str, x: Array) -> Array:
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    kernel = jnp.asarray(arrays[f"{name}.kernel"])
    convolved = lax.conv_general_dilated(
        padded, kernel, (1, 1), "VALID", dimension_numbers=DIMENSIONS, precision=lax.Precision.HIGHEST
    )
    return convolved + arrays[f"{name}.bias"]
