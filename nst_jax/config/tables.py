"""Fields of a transfer's config that the command line may set although the config file does not.

With `ml_collections`, a flag can only change fields that the file has, in their types. `extensible` adds the
fields that are missing with their defaults, and lets styles, style losses and their layers be added by name.
"""

import contextlib
import dataclasses
from collections.abc import Iterable
from typing import Any, cast, get_type_hints

from ml_collections import ConfigDict, FieldReference
from ml_collections.config_dict import RequiredValueError

from nst_jax.config.controls import StyleConfig
from nst_jax.config.fields import LARGEST_FLOAT
from nst_jax.config.schema import Config


class StyleTable(ConfigDict):
    """A table of styles; asking for a missing name adds a style with default settings."""

    def __getitem__(self, name: str) -> Any:
        """Return the style `name`."""
        if name not in self:
            super().__setitem__(name, ConfigDict(vars(StyleConfig())))
        return super().__getitem__(name)


class LayerTable(ConfigDict):
    """The weights of layers by style loss; asking for a missing loss adds an empty table."""

    def __getitem__(self, name: str) -> Any:
        """Return the weights of the layers for the loss `name`."""
        if name not in self:
            super().__setitem__(name, ConfigDict())
        return super().__getitem__(name)


def extensible(config: Any) -> Any:
    """Prepare a transfer's config from `get_config()` for such flags; anything else is left as it is."""
    if not isinstance(config, ConfigDict):
        return config
    with config.unlocked(), config.ignore_type():
        _complete(config, Config)
        config.styles = StyleTable(config.styles)
        config.loss_layers = LayerTable(config.loss_layers)
        if isinstance(config.optimizer, ConfigDict):  # `steps` is a number or a tuple
            config.optimizer.steps = FieldReference(config.optimizer.steps, field_type=object)
    return config


def _complete(section: ConfigDict, kind: type) -> None:
    """Add the fields of the dataclass `kind` that `section` lacks; make integers floats where due."""
    defaults = ConfigDict(dataclasses.asdict(kind()))
    for name, hint in get_type_hints(kind).items():
        if name not in section:
            section[name] = defaults[name]
            continue
        with contextlib.suppress(RequiredValueError):  # a flag may still give the value
            if isinstance(section[name], ConfigDict) and dataclasses.is_dataclass(hint):
                _complete(section[name], cast(type, hint))
            elif isinstance(section[name], ConfigDict) and hint == dict[str, float]:
                _make_floats(section[name], list(section[name]))
            elif hint is float:
                _make_floats(section, [name])


def _make_floats(section: ConfigDict, names: Iterable[str]) -> None:
    for name in names:
        if type(section[name]) is int and abs(section[name]) < LARGEST_FLOAT:
            section[name] = float(section[name])
