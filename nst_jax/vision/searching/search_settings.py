"""The settings of a search for top patches, typed and checked; see configs/top_patches.py."""

import dataclasses
from typing import Any

from nst_jax.config import NetworkConfig, fields
from nst_jax.config.schema import SMALLEST_SIDE
from nst_jax.errors import UserError
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.counterparts import require_layer
from nst_jax.vision.deconvnet import RULES
from nst_jax.vision.framing import LARGEST_INPUT, MOST_PICTURES, require_field
from nst_jax.vision.labels import AUTO
from nst_jax.vision.relevance import CLASS, Towards, read_target
from nst_jax.vision.units import require_units

ALL = "all"
# Limits that no real search comes near; a number beyond them is a mistake.
MOST_PATCHES, MOST_WORKERS, LARGEST_SAMPLE, MOST_PHOTOS = 1000, 256, 100_000, 100_000


@dataclasses.dataclass(frozen=True)
class TopPatchesSettings:
    """One pass over `data`; the defaults use the bundled pictures and network."""

    data: str = "sample:"
    layers: tuple[str, ...] = tuple(f"conv{block}_1" for block in range(1, 6))
    units: str = ALL  # or numbers, e.g. "3,17"; a config file may also give a list
    target: str = ""  # rank by relevance towards this, see relevance.py; '' to rank by activation
    labels: str = AUTO  # names of the classes, see labels.py
    top: int = 9  # patches per unit
    quantiles: tuple[float, ...] = (0.5, 0.75, 0.9, 0.99)  # at which patches are shown too; () for none
    sample: int = 1000  # images from which patches at quantiles are chosen
    export: bool = False  # write activations.npz: each unit's maximum in each image
    photos: int = 2000  # maximum number of reduced copies, which the page shows whole; about 20 KB each
    maximized: int = 0  # side of a picture painted to activate each unit on the sheets; 0 for none
    size: int = 224  # side of the square that the network sees, pixels
    batch: int = 16
    limit: int = 0  # maximum number of images; 0 for all
    shuffle: bool = False  # before `limit` is applied
    seed: int = 0  # of the shuffling and the sample
    workers: int = 0  # decoding threads; 0 for one per core
    shown: int = 24  # evenly spaced units on the sheet of each layer if `units` is 'all'
    rule: str = "guided"  # how activations are projected to pixels; use 'deconvnet' with max pooling
    checkpoint_seconds: float = 60.0
    network: NetworkConfig = dataclasses.field(default_factory=lambda: NetworkConfig(arch="slim"))

    def __post_init__(self) -> None:
        fields.not_empty("data", self.data)
        fields.at_least("top", self.top, 1, MOST_PATCHES)
        fields.at_least("sample", self.sample, 1, LARGEST_SAMPLE)
        for quantile in self.quantiles:
            if not 0 <= quantile <= 1:
                raise UserError(f"quantiles: {quantile} is not between 0 and 1")
        fields.distinct("quantiles", self.quantiles)
        fields.at_least("photos", self.photos, 0, MOST_PHOTOS)
        fields.at_least("size", self.size, 1, LARGEST_INPUT)
        fields.at_least("batch", self.batch, 1, MOST_PICTURES)
        fields.at_least("shown", self.shown, 1)
        fields.at_least("limit", self.limit, 0)
        fields.at_least("seed", self.seed, 0, fields.LARGEST_SEED)
        fields.at_least("workers", self.workers, 0, MOST_WORKERS)
        fields.positive("checkpoint_seconds", self.checkpoint_seconds)
        fields.one_of("rule", self.rule, RULES)
        fields.not_empty("labels", self.labels)
        self._check_layers()
        if towards := self.towards:
            self._check_target(towards)
        if self.units != ALL:
            self.chosen_units()

    def _check_layers(self) -> None:
        arch = architecture(self.network.arch)
        if not self.layers:
            raise UserError(f"layers: is empty; choices: {', '.join(arch.names)}")
        for layer in self.layers:
            require_layer("layers", layer, self.network.arch)
        fields.distinct("layers", self.layers)
        deepest = max(self.layers, key=lambda layer: receptive.field_side(arch.layers, layer))
        require_field(self.size, self.network.arch, deepest)
        if self.maximized:
            fields.at_least("maximized", self.maximized, SMALLEST_SIDE, LARGEST_INPUT)
            for layer in self.layers:
                if not all(receptive.shape(arch.layers, layer, self.maximized, self.maximized)):
                    raise UserError(f"maximized: {self.maximized} pixels are too few for {layer}")

    def _check_target(self, towards: Towards) -> None:
        """Refuse layers that are not before the layer of the target."""
        arch = architecture(self.network.arch)
        last = arch.head.layer if towards.layer == CLASS and arch.head else towards.layer
        for layer in self.layers:
            if last in arch.names and arch.names.index(layer) > arch.names.index(last):
                raise UserError(f"target: {layer} is deeper than {self.target}; choose layers before {last}")

    @property
    def towards(self) -> Towards | None:
        """What relevance is measured towards; None if units are ranked by activation.

        Raises:
            UserError: `target` has none of the forms of `relevance.FORMS`.
        """
        return read_target(self.target, self.network.arch) if self.target else None

    def chosen_units(self) -> tuple[int, ...]:
        """Return the numbers in `units`.

        Raises:
            UserError: `units` holds something other than numbers, or duplicates.
        """
        parts = [part.strip() for part in self.units.split(",")]
        if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
            raise UserError(f"units: {self.units!r} is neither 'all' nor distinct numbers such as 3,17")
        return tuple(map(int, parts))

    def units_of(self, layer: str, width: int) -> tuple[int, ...]:
        """Return the selected units of a layer with `width` units.

        Raises:
            UserError: the layer has no such unit.
        """
        if self.units == ALL:
            return tuple(range(width))
        require_units("units", self.chosen_units(), layer, width)
        return self.chosen_units()

    def shown_of(self, layer: str, width: int) -> tuple[int, ...]:
        """Return the units of a layer to draw: those selected by number, else `shown` evenly spaced ones."""
        units = self.units_of(layer, width)
        if self.units != ALL or width <= self.shown:
            return units
        return tuple(unit * width // self.shown for unit in range(self.shown))


def top_patches_settings(values: Any) -> TopPatchesSettings:
    """Build checked settings from a ConfigDict or a nested dict; missing fields take their defaults.

    Raises:
        UserError: unknown fields, wrong types, or invalid values.
    """
    if isinstance(values.get("units"), list | tuple):
        values = {**values, "units": ",".join(map(str, values["units"]))}
    return fields.from_config(TopPatchesSettings, values)
