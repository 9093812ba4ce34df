"""What to run, typed and checked: the only place that sees a ConfigDict.

A config file's `get_config()` gives a ConfigDict, command-line overrides change it, and `from_dict` turns
it into the frozen dataclasses below. They check themselves, so a `Config` that exists can be run.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from nst_jax.errors import UserError, unknown
from nst_jax.weights.topology import ARCHES, layer_names

POOLS = ("avg", "max")
OPTIMIZERS = ("lbfgs", "adam", "gd")
CONTENT_LOSSES = ("sum", "mean")
# The deepest networks halve a picture four times before their last convolutions.
SMALLEST_SIDE = 16


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """The network whose activations define the losses."""

    arch: str = "vgg19"
    weights: str = "auto"  # 'auto', 'random', a registered name, or a path
    pool: str = "avg"
    normalize: bool = False  # filters rescaled to mean activation 1; changes what alpha/beta means

    def __post_init__(self) -> None:
        _one_of("network.arch", self.arch, ARCHES)
        _one_of("network.pool", self.pool, POOLS)
        _not_empty("network.weights", self.weights)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """How the image is optimised; `steps` are taken at every scale."""

    name: str = "lbfgs"
    steps: int = 500
    learning_rate: float = 0.02  # of adam and gd, in [0,1] pixel units; lbfgs searches its own

    def __post_init__(self) -> None:
        _one_of("optimizer.name", self.name, OPTIMIZERS)
        _at_least("optimizer.steps", self.steps, 1)
        _positive("optimizer.learning_rate", self.learning_rate)


def _gatys_content() -> dict[str, float]:
    return {"conv4_2": 1.0}


def _gatys_style() -> dict[str, float]:
    return {f"conv{block}_1": 0.2 for block in range(1, 6)}


@dataclasses.dataclass(frozen=True)
class Config:
    """One style transfer; the defaults are Gatys et al. 2015, Fig 2."""

    content: str = "sample:chelsea"
    style: str = "sample:swirls"
    size: int = 512  # longer side of the result, pixels
    style_scale: float = 1.0  # size of the style relative to the result
    init: str = "noise"  # 'noise', 'content', 'style', or a path
    seed: int = 0
    network: NetworkConfig = dataclasses.field(default_factory=NetworkConfig)
    content_layers: dict[str, float] = dataclasses.field(default_factory=_gatys_content)
    style_layers: dict[str, float] = dataclasses.field(default_factory=_gatys_style)
    content_weight: float = 1e-3  # alpha
    style_weight: float = 1.0  # beta
    tv_weight: float = 0.0
    content_loss: str = "sum"  # the paper's half sum of squares, or the released code's 'mean'
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    scales: tuple[float, ...] = (1.0,)  # coarse to fine, relative to `size`
    log_every: int = 10  # steps between lines of metrics.jsonl
    snapshot_every: int = 50  # steps between pictures in progress/

    def __post_init__(self) -> None:
        for name in ("content", "style", "init"):
            _not_empty(name, getattr(self, name))
        _at_least("size", self.size, SMALLEST_SIDE)
        _positive("style_scale", self.style_scale)
        _at_least("seed", self.seed, 0)
        _one_of("content_loss", self.content_loss, CONTENT_LOSSES)
        _at_least("log_every", self.log_every, 1)
        _at_least("snapshot_every", self.snapshot_every, 1)
        self._check_weights()
        self._check_scales()

    def _check_weights(self) -> None:
        for name in ("content_weight", "style_weight", "tv_weight"):
            _not_negative(name, getattr(self, name))
        for field in ("content_layers", "style_layers"):
            for layer, weight in getattr(self, field).items():
                _one_of(field, layer, layer_names(self.network.arch))
                _not_negative(f"{field}.{layer}", weight)
        if not self.active_layers():
            raise UserError(
                "content_weight, style_weight: nothing to optimise; give at least one of them, and one of "
                "its layers, a weight above 0"
            )

    def _check_scales(self) -> None:
        if not self.scales or self.scales[-1] != 1.0:
            raise UserError(f"scales: {self.scales} must end with 1.0, the full size")
        for scale in self.scales:
            _positive("scales", scale)
            if scale > 1:
                raise UserError(f"scales: {scale} is above 1.0, the full size")
            if round(self.size * scale) < SMALLEST_SIDE:
                raise UserError(f"scales: {scale} of size {self.size} is under {SMALLEST_SIDE} pixels")

    def active_content(self) -> dict[str, float]:
        """Content layers that count: their own weight and alpha above 0."""
        return {k: w for k, w in self.content_layers.items() if w > 0 and self.content_weight > 0}

    def active_style(self) -> dict[str, float]:
        """Style layers that count: their own weight and beta above 0."""
        return {k: w for k, w in self.style_layers.items() if w > 0 and self.style_weight > 0}

    def active_layers(self) -> tuple[str, ...]:
        """All layers whose activations are needed, in network order."""
        active = {**self.active_content(), **self.active_style()}
        return tuple(name for name in layer_names(self.network.arch) if name in active)


def from_dict(values: Any) -> Config:
    """A checked `Config` from a ConfigDict or a plain nested dict; what is left out has its default.

    Raises:
        UserError: unknown fields, wrong types, and values that cannot be run.
    """
    if not hasattr(values, "items"):
        raise UserError(f"config: get_config() must return a ConfigDict, not {type(values).__name__}")
    return _build(Config, dict(values.items()), prefix="")


def to_dict(config: Config) -> dict[str, Any]:
    """Every field as nested plain values, for config.json."""
    return dataclasses.asdict(config)


def _build(kind: type, values: Mapping[str, Any], prefix: str) -> Any:
    hints = typing.get_type_hints(kind)
    for name in values:
        if name not in hints:
            raise unknown(f"config field {prefix}{name}", name, hints)
    return kind(**{name: _typed(hints[name], value, prefix + name) for name, value in values.items()})


def _typed(hint: Any, value: Any, name: str) -> Any:
    """`value` as the type that the field declares; only ints may stand for floats, lists for tuples."""
    origin, parameters = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and hasattr(value, "items"):
        return _build(typing.cast(type, hint), dict(value.items()), f"{name}.")
    if origin is dict and hasattr(value, "items"):
        return {layer: _typed(parameters[1], weight, f"{name}.{layer}") for layer, weight in value.items()}
    if origin is tuple and isinstance(value, (tuple, list)):
        return tuple(_typed(parameters[0], item, name) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias) and type(value) is hint:
        return value
    expected = hint.__name__ if isinstance(hint, type) and origin is None else str(hint)
    raise UserError(f"config field {name}: expected {expected}, got {value!r}")


def _one_of(field: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise unknown(field, value, choices)


def _not_empty(field: str, value: str) -> None:
    if not value:
        raise UserError(f"{field}: is empty; give a path, or a name such as sample:astronaut")


def _at_least(field: str, value: int, least: int) -> None:
    if value < least:
        raise UserError(f"{field}: {value} is below {least}")


def _positive(field: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"{field}: {value} is not a finite number above 0")


def _not_negative(field: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise UserError(f"{field}: {value} is not a finite number of at least 0")
