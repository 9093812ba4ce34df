"""Fields of a config file that the command line may extend or give in another type.

With `ml_collections`, a flag can only change fields that the file has, in their types. `extensible` makes two
exceptions: styles, style losses, their layers and settings of NNST can be added by name, and
`optimizer.steps` is a number or one per scale.
"""

from typing import Any

from ml_collections import ConfigDict, FieldReference

from nst_jax.config.controls import StyleConfig
from nst_jax.config.transfer_methods import NNSTConfig


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
        config.styles = StyleTable(config.get("styles") or {})
        config.style_losses = ConfigDict(config.get("style_losses") or {"gram": 1.0})
        config.loss_layers = LayerTable(config.get("loss_layers") or {})
        config.nnst = ConfigDict({**vars(NNSTConfig()), **(config.get("nnst") or {})})
        optimizer = config.get("optimizer")
        if optimizer is not None and "steps" in optimizer:
            optimizer.steps = FieldReference(optimizer.steps, field_type=object)
    return config
