"""How each transfer method takes a config: its fields, its layers and its stages."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from nst_jax.config import fields
from nst_jax.errors import UserError
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.counterparts import require_layer

LARGEST_STRIDE = 8  # pixels, of the layers of NNST: conv1_1 to conv4_3 in the paper's VGG-16
# Fields of the objective of the losses.
OF_LOSSES = (
    *("styles", "content_layers", "style_layers", "style_losses", "loss_layers", "guides"),
    *("content_weight", "style_weight", "tv_weight", "laplacian_weight", "terms"),
    *("content_loss", "relative_losses", "tile"),
)


@dataclasses.dataclass(frozen=True)
class NNSTConfig:
    """Neural Neighbor Style Transfer (Kolkin et al. 2022), see docs/configuration.md."""

    alpha: float = 0.75  # share of the content in the picture whose features are replaced, up to 1
    layers: tuple[str, ...] = ()  # of the features; () for all convolutions with a stride of at most 8 pixels
    rotations: bool = True  # whether features are also taken from the style turned by 90, 180, 270 degrees
    splitting: int = 200  # steps of feature splitting, at full size after those of `optimizer.steps`
    color: bool = True  # whether hues are those of the content in the colours of the style

    def __post_init__(self) -> None:
        fields.not_negative("nnst.alpha", self.alpha)
        if self.alpha > 1:
            raise UserError(f"nnst.alpha: {self.alpha} is above 1")
        fields.at_least("nnst.splitting", self.splitting, 0)


def column_layers(settings: NNSTConfig, arch: str) -> tuple[str, ...]:
    """Return the layers whose features NNST takes, in network order."""
    layers = architecture(arch).layers
    return tuple(
        layer.name
        for layer in layers
        if (
            layer.name in settings.layers
            if settings.layers
            else layer.weighted and receptive.stride(layers, layer.name) <= LARGEST_STRIDE
        )
    )


class MethodSettings(NamedTuple):
    """How a method takes a `Config`, the class that is defined by means of this module.

    `check(config)` raises `UserError` for a value that the method does not support, `layers(config)` are
    those whose activations it needs, and `required(config)` those without which a run is refused.
    `compiled(config)` is what its programs depend on in fields of its own.
    """

    unused: tuple[str, ...]  # fields without effect
    check: Callable[[Any], None] = lambda config: None
    layers: Callable[[Any], tuple[str, ...]] = lambda config: config.layers_of_losses()
    required: Callable[[Any], tuple[str, ...]] = lambda config: config.active_layers()
    extra_steps: Callable[[Any], int] = lambda config: 0  # of a last stage at full size
    draws: Callable[[Any], bool] = lambda config: False  # whether the method itself uses the seed
    compiled: Callable[[Any], tuple[Any, ...]] = lambda config: ()


def check_method(config: Any) -> None:
    """Refuse fields of a `Config` that its `method` would ignore.

    Raises:
        UserError: such a field differs from its default, or has a value that the method does not support.
    """
    fields.one_of("method", config.method, TRANSFER_METHODS)
    settings = TRANSFER_METHODS[config.method]
    for field in dataclasses.fields(config):
        name, value = field.name, getattr(config, field.name)
        made = field.default_factory
        default = field.default if made is dataclasses.MISSING else made()
        if name in settings.unused and value != default:
            raise UserError(_no_effect(name, value, default, config.method))
    settings.check(config)


def _check_nnst(config: Any) -> None:
    for layer in config.nnst.layers:
        require_layer("nnst.layers", layer, config.network.arch)
    if config.optimizer.name != "adam":
        raise UserError(f"optimizer.name: {config.optimizer.name} cannot be used with method=nnst; use adam")
    if config.optimizer.warm_start:
        raise UserError(
            "optimizer.warm_start: cannot be used with method=nnst, whose scales share no variables"
        )
    if config.devices != 1:
        refused = f"devices: {config.devices} cannot be used with method=nnst"
        raise UserError(f"{refused}, which searches the whole picture; use 1")
    if config.network.padding == "circular":
        raise UserError("network.padding: circular cannot be used with method=nnst")
    if config.color == "luminance" and config.nnst.color:
        raise UserError("color: luminance cannot be used with nnst.color; set nnst.color=False")


def _no_effect(name: str, value: Any, default: Any, method: str) -> str:
    """The message about a field, or about the first entry of a table that differs."""
    value, default = (vars(one) if dataclasses.is_dataclass(one) else one for one in (value, default))
    if isinstance(value, dict):
        entry = next(key for key in {**default, **value} if value.get(key) != default.get(key))
        name, value, default = f"{name}.{entry}", value.get(entry), default.get(entry)
    kept = "remove it" if default is None else f"the default is {default!r}"
    return f"{name}: {value!r} has no effect with method={method}; {kept}"


# To add one, list it here, and what it computes in `nst_jax.methods.transfers`.
TRANSFER_METHODS = {
    "optimize": MethodSettings(unused=("nnst",), check=lambda config: config.check_weights()),
    "nnst": MethodSettings(
        unused=OF_LOSSES,
        check=_check_nnst,
        layers=lambda config: column_layers(config.nnst, config.network.arch),
        # Without names, it takes those of the layers that the weights have.
        required=lambda config: config.active_layers()[: None if config.nnst.layers else 1],
        extra_steps=lambda config: config.nnst.splitting,
        draws=lambda config: config.nnst.splitting > 0,
        compiled=lambda config: (config.nnst.layers, config.nnst.splitting),
    ),
}
