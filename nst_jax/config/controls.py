"""The settings of one of several styles: what it is taken from, where it applies, and how much it counts."""

import dataclasses
from collections.abc import Collection, Mapping

from nst_jax.config import fields
from nst_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class StyleConfig:
    """One of several styles; those of the same `region` are averaged by their `weight`."""

    image: str = ""  # a path, sample:NAME, or folder:PATH for the average of its pictures
    weight: float = 1.0  # among the styles of its region
    strength: float = 1.0  # its share of the style's statistics; the content itself has the rest
    region: str = ""  # a mask of the content, white where this style applies; '' for everywhere
    mask: str = ""  # a mask of the style picture, white where it is taken from; '' for all of it
    scale: float = 1.0  # times `style_scale`
    layers: tuple[str, ...] = ()  # the style layers that it sets; () for all


def check_styles(styles: Mapping[str, StyleConfig], layers: Collection[str]) -> None:
    """Check the `styles` of a config whose active style layers are `layers`.

    Raises:
        UserError: a field of one of them is invalid, or all weights of a region are 0.
    """
    for name, style in styles.items():
        prefix = f"styles.{name}"
        if not style.image:
            raise UserError(f"{prefix}.image: is missing; give a path, sample:NAME or folder:PATH")
        fields.not_negative(f"{prefix}.weight", style.weight)
        fields.not_negative(f"{prefix}.strength", style.strength)
        if style.strength > 1:
            raise UserError(f"{prefix}.strength: {style.strength} is above 1, the style alone")
        fields.positive(f"{prefix}.scale", style.scale)
        for layer in style.layers:
            fields.one_of(f"{prefix}.layers", layer, layers)
    for region in {style.region for style in styles.values()}:
        members = {name: style.weight for name, style in styles.items() if style.region == region}
        if not any(members.values()):
            where = f"region {region}" if region else "styles without a region"
            raise UserError(f"styles.{next(iter(members))}.weight: all weights of the {where} are 0")
