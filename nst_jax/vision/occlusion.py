"""What a network loses when a part of the picture is covered (Zeiler & Fergus 2013, section 4.2, Fig 7).

A gray square goes over the picture, and is cut off where it reaches over the border. Each cell of the maps
stands for `stride` x `stride` pixels, on the middle of which the square was centred; the last row and column
of cells may reach over the border too, and then their square is centred on the last pixels.
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
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.classifier import INPUT_SIDE, Classifier
from nst_jax.networks.network import Network

STRONGEST = MOST_PROBABLE = -1  # `unit` and `label` where the whole picture decides


@dataclasses.dataclass(frozen=True)
class OcclusionSettings:
    """The experiment; see configs/occlusion.py."""

    image: str = "sample:chelsea"
    size: int = INPUT_SIDE  # side of the square that the network sees, pixels
    layer: str = "conv5_1"
    unit: int = STRONGEST
    square: int = 48  # side of the gray square, pixels
    stride: int = 8  # from one position of the square to the next, pixels
    gray: float = 0.5
    label: int = MOST_PROBABLE  # the class that is held to be correct
    batch: int = 16  # covered pictures at a time
    network: NetworkConfig = dataclasses.field(default_factory=lambda: NetworkConfig("slim", pool="max"))

    def __post_init__(self) -> None:
        fields.not_empty("image", self.image)
        for name in ("size", "square", "stride", "batch"):
            fields.at_least(name, getattr(self, name), 1)
        for name in ("unit", "label"):
            fields.at_least(name, getattr(self, name), -1)
        fields.one_of("layer", self.layer, architecture(self.network.arch).names)
        if not 0 <= self.gray <= 1:
            raise UserError(f"gray: {self.gray} is not in [0, 1]")
        if self.square > self.size:
            raise UserError(f"square: {self.square} pixels are more than the picture's {self.size}")
        # The deepest layers see more than the pictures of their training: those are always enough.
        needed = min(receptive.field_side(architecture(self.network.arch).layers, self.layer), INPUT_SIDE)
        if self.size < needed:
            raise UserError(
                f"size: {self.size} is less than the receptive field of {self.layer}; give at least {needed}"
            )


class Intact(NamedTuple):
    """What the network makes of the whole picture."""

    features: Float[Array, "h w units"]
    probabilities: Float[Array, "classes"] | None

    def chosen_unit(self, unit: int) -> int:
        """`unit`, or the one with the strongest activation.

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
        """`label`, or the most probable class; -1 without a classifier.

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
        """What the maps are to be compared with."""
        P = self.probabilities
        return {
            "activity": float(self.features[..., unit].sum()),
            "probability": None if P is None else float(P[label]),
        }


class Maps(NamedTuple):
    """By the square's position; d and e are None without a classifier."""

    activity: Float[np.ndarray, "rows columns"]  # b: the unit's activations, summed
    probability: Float[np.ndarray, "rows columns"] | None  # d: of the label
    top_class: Int[np.ndarray, "rows columns"] | None  # e: the most probable

    def held(self) -> dict[str, Any]:
        """Name -> map, of those that there are."""
        return {name: values for name, values in self._asdict().items() if values is not None}


@partial(jax.jit, static_argnames="layer")
def look(
    network: Network, classifier: Classifier | None, image: Float[Array, "1 s s 3"], layer: str
) -> Intact:
    """Features and class probabilities of the picture as it is."""
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
    # The last batch is filled up, so that one program serves for all.
    filled = np.concatenate([corners, corners[-1:].repeat(-len(corners) % settings.batch, axis=0)])
    batches = filled.reshape(-1, settings.batch, 2)
    measure = partial(_measure, network, classifier, image, layer=settings.layer, square=settings.square)
    parts = [
        jax.device_get(measure(batch, unit, label, settings.gray))
        for batch in tqdm(batches, unit="batch", disable=None)
    ]
    joined = jax.tree.map(lambda *each: np.concatenate(each)[: len(corners)], *parts)
    return Maps(*jax.tree.map(lambda values: values.reshape(len(firsts), len(firsts)), joined))


def centres(size: int, stride: int) -> Int[np.ndarray, "n"]:
    """Along one axis, the pixels on which the square is centred."""
    return np.minimum(np.arange(0, size, stride) + stride // 2, size - 1)


def first_pixels(size: int, square: int, stride: int) -> Int[np.ndarray, "n"]:
    """Along one axis, the first pixel of the square at each centre; below 0 where it is cut off."""
    return centres(size, stride) - square // 2


def covered(
    image: Float[Array, "1 h w 3"],
    corners: Int[Array | np.ndarray, "b 2"],
    square: int,
    gray: float | Float[Array, ""],
) -> Float[Array, "b h w 3"]:
    """Copies of `image`, each with a gray square whose first row and column are in `corners`."""

    def within(first: Array | np.ndarray, length: int) -> Array:
        offset = jnp.arange(length) - first[:, None]
        return (offset >= 0) & (offset < square)

    rows, columns = (within(corners[:, axis], image.shape[1 + axis]) for axis in (0, 1))
    return jnp.where((rows[:, :, None] & columns[:, None, :])[..., None], gray, image)


@partial(jax.jit, static_argnames=("layer", "square"))
def _measure(
    network: Network,
    classifier: Classifier | None,
    image: Array,
    corners: Array,
    unit: Array,
    label: Array,
    gray: Array,
    layer: str,
    square: int,
) -> tuple[Array, Array | None, Array | None]:
    """A batch of positions: its part of each of the `Maps`."""
    features, P = _see(network, classifier, covered(image, corners, square, gray), layer)
    activity = features[..., unit].sum((1, 2))
    return (activity, None, None) if P is None else (activity, P[:, label], jnp.argmax(P, axis=1))


def _see(
    network: Network, classifier: Classifier | None, images: Array, layer: str
) -> tuple[Array, Array | None]:
    """The activations at `layer`, and with a classifier the probability of each class, in one pass."""
    found = network(images, (layer, "pool5") if classifier else (layer,))
    return found[layer], jax.nn.softmax(classifier(found["pool5"])) if classifier else None
