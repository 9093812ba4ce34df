"""What a unit comes to see as its network learns (Zeiler & Fergus 2013, section 4, Fig 4).

For each checkpoint of a training, the strongest activation of a unit over all pictures, projected down to
pixels. Where a unit's picture jumps, its strongest activation has moved to another one.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32

from nst_jax.config import fields
from nst_jax.config.schema import POOLS
from nst_jax.errors import UserError
from nst_jax.images.streams import Box, Stream
from nst_jax.networks import receptive
from nst_jax.networks.architectures import ARCHITECTURES, Layer, architecture
from nst_jax.networks.network import Network
from nst_jax.vision import deconvnet, top_patches
from nst_jax.vision.patches_sheet import cut
from nst_jax.vision.top_patches import Patch, Strongest, numbers
from nst_jax.vision.units import require_units


@dataclasses.dataclass(frozen=True)
class Topology:
    """What all checkpoints share."""

    arch: str = "slim"
    pool: str = "max"  # its switches tell where the projection unpools to

    def __post_init__(self) -> None:
        fields.one_of("network.arch", self.arch, ARCHITECTURES)
        fields.one_of("network.pool", self.pool, POOLS)


@dataclasses.dataclass(frozen=True)
class EvolutionSettings:
    """The experiment."""

    weights: tuple[str, ...]  # the checkpoints, in order: files, or registered names
    units: tuple[int, ...]
    layer: str = "conv3_1"
    data: str = "sample:"
    size: int = 224  # side of the square that the network sees, pixels
    batch: int = 16
    limit: int = 0  # images at most; 0 for all
    rule: str = "deconvnet"
    network: Topology = dataclasses.field(default_factory=Topology)

    def __post_init__(self) -> None:
        for name in ("weights", "units"):
            values = getattr(self, name)
            if not values:
                raise UserError(f"{name}: is empty; give at least one")
            if len(set(values)) < len(values):
                raise UserError(f"{name}: {', '.join(map(str, values))} names one twice")
        fields.one_of("layer", self.layer, architecture(self.network.arch).names)
        fields.not_empty("data", self.data)
        fields.at_least("size", self.size, receptive.field_side(self.geometry(), self.layer))
        fields.at_least("batch", self.batch, 1)
        fields.at_least("limit", self.limit, 0)
        fields.one_of("rule", self.rule, deconvnet.RULES)

    def geometry(self) -> tuple[Layer, ...]:
        """The layers of the networks."""
        return architecture(self.network.arch).layers

    def needed(self) -> tuple[str, ...]:
        """The convolutions that must have run."""
        return architecture(self.network.arch).weighted_up_to(self.layer)


class Seen(NamedTuple):
    """What fired a unit most, and the projection of that: 0 is mid-gray."""

    activation: float
    image: str
    box: Box  # the receptive field, in the image's own pixels
    projection: Float32[np.ndarray, "1 s s 3"]  # the receptive field alone, gray where the border clips it


def see_units(network: Network, stream: Stream, settings: EvolutionSettings) -> dict[int, Seen | None]:
    """What each unit sees; None where no picture fires it.

    Raises:
        UserError: there is no such unit, or nothing can be read.
    """
    lists = _strongest(network, stream, settings)
    require_units("units", settings.units, settings.layer, width=len(lists.image))
    fired = {unit: patches[0] for unit in settings.units if (patches := top_patches.patches_of(lists, unit))}
    seen = _projected(network, stream, settings, fired) if fired else {}
    return {unit: seen.get(unit) for unit in settings.units}


def _strongest(network: Network, stream: Stream, settings: EvolutionSettings) -> Strongest:
    """One pass over the pictures, for all units of the layer."""
    lists = top_patches.empty_lists(network, (settings.layer,), settings.size, top=1)
    for batch in stream.batches(settings.batch):
        lists, _ = top_patches.step(network, lists, jnp.asarray(batch.pixels), numbers(batch))
    return jax.device_get(lists[settings.layer])


def _projected(
    network: Network, stream: Stream, settings: EvolutionSettings, fired: dict[int, Patch]
) -> dict[int, Seen]:
    inputs = [stream.input(patch.image) for patch in fired.values()]
    pictures = np.stack([pixels for pixels, _ in inputs]).astype(np.float32) / 255
    where = jnp.array([(unit, patch.row, patch.column) for unit, patch in fired.items()], jnp.int32)
    projections = deconvnet.project(network, jnp.asarray(pictures), settings.layer, *where.T, settings.rule)
    side = receptive.field_side(settings.geometry(), settings.layer)
    seen = {}
    for (unit, patch), (_, frame), picture in zip(
        fired.items(), inputs, deconvnet.to_picture(projections), strict=True
    ):
        box = receptive.box(
            settings.geometry(), settings.layer, patch.row, patch.column, settings.size, settings.size
        )
        shown = cut(picture, box, side)[np.newaxis]
        seen[unit] = Seen(patch.activation, frame.name, frame.to_source(box), shown)
    return seen
