"""The settings of a search for top patches, typed and checked; see configs/top_patches.py."""

import dataclasses
from typing import Any

from nst_jax.config import NetworkConfig, fields
from nst_jax.errors import UserError
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.vision.deconvnet import RULES
from nst_jax.vision.units import require_units

ALL = "all"


@dataclasses.dataclass(frozen=True)
class TopPatchesSettings:
    """One pass over `data`; the defaults run on what is in the packages."""

    data: str = "sample:"
    layers: tuple[str, ...] = tuple(f"conv{block}_1" for block in range(1, 6))
    units: str = ALL  # or numbers, e.g. "3,17"; in a config file also a list
    top: int = 9  # patches of each unit
    size: int = 224  # side of the square that the network sees, pixels
    batch: int = 16
    limit: int = 0  # images at most; 0 for all
    shuffle: bool = False  # before `limit` takes its part
    seed: int = 0  # of the shuffling
    workers: int = 0  # threads that decode; 0 for one a core
    shown: int = 24  # units of each layer on its sheet, spread evenly, when `units` is 'all'
    rule: str = "guided"  # how activations are projected to pixels; 'deconvnet' with maximum pooling
    checkpoint_seconds: float = 60.0
    network: NetworkConfig = dataclasses.field(default_factory=lambda: NetworkConfig(arch="slim"))

    def __post_init__(self) -> None:
        fields.not_empty("data", self.data)
        for name in ("top", "size", "batch", "shown"):
            fields.at_least(name, getattr(self, name), 1)
        for name in ("limit", "seed", "workers"):
            fields.at_least(name, getattr(self, name), 0)
        fields.positive("checkpoint_seconds", self.checkpoint_seconds)
        fields.one_of("rule", self.rule, RULES)
        self._check_layers()
        if self.units != ALL:
            self.chosen_units()

    def _check_layers(self) -> None:
        whole = architecture(self.network.arch)
        if not self.layers:
            raise UserError(f"layers: none given; choices: {', '.join(whole.names)}")
        for layer in self.layers:
            fields.one_of("layers", layer, whole.names)
        if len(set(self.layers)) < len(self.layers):
            raise UserError(f"layers: {', '.join(self.layers)} names a layer twice")
        deepest = max(self.layers, key=lambda layer: receptive.field_side(whole.layers, layer))
        needed = receptive.field_side(whole.layers, deepest)
        if self.size < needed:
            raise UserError(
                f"size: {self.size} is less than the receptive field of {deepest}; give at least {needed}"
            )

    def chosen_units(self) -> tuple[int, ...]:
        """The numbers in `units`.

        Raises:
            UserError: they are no numbers, or the same one twice.
        """
        parts = [part.strip() for part in self.units.split(",")]
        if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
            raise UserError(f"units: {self.units!r} is neither 'all' nor different numbers such as 3,17")
        return tuple(map(int, parts))

    def units_of(self, layer: str, width: int) -> tuple[int, ...]:
        """The units of a layer that has `width` of them to write down.

        Raises:
            UserError: the layer has no such unit.
        """
        if self.units == ALL:
            return tuple(range(width))
        require_units("units", self.chosen_units(), layer, width)
        return self.chosen_units()

    def shown_of(self, layer: str, width: int) -> tuple[int, ...]:
        """The units of a layer to draw: those asked for by number, else `shown` of them, spread evenly."""
        units = self.units_of(layer, width)
        if self.units != ALL or width <= self.shown:
            return units
        return tuple(unit * width // self.shown for unit in range(self.shown))


def top_patches_settings(values: Any) -> TopPatchesSettings:
    """Checked settings from a ConfigDict or a plain nested dict; missing fields have their defaults.

    Raises:
        UserError: unknown fields, wrong types, and values that cannot be run.
    """
    if isinstance(values.get("units"), list | tuple):
        values = {**values, "units": ",".join(map(str, values["units"]))}
    return fields.from_config(TopPatchesSettings, values)
