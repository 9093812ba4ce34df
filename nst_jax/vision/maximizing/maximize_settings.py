"""The settings of activation maximisation, typed and checked; see configs/maximize.py."""

import dataclasses
from typing import Any

import numpy as np
from absl import logging

from nst_jax.config import NetworkConfig, OptimizerConfig, fields
from nst_jax.config.schema import SMALLEST_SIDE
from nst_jax.errors import UserError
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.counterparts import require_layer
from nst_jax.optimizers.methods import find_method
from nst_jax.vision.framing import LARGEST_INPUT, MOST_PICTURES
from nst_jax.vision.maximizing.objectives import OBJECTIVES
from nst_jax.vision.units import require_units

VARIABLES = ("fourier", "phase")
READ = {"fourier": ("contrast", "finest", "start"), "phase": ("spectrum",)}  # fields that each reads alone
MARGIN = 12  # pixels that are painted around the picture and cropped, because they see the gray beyond it

SUITED = -1
# A smaller receptive field sees, and its pictures need, finer details at a higher contrast, or they respond
# less than photographs do. Pictures of whole maps look natural only with stronger limits.
LARGE_FIELD = {"unit": 96, "map": 24}  # pixels
CONTRAST = {"unit": 1.5, "map": 1.0}  # for a large field


def suited(objective: str, field: int) -> dict[str, Any]:
    """Return how to move and to limit pictures for a layer with a receptive field of `field` pixels."""
    kind = "unit" if objective == "unit" else "map"
    share = min(1.0, field / LARGE_FIELD[kind])
    return {
        "jitter": int(8 * share),
        "rotation": 10 * share,
        "scale": 0.1 * share,
        "contrast": min(3.0, CONTRAST[kind] / share),
        "finest": 6 * share,
        "tv_weight": 10 * share**2,
    }


@dataclasses.dataclass(frozen=True)
class MaximizeSettings:
    """What to activate, and the regularisation; see configs/maximize.py."""

    objective: str = "channel"  # 'unit', 'channel', 'layer' or 'direction'
    variable: str = "fourier"  # what is optimised: a 'fourier' spectrum, or only its 'phase' (MACO)
    layer: str = "conv3_1"
    units: tuple[int, ...] = tuple(range(12))  # for 'unit' and 'channel': a row of pictures each
    direction: str = ""  # for 'direction': units and their weights, e.g. '3:1.0,17:-0.5'
    pictures: int = 1  # of each unit
    diversity_weight: float = 0.0  # penalty for pictures of the same unit that are alike
    size: int = 128  # side of the square pictures, pixels
    seed: int = 0
    # -1 in the next six fields: suited to the objective and the layer's receptive field, see `suited`.
    jitter: int = SUITED  # maximum shift of the picture before each step, pixels
    rotation: float = SUITED  # maximum rotation, degrees
    scale: float = SUITED  # maximum relative change of the size
    contrast: float = SUITED  # standard deviation of noise before the sigmoid
    finest: float = SUITED  # smallest details, pixels; 0 for no limit
    tv_weight: float = SUITED  # relative to the logarithm of the response
    start: float = 0.2  # standard deviation of the initial spectrum
    spectrum: str = "sample:"  # for 'phase': photographs, whose spectrum the pictures have
    transparency: bool = False  # also write each picture with only the parts visible that responses depend on
    data: str = ""  # pictures to search for patches that activate the units; '' for none
    limit: int = 0  # maximum number of these pictures; 0 for all
    network: NetworkConfig = dataclasses.field(default_factory=lambda: NetworkConfig("slim"))
    optimizer: OptimizerConfig = dataclasses.field(
        default_factory=lambda: OptimizerConfig("adam", steps=200, learning_rate=0.05)
    )

    def __post_init__(self) -> None:
        arch = architecture(self.network.arch)
        fields.one_of("objective", self.objective, OBJECTIVES)
        fields.one_of("variable", self.variable, VARIABLES)
        require_layer("layer", self.layer, self.network.arch)
        if not self.units and self.by_unit:
            raise UserError("units: is empty; give at least one, for example (0, 1, 2)")
        if len(set(self.units)) < len(self.units) and self.by_unit:
            repeated = next(number for number in self.units if self.units.count(number) > 1)
            raise UserError(f"units: {repeated} is listed more than once")
        if self.objective == "direction":
            self.mixture()
        for name in without_effect(self):
            logging.warning("%s: has no effect with variable=%s", name, self.variable)
        field = receptive.field_side(arch.layers, self.layer)
        for name, value in suited(self.objective, field).items():
            if getattr(self, name) == SUITED:
                object.__setattr__(self, name, value)  # as dataclasses do where fields depend on others
        fields.at_least("seed", self.seed, 0, fields.LARGEST_SEED)
        fields.at_least("size", self.size, SMALLEST_SIDE, LARGEST_INPUT)
        fields.at_least("jitter", self.jitter, 0, self.size)
        fields.at_least("limit", self.limit, 0)
        for name in ("rotation", "scale", "finest", "tv_weight", "diversity_weight"):
            fields.not_negative(name, getattr(self, name))
        for name in ("contrast", "start"):
            fields.positive(name, getattr(self, name))
        fields.at_least("pictures", self.pictures, 1, MOST_PICTURES)
        if self.scale >= 1:
            raise UserError(f"scale: {self.scale} is not below 1")
        self._check_together(arch.layers)

    def _check_together(self, layers: tuple) -> None:
        if not all(receptive.shape(layers, self.layer, self.size, self.size)):
            raise UserError(f"size: {self.size} pixels are too few for {self.layer}")
        if (self.jitter or self.rotation or self.scale) and find_method(self.optimizer).compares:
            raise UserError(
                f"optimizer.name: {self.optimizer.name} requires a loss that does not change; set jitter=0, "
                "rotation=0 and scale=0, or use adam or gd"
            )
        if self.data and not self.by_unit:
            raise UserError(f"data: patches are of units; objective is {self.objective}, use unit or channel")
        if self.data and self.size < receptive.field_side(layers, self.layer):
            needed = receptive.field_side(layers, self.layer)
            raise UserError(
                f"size: {self.size} is less than the receptive field of {self.layer}; patches need {needed}"
            )

    @property
    def by_unit(self) -> bool:
        """Whether there are pictures of each of `units`."""
        return self.objective in ("unit", "channel")

    @property
    def motions(self) -> tuple[int, float, float]:
        """The limits of the picture's random motions."""
        return self.jitter, self.rotation, self.scale

    def directions(self, width: int) -> dict[str, np.ndarray]:
        """Return what to activate, by name: weights of the `width` channels of the layer.

        Raises:
            UserError: the layer has no such unit.
        """
        if self.by_unit:
            require_units("units", self.units, self.layer, width)
            return {str(number): np.eye(width, dtype=np.float32)[number] for number in self.units}
        mixed = np.zeros(width, np.float32)
        for number, weight in self.mixture().items() if self.objective == "direction" else ():
            require_units("direction", [number], self.layer, width)
            mixed[number] = weight
        return {self.objective: mixed / (np.linalg.norm(mixed) or 1)}

    def mixture(self) -> dict[int, float]:
        """Return the units in `direction` and their weights.

        Raises:
            UserError: it does not have the form '3:1.0,17:-0.5', or has no weight other than 0.
        """
        try:
            pairs = [part.split(":") for part in self.direction.split(",")]
            weights = {int(number): float(weight) for number, weight in pairs}
        except ValueError:
            weights = {}
        if not any(weights.values()):
            raise UserError(
                f"direction: {self.direction!r} has no weights of units; give for example '3:1.0,17:-0.5'"
            )
        return weights


def without_effect(settings: MaximizeSettings) -> list[str]:
    """Return the fields that were changed, but that only another variable reads."""
    others = [name for variable in VARIABLES if variable != settings.variable for name in READ[variable]]
    defaults = {field.name: field.default for field in dataclasses.fields(settings)}
    return [name for name in others if getattr(settings, name) != defaults[name]]
