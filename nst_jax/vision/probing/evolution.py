"""Evolution of features during training (Zeiler & Fergus 2013, section 4, Fig 4).

For each checkpoint of a training run, the strongest activation of a unit over all pictures is projected down
to pixels. A sudden jump in appearance means that the strongest activation has moved to another picture.
"""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32

from nst_jax.config import fields
from nst_jax.images.streams import Box, Stream
from nst_jax.networks import receptive
from nst_jax.networks.architectures import ARCHITECTURES, Layer, architecture
from nst_jax.networks.counterparts import require_layer
from nst_jax.networks.network import Network
from nst_jax.networks.pool import POOLS
from nst_jax.vision import deconvnet
from nst_jax.vision.framing import LARGEST_INPUT, MOST_PICTURES
from nst_jax.vision.searching import top_patches
from nst_jax.vision.searching.patches_sheet import cut
from nst_jax.vision.searching.top_patches import Patch
from nst_jax.vision.units import require_units


@dataclasses.dataclass(frozen=True)
class Topology:
    """The network settings that all checkpoints share."""

    arch: str = "slim"
    pool: str = "max"  # the projection needs its switches

    def __post_init__(self) -> None:
        fields.one_of("network.arch", self.arch, ARCHITECTURES)
        fields.one_of("network.pool", self.pool, POOLS)


@dataclasses.dataclass(frozen=True)
class EvolutionSettings:
    """The settings of the experiment; see configs/evolution.py."""

    weights: tuple[str, ...]  # the checkpoints, in order: files or registered names
    units: tuple[int, ...]
    layer: str = "conv3_1"
    data: str = "sample:"
    size: int = 224  # side of the square that the network sees, pixels
    batch: int = 16
    limit: int = 0  # maximum number of images; 0 for all
    rule: str = "deconvnet"
    network: Topology = dataclasses.field(default_factory=Topology)

    def __post_init__(self) -> None:
        for name in ("weights", "units"):
            fields.some(name, getattr(self, name))
            fields.distinct(name, getattr(self, name))
        require_layer("layer", self.layer, self.network.arch)
        fields.not_empty("data", self.data)
        smallest = receptive.field_side(self.geometry(), self.layer)
        fields.at_least("size", self.size, smallest, LARGEST_INPUT)
        fields.at_least("batch", self.batch, 1, MOST_PICTURES)
        fields.at_least("limit", self.limit, 0)
        fields.one_of("rule", self.rule, deconvnet.RULES)

    def geometry(self) -> tuple[Layer, ...]:
        """Return the layers of the networks."""
        return architecture(self.network.arch).layers

    def needed(self) -> tuple[str, ...]:
        """Return the convolutions up to `layer`, which a checkpoint must hold."""
        return architecture(self.network.arch).weighted_up_to(self.layer)


class UnitView(NamedTuple):
    """The strongest activation of a unit, and its projection, in which 0 is mid-gray."""

    activation: float
    image: str
    box: Box  # receptive field, in pixels of the source image
    projection: Float32[np.ndarray, "1 s s 3"]  # cropped to the receptive field; gray beyond the border


def see_units(network: Network, stream: Stream, settings: EvolutionSettings) -> dict[int, UnitView | None]:
    """Return the strongest view of each unit in `settings`; None if no picture activates it.

    Raises:
        UserError: the layer has no such unit, or no picture can be read.
    """
    lists = top_patches.search_once(
        network, stream, settings.layer, settings.size, top=1, batch_size=settings.batch
    )
    require_units("units", settings.units, settings.layer, width=len(lists.image))
    fired = {unit: patches[0] for unit in settings.units if (patches := top_patches.patches_of(lists, unit))}
    views = _projected(network, stream, settings, fired) if fired else {}
    return {unit: views.get(unit) for unit in settings.units}


def _projected(
    network: Network, stream: Stream, settings: EvolutionSettings, fired: dict[int, Patch]
) -> dict[int, UnitView]:
    inputs = [stream.input(patch.image) for patch in fired.values()]
    pictures = np.stack([pixels for pixels, _ in inputs]).astype(np.float32) / 255
    where = jnp.array([(unit, patch.row, patch.column) for unit, patch in fired.items()], jnp.int32)
    projections = deconvnet.project(network, jnp.asarray(pictures), settings.layer, where.T, settings.rule)
    side = receptive.field_side(network.geometry, settings.layer)
    views = {}
    for (unit, patch), (_, frame), picture in zip(
        fired.items(), inputs, deconvnet.to_picture(projections), strict=True
    ):
        box = receptive.box(
            network.geometry, settings.layer, patch.row, patch.column, settings.size, settings.size
        )
        projection = cut(picture, box, side)[np.newaxis]
        views[unit] = UnitView(patch.activation, frame.name, frame.to_source(box), projection)
    return views
