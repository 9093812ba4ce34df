"""Fields without effect on the picture, because of the values of others."""

from collections.abc import Iterable, Iterator
from typing import Any

from absl import logging

from nst_jax.config.schema import Config, flat
from nst_jax.config.transfer_methods import TRANSFER_METHODS
from nst_jax.images.color import MATCHES
from nst_jax.networks.architectures import architecture, up_to

TABLES = ("content_layers", "style_layers", "style_losses", "loss_layers")
# What only the picture of a style, its statistics or their masks depend on.
OF_STYLES = ("style", "styles", "style_scale", "guides", "style_layers", "style_losses", "loss_layers")


def idle_fields(config: Config) -> dict[str, str]:
    """Return the fields that cannot change the picture, by dotted name or their table's, with the cause."""
    return {name: cause for cause, names in _causes(config) for name in names}


def warn_of_idle(config: Config, given: Iterable[str]) -> None:
    """Log which of the `given` fields, dotted names, have no effect."""
    warn_of_all_idle([(config, given)])


def warn_of_all_idle(runs: Iterable[tuple[Config, Iterable[str]]]) -> None:
    """Log which of the fields that are given for `runs` have no effect on any of them."""
    causes: dict[str, list[str]] = {}
    for config, given in runs:
        idle = idle_fields(config)
        for name in given:
            causes.setdefault(name, []).append(_cause(idle, name, config))
    by_cause: dict[str, list[str]] = {}
    for name, found in causes.items():
        if all(found):
            by_cause.setdefault(found[0], []).append(name)
    # One line per cause: a preset can leave many fields idle.
    for cause, names in by_cause.items():
        logging.warning("%s: no effect with %s", ", ".join(names), cause)


def effective(config: Config) -> dict[str, Any]:
    """Return the fields that have an effect, by dotted name: if they are equal, so are the pictures."""
    idle = idle_fields(config)
    return {name: value for name, value in flat(config).items() if not _cause(idle, name, config)}


def changed_fields(config: Config) -> list[str]:
    """Return the dotted names of the fields that differ from their defaults."""
    defaults = flat(Config())
    return [name for name, value in flat(config).items() if defaults.get(name) != value]


def _cause(idle: dict[str, str], name: str, config: Config) -> str:
    """The cause for which a field, or the table that holds it, is idle; '' if it is not, or is turned off."""
    table, _, entry = name.partition(".")
    if table in TABLES:  # a weight of 0 claims no effect
        entries = getattr(config, table)
        if not any(entries.values()) if not entry else entries.get(entry) == 0:
            return ""
    parts = name.split(".")
    prefixes = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return next((idle[prefix] for prefix in prefixes if prefix in idle), "")


def _causes(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what leaves fields without effect, and these fields."""
    yield from _of_start(config)
    yield from _of_optimizer(config)
    if "content_weight" not in TRANSFER_METHODS[config.method].unused:
        yield from _of_terms(config)
    if config.styles:
        yield "styles", ("style",)
    yield from _of_styles(config)
    layers = up_to(architecture(config.network.arch).layers, config.active_layers()[-1])
    if all(layer.weighted for layer in layers):
        yield f"no layer beyond {layers[-1].name}", ("network.pool",)


def _of_start(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not config.starts_from_file():
        yield f"init={config.init}", ("init_scale",)
    draws = TRANSFER_METHODS[config.method].draws(config)
    if config.init != "noise":
        yield f"init={config.init}", ("noise",) if draws else ("noise", "seed")
    elif config.noise == 0 and not draws:
        yield "noise=0", ("seed",)


def _of_optimizer(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    unread = config.optimizer.unread()
    yield f"optimizer.name={config.optimizer.name}", tuple(f"optimizer.{name}" for name in unread)
    if len(config.scales) == 1:
        yield "a single scale", ("optimizer.warm_start",)


def _of_terms(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Settings of the content's and the style's term where a weight turns it off."""
    if config.content_weight == 0:
        yield "content_weight=0", ("content_layers", "content_loss")
    elif not config.active_content():
        yield "all content_layers at 0", ("content_weight", "content_loss")
    elif config.relative_losses:
        yield "relative_losses=True", ("content_loss",)
    if config.active_style():
        yield from (
            (f"style_losses.{name}=0", (f"loss_layers.{name}",))
            for name in config.loss_layers
            if not config.style_losses[name]
        )
        return
    cause = next(
        (
            f"all {table} at 0"
            for table in ("style_layers", "style_losses")
            if not any(vars(config)[table].values())
        ),
        "style_weight=0",
    )
    used = {"style", "styles", "style_scale"} if config.init == "style" else set()
    recolored = ("color",) if config.color in MATCHES and not used else ()
    weight = ("style_weight",) if config.style_weight else ()
    yield cause, (*(name for name in OF_STYLES if name not in used), *recolored, *weight)


def _of_styles(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    styles = config.active_styles()
    if not any(style.region or style.mask for style in styles.values()):
        yield "no region and no mask", ("guides",)
    for name, style in styles.items():
        others = [other for key, other in styles.items() if key != name and other.region == style.region]
        layers = {*style.layers}  # none stand for all
        if all(layers and other.layers and layers.isdisjoint(other.layers) for other in others):
            yield "no other style in its region", (f"styles.{name}.weight",)
