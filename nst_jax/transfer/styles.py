"""The styles of a job: pictures and masks read, checked, and recoloured as the config says."""

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np

from nst_jax.config import Config
from nst_jax.config.controls import StyleConfig
from nst_jax.errors import UserError
from nst_jax.images import color
from nst_jax.images.region_masks import Mask
from nst_jax.losses.features.request import EVERYWHERE
from nst_jax.transfer.pictures import Picture, Pictures, picture_sources
from nst_jax.transfer.regions import Region, regions_of, warn_of_gaps


@dataclasses.dataclass(frozen=True)
class Style:
    """One style: its pictures count alike, and it applies to one region of the content."""

    name: str  # in the config
    pictures: tuple[np.ndarray, ...]  # at their full size, or smaller if their files are
    weight: float  # among the styles of its region
    region: str  # a key of the job's regions, or EVERYWHERE
    mask: Mask | None  # over each of its pictures
    scale: float  # of the pictures, relative to the result
    layers: tuple[str, ...]
    strength: float = 1.0


def read_styles(
    config: Config, content: Picture, pictures: Pictures
) -> tuple[tuple[Style, ...], dict[str, Region]]:
    """Return the styles in use, and the regions of the content by name.

    Regions are numbered in the order of the styles, so that masks can vary within one compiled program.

    Raises:
        UserError: a picture or a mask cannot be used; the message names its field.
    """
    named = config.active_styles()
    numbers: dict[str, str] = {"": EVERYWHERE}
    styles, masks = [], {}
    for name, style in named.items():
        if style.region not in numbers:
            numbers[style.region] = region = f"region {len(numbers)}"
            with field_named(f"styles.{name}.region"):
                masks[region] = pictures.mask(style.region, content.size, config.size)
        styles.append(_read_style(name, style, numbers[style.region], config, content.pixels, pictures))
    # A style without a mask covers what the others leave.
    if not any(style.region == EVERYWHERE for style in styles):
        warn_of_gaps(masks)
    return tuple(styles), regions_of(masks)


@contextlib.contextmanager
def field_named(field: str) -> Iterator[None]:
    """Put the name of the `field` in front of the errors in the block."""
    try:
        yield
    except UserError as error:
        raise error.prefixed(field) from error


def _read_style(
    name: str, style: StyleConfig, region: str, config: Config, content: np.ndarray, pictures: Pictures
) -> Style:
    field, side = f"styles.{name}" if config.styles else "style", config.style_size(style)
    with field_named(field):
        read = [pictures.fitted(source, side) for source in picture_sources(style.image)]
    mask = None
    if style.mask:
        if len({picture.size for picture in read}) > 1:
            raise UserError(f"{field}.mask: the pictures of {style.image} differ in size; give one picture")
        with field_named(f"{field}.mask"):
            mask = pictures.mask(style.mask, read[0].size, side)
    recolored = tuple(_recolored(picture.pixels, content, config.color) for picture in read)
    layers = tuple(layer for layer in config.active_style() if not style.layers or layer in style.layers)
    scale = style.scale * config.style_scale
    return Style(name, recolored, style.weight, region, mask, scale, layers, style.strength)


def _recolored(picture: np.ndarray, content: np.ndarray, how: str) -> np.ndarray:
    """The style picture with the colours that `color` asks for."""
    if how == "style":
        return picture
    if how == "luminance":
        return color.match_moments(color.luminance(picture), color.luminance(content))
    return color.match_colors(picture, content, how)
