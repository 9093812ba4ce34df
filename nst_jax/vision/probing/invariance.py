"""Invariance of features to shifts, scaling and rotation of the picture (Zeiler & Fergus 2013, Fig 5).

A transform is an affine map from pixels of the result to positions in the source picture: a matrix "2 3" that
multiplies (row, column, 1). Values between pixels are interpolated linearly. Outside the picture, values are
those of the nearest edge pixel, or gray; the paper does not say which it used.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float, Int

from nst_jax.config import NetworkConfig, fields
from nst_jax.config.schema import SMALLEST_SIDE
from nst_jax.errors import UserError
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.counterparts import require_layer
from nst_jax.networks.network import Network
from nst_jax.vision.activations import require_activations
from nst_jax.vision.classes import classifier_behind
from nst_jax.vision.deconvnet import MID_GRAY
from nst_jax.vision.framing import LARGEST_INPUT, MOST_PICTURES
from nst_jax.vision.labels import AUTO, class_names

Transform = Float[np.ndarray, "2 3"]
PADDINGS = {"edge": "nearest", "gray": "constant"}  # ours -> map_coordinates'


@dataclasses.dataclass(frozen=True)
class InvarianceSettings:
    """The settings of the experiment; amounts are pixels down, factors, and degrees counterclockwise."""

    images: tuple[str, ...]
    shifts: tuple[float, ...]
    scales: tuple[float, ...]
    rotations: tuple[float, ...]
    classes: tuple[int, ...] = ()  # the true class of each image; none without a classifier
    labels: str = AUTO  # names of the classes, see labels.py
    size: int = 224  # side of the square that the network sees, pixels
    low: str = "conv1_1"
    high: str = "conv5_1"
    padding: str = "edge"
    batch: int = 16  # transformed pictures per batch
    network: NetworkConfig = dataclasses.field(default_factory=NetworkConfig)

    def __post_init__(self) -> None:
        for name in ("images", "shifts", "scales", "rotations"):
            fields.some(name, getattr(self, name))
        for scale in self.scales:
            fields.positive("scales", scale)
        for name in ("shifts", "rotations"):
            for amount in getattr(self, name):
                fields.finite(name, amount)
        fields.at_least("size", self.size, SMALLEST_SIDE, LARGEST_INPUT)
        fields.at_least("batch", self.batch, 1, MOST_PICTURES)
        fields.one_of("padding", self.padding, PADDINGS)
        for name in ("low", "high"):
            require_layer(name, getattr(self, name), self.network.arch)
        if self.classes and len(self.classes) != len(self.images):
            raise UserError(
                f"classes: {len(self.classes)} classes for {len(self.images)} images; give one per image"
            )
        for true_class in self.classes:
            fields.at_least("classes", true_class, 0)

    def layers(self) -> tuple[str, str]:
        """Return the low and the high layer."""
        return self.low, self.high

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns of `measure_invariance`."""
        distances = tuple(f"distance {layer}" for layer in self.layers())
        return (*distances, "P(true class)") if self.classes else distances

    def transforms(self) -> dict[str, dict[float, Transform]]:
        """Return the transforms by kind and amount; all are about the centre of the picture."""
        kinds: dict[str, tuple[Callable[[float, int], Transform], tuple[float, ...]]] = {
            "shift": (shift, self.shifts),
            "scale": (scale, self.scales),
            "rotation": (rotation, self.rotations),
        }
        return {
            kind: {amount: make(amount, self.size) for amount in amounts}
            for kind, (make, amounts) in kinds.items()
        }


class Target(NamedTuple):
    """A classifier and the true class of a picture."""

    classifier: Classifier
    true_class: Int[Array, ""]


def targets(network: Network, settings: InvarianceSettings) -> list[tuple[Target | None, str]]:
    """Return the target of each image and the name of its class; None and '' if `classes` is empty.

    Raises:
        UserError: the weights hold no suitable classifier, or it has no such class.
    """
    if not settings.classes:
        return [(None, "")] * len(settings.images)
    classifier, weights = classifier_behind(network, settings.network, settings.size)
    for true_class in settings.classes:
        if true_class >= weights.classes:
            raise UserError(
                f"classes: {weights.name} has no class {true_class}; choices: 0 to {weights.classes - 1}"
            )
    names = class_names(settings.labels, weights.classes)
    return [(Target(classifier, jnp.int32(number)), names[number]) for number in settings.classes]


def shift(pixels: float, size: int) -> Transform:
    """Return the transform that moves the picture down by `pixels`."""
    del size
    return np.array([[1, 0, -pixels], [0, 1, 0]], np.float32)


def scale(factor: float, size: int) -> Transform:
    """Return the transform that enlarges the picture by `factor` about its centre."""
    return _about_centre(np.eye(2) / factor, size)


def rotation(degrees: float, size: int) -> Transform:
    """Return the transform that rotates the picture counterclockwise by `degrees` about its centre."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return _about_centre(np.array([[cos, sin], [-sin, cos]]), size)


def _about_centre(linear: np.ndarray, size: int) -> Transform:
    centre = np.full(2, (size - 1) / 2)
    return np.column_stack([linear, centre - linear @ centre]).astype(np.float32)


def warp(
    image: Float[Array | np.ndarray, "1 h w 3"], transform: Float[Array | np.ndarray, "2 3"], padding: str
) -> Float[Array, "1 h w 3"]:
    """Apply a transform, keeping the size of the picture; `padding` is 'edge' or 'gray'."""
    rows, columns = jnp.meshgrid(*map(jnp.arange, image.shape[1:3]), indexing="ij")
    source = jnp.tensordot(jnp.asarray(transform), jnp.stack([rows, columns, jnp.ones_like(rows)]), 1)
    plane = partial(map_coordinates, coordinates=list(source), order=1, mode=PADDINGS[padding], cval=MID_GRAY)
    return jax.vmap(plane, in_axes=-1, out_axes=-1)(jnp.asarray(image)[0])[jnp.newaxis]


def measure_invariance(
    network: Network,
    target: Target | None,
    image: Float[np.ndarray, "1 h w 3"],
    transforms: Sequence[Transform],
    settings: InvarianceSettings,
) -> Float[np.ndarray, "transforms columns"]:
    """Return, for each transformed picture, the distance at each layer and, with a `target`, P(true class).

    The distance is Euclidean, between the features of the transformed picture and those of `image`, over all
    filters and positions. As in the paper, it is not normalised, so it grows with the size and scale of a
    layer: compare the shapes of two layers' curves, not their heights.

    Raises:
        UserError: a batch does not fit into memory.
    """
    batch, layers = settings.batch, settings.layers()
    require_activations(network, layers, settings.size, batch)
    run = partial(_measure, network, target, jnp.asarray(image), layers=layers, padding=settings.padding)
    # The last batch is padded, so that one compiled program serves all batches.
    padded = np.stack([*transforms, *[transforms[-1]] * (-len(transforms) % batch)])
    parts = [run(padded[i : i + batch]) for i in range(0, len(padded), batch)]
    return np.concatenate(jax.device_get(parts))[: len(transforms)]


@partial(jax.jit, static_argnames=("layers", "padding"))
def _measure(
    network: Network,
    target: Target | None,
    image: Array,
    transforms: Array,
    layers: tuple[str, ...],
    padding: str,
) -> Array:
    warped = jax.vmap(warp, in_axes=(None, 0, None))(image, transforms, padding)
    needed = layers if target is None else (*layers, target.classifier.layer)
    # The picture itself goes along, so that both sides of a difference are rounded alike.
    features = network(jnp.concatenate([image, *warped]), needed)
    differences = (features[layer][1:] - features[layer][:1] for layer in layers)
    columns = [jnp.sqrt(jnp.sum(jnp.square(each), axis=(1, 2, 3))) for each in differences]
    if target is not None:
        scores = target.classifier(features[target.classifier.layer][1:])
        columns.append(jax.nn.softmax(scores)[:, target.true_class])
    return jnp.stack(columns, axis=1)
