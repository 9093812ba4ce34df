"""Sensitivity of a network to occlusion of parts of the picture (Zeiler & Fergus 2013, section 4.2, Fig 7).

A gray square is moved over the picture, and clipped at the border. Each cell of the maps stands for `stride`
x `stride` pixels, with the square centred on them. Cells of the last row and column may extend beyond the
border; the centre of the square is then limited to the last pixel.
"""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from tqdm import tqdm

from nst_jax.config import NetworkConfig, fields
from nst_jax.errors import UserError
from nst_jax.networks.classifier import INPUT_SIDE, Classifier
from nst_jax.networks.counterparts import require_layer
from nst_jax.networks.network import Network
from nst_jax.optimizers import compiler
from nst_jax.vision.framing import LARGEST_INPUT, MOST_PICTURES, require_field
from nst_jax.vision.labels import AUTO

STRONGEST = MOST_PROBABLE = -1  # values of `unit` and `label` that leave the choice to the whole picture


@dataclasses.dataclass(frozen=True)
class OcclusionSettings:
    """The settings of the experiment; see configs/occlusion.py."""

    image: str = "sample:chelsea"
    size: int = INPUT_SIDE  # side of the square that the network sees, pixels
    layer: str = "conv5_1"
    unit: int = STRONGEST
    square: int = 48  # side of the gray square, pixels
    stride: int = 8  # step between positions of the square, pixels
    gray: float = 0.5
    label: int = MOST_PROBABLE  # the correct class
    labels: str = AUTO  # names of the classes, see labels.py
    batch: int = 16  # occluded pictures per batch
    network: NetworkConfig = dataclasses.field(default_factory=lambda: NetworkConfig("slim", pool="max"))

    def __post_init__(self) -> None:
        for name in ("image", "labels"):
            fields.not_empty(name, getattr(self, name))
        fields.at_least("size", self.size, 1, LARGEST_INPUT)
        fields.at_least("square", self.square, 1)
        fields.at_least("stride", self.stride, 1)
        fields.at_least("batch", self.batch, 1, MOST_PICTURES)
        for name in ("unit", "label"):
            fields.at_least(name, getattr(self, name), -1)
        require_layer("layer", self.layer, self.network.arch)
        if not 0 <= self.gray <= 1:
            raise UserError(f"gray: {self.gray} is not in [0, 1]")
        if self.square > self.size:
            raise UserError(f"square: {self.square} is larger than the picture, {self.size} pixels")
        # The receptive fields of the deepest layers exceed the training pictures, whose size always suffices.
        require_field(self.size, self.network.arch, self.layer, INPUT_SIDE)


class Intact(NamedTuple):
    """Features and class probabilities of the picture without occlusion."""

    features: Float[Array, "h w units"]
    probabilities: Float[Array, "classes"] | None

    def chosen_unit(self, unit: int) -> int:
        """Return `unit`, or the one with the strongest activation.

        Raises:
            UserError: the layer has no such unit.
        """
        units = self.features.shape[-1]
        if unit >= units:
            raise UserError(
                f"unit: the layer has no unit {unit}; choices: 0 to {units - 1}, -1 for the strongest"
            )
        return int(jnp.argmax(self.features.max((0, 1)))) if unit == STRONGEST else unit

    def chosen_label(self, label: int) -> int:
        """Return `label`, or the most probable class; -1 without a classifier.

        Raises:
            UserError: the classifier has no such class.
        """
        if self.probabilities is None:
            return MOST_PROBABLE
        classes = self.probabilities.size
        if label >= classes:
            raise UserError(f"label: no class {label}; choices: 0 to {classes - 1}, -1 for the most probable")
        return int(jnp.argmax(self.probabilities)) if label == MOST_PROBABLE else label

    def figures(self, unit: int, label: int) -> dict[str, float | None]:
        """Return the values of the maps for the picture without occlusion, for comparison."""
        P = self.probabilities
        return {
            "activity": float(self.features[..., unit].sum()),
            "probability": None if P is None else float(P[label]),
        }


class Maps(NamedTuple):
    """Maps b, d and e of Fig 7, by position of the square; d and e are None without a classifier."""

    activity: Float[np.ndarray, "rows columns"]  # b: sum of the unit's activations
    probability: Float[np.ndarray, "rows columns"] | None  # d: probability of the label
    top_class: Int[np.ndarray, "rows columns"] | None  # e: most probable class

    def held(self) -> dict[str, Any]:
        """Return the maps that are not None, by name."""
        return {name: values for name, values in self._asdict().items() if values is not None}


@compiler.jit_at_first_call(static_argnames="layer")
def look(
    network: Network, classifier: Classifier | None, image: Float[Array, "1 s s 3"], layer: str
) -> Intact:
    """Return features and class probabilities of the picture without occlusion."""
    features, probabilities = _see(network, classifier, image, layer)
    return Intact(features[0], None if probabilities is None else probabilities[0])


def slide(
    network: Network,
    classifier: Classifier | None,
    image: Float[Array, "1 s s 3"],
    settings: OcclusionSettings,
    unit: int,
    label: int,
) -> Maps:
    """Cover the picture at every position, `settings.batch` positions at a time."""
    firsts = first_pixels(settings.size, settings.square, settings.stride)
    corners = np.stack(np.meshgrid(firsts, firsts, indexing="ij"), axis=-1).reshape(-1, 2)
    # The last batch is padded, so that one compiled program serves all batches.
    padded = np.concatenate([corners, corners[-1:].repeat(-len(corners) % settings.batch, axis=0)])
    batches = padded.reshape(-1, settings.batch, 2)
    measure = partial(_measure, network, classifier, image, of=(unit, label), settings=settings)
    parts = [jax.device_get(measure(batch)) for batch in tqdm(batches, unit="batch", disable=None)]
    joined = jax.tree.map(lambda *each: np.concatenate(each)[: len(corners)], *parts)
    return Maps(*jax.tree.map(lambda values: values.reshape(len(firsts), len(firsts)), joined))


def centres(size: int, stride: int) -> Int[np.ndarray, "n"]:
    """Return, along one axis, the pixels on which the square is centred."""
    return np.minimum(np.arange(0, size, stride) + stride // 2, size - 1)


def first_pixels(size: int, square: int, stride: int) -> Int[np.ndarray, "n"]:
    """Return, along one axis, the first pixel of the square at each centre; negative if it is clipped."""
    return centres(size, stride) - square // 2


def covered(
    image: Float[Array, "1 h w 3"],
    corners: Int[Array | np.ndarray, "b 2"],
    square: int,
    gray: float | Float[Array, ""],
) -> Float[Array, "b h w 3"]:
    """Return copies of `image`, each with a gray square whose first row and column are in `corners`."""

    def within(first: Array | np.ndarray, length: int) -> Array:
        offset = jnp.arange(length) - first[:, None]
        return (offset >= 0) & (offset < square)

    rows, columns = (within(corners[:, axis], image.shape[1 + axis]) for axis in (0, 1))
    return jnp.where((rows[:, :, None] & columns[:, None, :])[..., None], gray, image)


@compiler.jit_at_first_call(static_argnames="settings")
def _measure(
    network: Network,
    classifier: Classifier | None,
    image: Array,
    corners: Array,
    of: tuple[Array, Array],
    settings: OcclusionSettings,
) -> tuple[Array, Array | None, Array | None]:
    """Return the values of the three `Maps` for a batch of positions, of a unit and a label."""
    unit, label = of
    pictures = covered(image, corners, settings.square, settings.gray)
    features, P = _see(network, classifier, pictures, settings.layer)
    activity = features[..., unit].sum((1, 2))
    return (activity, None, None) if P is None else (activity, P[:, label], jnp.argmax(P, axis=1))


def _see(
    network: Network, classifier: Classifier | None, images: Array, layer: str
) -> tuple[Array, Array | None]:
    """Return the activations at `layer` and, with a classifier, the class probabilities, in one pass."""
    activations = network(images, (layer, classifier.layer) if classifier else (layer,))
    if classifier is None:
        return activations[layer], None
    return activations[layer], jax.nn.softmax(classifier(activations[classifier.layer]))
