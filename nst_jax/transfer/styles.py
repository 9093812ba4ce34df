"""The styles of a job: pictures and masks read, checked, and recoloured as the config says."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
from absl import logging

from nst_jax import images
from nst_jax.config import Config
from nst_jax.config.controls import StyleConfig
from nst_jax.errors import UserError
from nst_jax.images import color
from nst_jax.images.region_masks import Mask, read_mask, resize_mask
from nst_jax.images.sources import folder_files
from nst_jax.losses.objective import EVERYWHERE

FOLDER = "folder:"
NEGLIGIBLE_GAP = 0.01  # share of the picture without a style that needs no warning


@dataclasses.dataclass(frozen=True)
class Style:
    """One style: its pictures count alike, and it applies to one region of the content."""

    name: str  # in the config
    pictures: tuple[np.ndarray, ...]
    weight: float  # among the styles of its region
    region: str  # a key of the job's regions, or EVERYWHERE
    mask: Mask | None  # over each of its pictures
    scale: float  # of the pictures, relative to the result
    layers: tuple[str, ...]


def read_styles(config: Config, content: np.ndarray) -> tuple[tuple[Style, ...], dict[str, Mask]]:
    """Return the styles in use, and the masks over the content by region.

    Regions are numbered in the order of the styles, so that masks can vary within one compiled program.

    Raises:
        UserError: a picture or a mask cannot be used; the message names its field.
    """
    named = config.active_styles()
    numbers: dict[str, str] = {"": EVERYWHERE}
    styles, regions = [], {}
    for name, style in named.items():
        if style.region not in numbers:
            numbers[style.region] = region = f"region {len(numbers)}"
            regions[region] = _read_mask(f"styles.{name}.region", style.region, content)
        styles.append(_read_style(name, style, numbers[style.region], config, content))
    _warn_of_gaps(styles, regions)
    return tuple(styles), regions


def _read_style(name: str, style: StyleConfig, region: str, config: Config, content: np.ndarray) -> Style:
    field = f"styles.{name}" if config.styles else "style"
    pictures = _read_pictures(field, style.image)
    mask = None
    if style.mask:
        if len({picture.shape for picture in pictures}) > 1:
            raise UserError(f"{field}.mask: the pictures of {style.image} differ in size; give one picture")
        mask = _read_mask(f"{field}.mask", style.mask, pictures[0])
    recolored = tuple(_recolored(picture, content, config.color) for picture in pictures)
    layers = tuple(layer for layer in config.active_style() if not style.layers or layer in style.layers)
    return Style(name, recolored, style.weight, region, mask, style.scale * config.style_scale, layers)


def picture_sources(source: str) -> list[str]:
    """Return the pictures that the `image` of a style names: itself, or those of a folder by name.

    Raises:
        UserError: the folder cannot be read, or has no pictures.
    """
    if not source.startswith(FOLDER):
        return [source]
    folder, paths = folder_files(source.removeprefix(FOLDER))
    return [str(folder / path) for path in paths]


def _read_pictures(field: str, source: str) -> list[np.ndarray]:
    try:
        return [images.read(name) for name in picture_sources(source)]
    except UserError as error:
        raise UserError(f"{field}: {error}") from error


def _read_mask(field: str, file: str, picture: np.ndarray) -> Mask:
    try:
        return read_mask(file, picture.shape[1:3])
    except UserError as error:
        raise UserError(f"{field}: {error}") from error


def _recolored(picture: np.ndarray, content: np.ndarray, how: str) -> np.ndarray:
    """The style picture with the colours that `color` asks for."""
    if how == "style":
        return picture
    if how == "luminance":
        return color.match_moments(color.luminance(picture), color.luminance(content))
    return color.match_colors(picture, content, how)


def _warn_of_gaps(styles: Iterable[Style], regions: Mapping[str, Mask]) -> None:
    """Log how much of the content no style applies to."""
    if any(style.region == EVERYWHERE for style in styles):
        return
    height, width = next(iter(regions.values())).shape
    covered = sum(resize_mask(mask, height, width) for mask in regions.values())
    gap = 1 - np.mean(np.clip(covered, 0, 1))
    if gap > NEGLIGIBLE_GAP:
        logging.warning("no style applies to %.0f %% of the picture", 100 * gap)
