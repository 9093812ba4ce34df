"""Layer scales, which let the loss weights of a config for VGG-19 carry over to the student.

The style term is of degree four in a layer's activations, and the content term of degree two. ReLU and
pooling are homogeneous, so the filters of a layer can be multiplied by a factor that the next layer undoes.
The factors are chosen so that the student's terms match those of VGG-19 at convB_1 and at convB_2.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from nst_jax.losses.gram import gram, gram_distance
from nst_jax.losses.terms.content import content_loss
from nst_jax.networks.trained import OXFORD, Weights, make_weights
from nst_jax.networks.vgg import VGG, preprocess

from . import student
from .student import CONVS

# Two pictures, "1 h w 3" each: the optimised image, and the one it is compared with.
Pair = tuple[np.ndarray, np.ndarray]
STYLE = tuple(layer for layer in CONVS if layer.endswith("_1"))
CONTENT = ("conv1_2", "conv2_2", "conv3_2", "conv4_2")


def pairs(photos: Sequence[np.ndarray], count: int, seed: int = 0) -> dict[str, list[Pair]]:
    """Return `count` pairs of each kind: white noise with a photograph, and two different photographs."""
    rng = np.random.default_rng(seed)
    noise = [rng.random(photo.shape, np.float32) for photo in photos[:count]]
    others = photos[count : 2 * count]
    return {
        "noise": list(zip(noise, photos[:count], strict=True)),
        "photographs": list(zip(photos[:count], others, strict=True)),
    }


def folded(arrays: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    """Return the student's arrays for Oxford's input, as stored in a weight file."""
    plain = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    return plain | {"conv1_1.kernel": plain["conv1_1.kernel"] / student.INPUT_SPREAD}


def rescaled(
    arrays: Mapping[str, np.ndarray], factors: Mapping[str, float | np.ndarray]
) -> dict[str, np.ndarray]:
    """Multiply each layer's activations by its factor, without changing the network otherwise.

    A factor is one number per layer or per filter. A layer without a factor takes that of the previous one.
    """
    scaled, previous = dict(arrays), np.ones(1, np.float32)
    for layer in CONVS:
        factor = np.atleast_1d(np.float32(factors.get(layer, previous)))
        scaled[f"{layer}.kernel"] = arrays[f"{layer}.kernel"] * (factor / previous[:, np.newaxis])
        scaled[f"{layer}.bias"] = arrays[f"{layer}.bias"] * factor
        previous = factor
    return scaled


def factors(arrays: Mapping[str, np.ndarray], teacher: VGG, compared: Sequence[Pair]) -> dict[str, float]:
    """Return the factor of each layer that makes the median ratio of its terms 1."""
    ratios = term_ratios(arrays, teacher, compared)
    result = {layer: float(np.median(ratios[f"style/{layer}"])) ** -0.25 for layer in STYLE}
    return result | {layer: float(np.median(ratios[f"content/{layer}"])) ** -0.5 for layer in CONTENT}


def term_ratios(
    arrays: Mapping[str, np.ndarray], teacher: VGG, compared: Sequence[Pair]
) -> dict[str, np.ndarray]:
    """Return the student's terms divided by the teacher's, per pair: "style/conv1_1", ..."""
    ratios: dict[str, list[float]] = {}
    for image, reference in compared:
        ours = _terms(_student(arrays, image), _student(arrays, reference))
        theirs = _terms(*(teacher(jnp.asarray(picture), STYLE + CONTENT) for picture in (image, reference)))
        for name in ours:
            ratios.setdefault(name, []).append(ours[name] / theirs[name])
    return {name: np.array(values) for name, values in ratios.items()}


def as_weights(arrays: Mapping[str, np.ndarray], name: str = "slim") -> Weights:
    """Convert `arrays` to weights in half precision, which halves the size of the file."""
    half = {key: array.astype(np.float16) for key, array in arrays.items()}
    # The digest is that of the arrays as they are read back: the rounded values in float32.
    return dataclasses.replace(make_weights(name, "slim", half, OXFORD), arrays=half)


def _terms(F: Mapping[str, Array], P: Mapping[str, Array]) -> dict[str, float]:
    style = {f"style/{k}": gram_distance(gram(F[k]), gram(P[k])) for k in STYLE}
    content = {f"content/{k}": content_loss(F[k], P[k]) for k in CONTENT}
    return {name: float(term) for name, term in (style | content).items()}


def _student(arrays: Mapping[str, np.ndarray], image: np.ndarray) -> dict[str, Array]:
    x = preprocess(jnp.asarray(image), OXFORD)
    return {layer: nnx.relu(R) for layer, R in student.responses(arrays, x).items()}
