"""Layer scales: a config's weights for VGG-19 carry over to the student.

The style term goes with the fourth power of a layer's activations and the content term with the
square, and ReLU and pooling are homogeneous: each layer's filters can be multiplied by a factor that
the next layer's undo. So the student's terms are set to VGG-19's at convB_1 and at convB_2.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from nst_jax.distill import student, teachers
from nst_jax.distill.student import CONVS
from nst_jax.losses.content import content_loss
from nst_jax.losses.gram import gram, gram_distance
from nst_jax.networks.trained import OXFORD, Weights, make_weights
from nst_jax.networks.vgg import preprocess

# Pictures as `1 h w 3`: (what is being optimised, what it is compared with).
Pair = tuple[np.ndarray, np.ndarray]
STYLE = tuple(layer for layer in CONVS if layer.endswith("_1"))
CONTENT = ("conv1_2", "conv2_2", "conv3_2")

# Where VGG-19's own layers are not at hand, a published log of its terms stands in (the reasoning is
# in networks/SLIM.md): the encoder's auxiliary outputs, whose mean is 1, are multiplied by these ...
MEANS = {"conv4_1": 120.0, "conv5_1": 10.0}
# ... and this is the root of the mean square activation on a photograph, summed over the filters.
STRENGTHS = {"conv4_2": 246.0 * 512**0.5}


def pairs(photos: Sequence[np.ndarray], count: int, seed: int = 0) -> dict[str, list[Pair]]:
    """`count` pairs of each kind: white noise against a photograph, one photograph against another."""
    rng = np.random.default_rng(seed)
    noise = [rng.random(photo.shape, np.float32) for photo in photos[:count]]
    others = photos[count : 2 * count]
    return {
        "noise": list(zip(noise, photos[:count], strict=True)),
        "photographs": list(zip(photos[:count], others, strict=True)),
    }


def folded(arrays: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    """A student's arrays for Oxford's input, as a weight file has them."""
    plain = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    return plain | {"conv1_1.kernel": plain["conv1_1.kernel"] / student.INPUT_SPREAD}


def rescaled(
    arrays: Mapping[str, np.ndarray], factors: Mapping[str, float | np.ndarray]
) -> dict[str, np.ndarray]:
    """The same network with each layer's activations multiplied by its factor, and nothing else.

    A factor is one for the layer or one for each of its filters. A layer that is not named takes the
    factor of the one before.
    """
    scaled, before = dict(arrays), np.ones(1, np.float32)
    for layer in CONVS:
        factor = np.atleast_1d(np.float32(factors.get(layer, before)))
        scaled[f"{layer}.kernel"] = arrays[f"{layer}.kernel"] * (factor / before[:, np.newaxis])
        scaled[f"{layer}.bias"] = arrays[f"{layer}.bias"] * factor
        before = factor
    return scaled


def factors(
    arrays: Mapping[str, np.ndarray], taught: teachers.Taught, compared: Sequence[Pair]
) -> dict[str, float]:
    """The factor of each layer that sets the median of its terms' ratios to 1."""
    ratios = term_ratios(arrays, taught, compared)
    found = {f"conv{b}_1": float(np.median(ratios[f"style/conv{b}_1"])) ** -0.25 for b in range(1, 6)}
    found |= {layer: float(np.median(ratios[f"content/{layer}"])) ** -0.5 for layer in CONTENT}
    # No teacher's term: the student's total activation is set to VGG-19's.
    for layer, strength in STRENGTHS.items():
        found[layer] = strength / _strength(arrays, layer, [content for _, content in compared])
    return found


def term_ratios(
    arrays: Mapping[str, np.ndarray], taught: teachers.Taught, compared: Sequence[Pair]
) -> dict[str, np.ndarray]:
    """The student's style and content terms over VGG-19's, per pair: "style/conv1_1", ..."""
    ratios: dict[str, list[float]] = {}
    for image, reference in compared:
        own = _terms(_student(arrays, image), _student(arrays, reference))
        true = _terms(vgg19(taught, image), vgg19(taught, reference))
        for name in own:
            ratios.setdefault(name, []).append(own[name] / true[name])
    return {name: np.array(values) for name, values in ratios.items()}


def vgg19(taught: teachers.Taught, image: np.ndarray) -> dict[str, Array]:
    """VGG-19's activations, the encoder's estimates at its mean activation where there are none."""
    found = teachers.teacher_activations(taught, jnp.asarray(image))
    return found | {layer: found[layer] * mean for layer, mean in MEANS.items()}


def as_weights(arrays: Mapping[str, np.ndarray], name: str = "slim") -> Weights:
    """`arrays` as weights in half precision, so that a file of them takes half the space."""
    half = {key: array.astype(np.float16) for key, array in arrays.items()}
    # The digest is of what is read back: float32 of the rounded values.
    return dataclasses.replace(make_weights(name, "slim", half, OXFORD), arrays=half)


def _terms(F: Mapping[str, Array], P: Mapping[str, Array]) -> dict[str, float]:
    style = {f"style/{k}": gram_distance(gram(F[k]), gram(P[k])) for k in STYLE}
    content = {f"content/{k}": content_loss(F[k], P[k]) for k in CONTENT}
    return {name: float(term) for name, term in (style | content).items()}


def _student(arrays: Mapping[str, np.ndarray], image: np.ndarray) -> dict[str, Array]:
    x = preprocess(jnp.asarray(image), OXFORD)
    return {layer: nnx.relu(R) for layer, R in student.responses(arrays, x).items()}


def _strength(arrays: Mapping[str, np.ndarray], layer: str, images: Sequence[np.ndarray]) -> float:
    squares = [jnp.square(_student(arrays, image)[layer]).sum(-1).mean() for image in images]
    return float(np.sqrt(np.mean(squares)))
