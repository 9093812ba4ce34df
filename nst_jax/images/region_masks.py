"""Masks: pictures that say where something applies, 1 where it does."""

import re

import numpy as np
from absl import logging
from jaxtyping import Float
from PIL import Image

from nst_jax.errors import UserError
from nst_jax.images.decoding import lacks_memory
from nst_jax.images.modes import colour_and_alpha
from nst_jax.images.orientation import upright
from nst_jax.images.reading import UnreadableError, open_file, opened, orientation_of, quieten_pillow
from nst_jax.images.samples import locate

MOST_DISTORTION = 0.02  # by which the aspect ratio of a mask may differ from that of its picture
# Two of 255 levels: what draws or compresses masks does not always reach black and white.
ALMOST = 2.5 / 255
UNIFORM = 0.99  # share of a mask with one value that is worth a warning
# Scans and compressed gray masks have small differences of channels, and a few large ones at edges.
GRAYISH, MOST_COLORED = 24 / 255, 0.01
COLOR_TOLERANCE = 48 / 255  # of each channel of the colour of an area

_COLOR = re.compile(r"(?P<path>.+)#(?P<color>[0-9a-fA-F]{6})")

Mask = Float[np.ndarray, "_ _"]


def read_mask(source: str, size: tuple[int, int]) -> Mask:
    """Read a mask for a picture of `size`, height and width; grays are partial membership.

    The mask is the alpha channel of the file if that varies. `FILE#ff0000` is the area of one colour of a
    map. Values within two of 255 levels of black or white are these.

    Raises:
        UserError: it is not a picture, is in colour, has another aspect ratio, or marks nothing.
    """
    path, color = mask_file(source)
    colors, alpha = _read(path)
    height, width = alpha.shape
    distortion = (height / width) / (size[0] / size[1])
    if not 1 / (1 + MOST_DISTORTION) < distortion < 1 + MOST_DISTORTION:
        raise UserError(f"{source}: is {width} x {height} pixels, but its picture is {size[1]} x {size[0]}")
    if color is not None:
        mask = _area(source, colors, alpha, color)
    elif np.ptp(alpha) > ALMOST:
        logging.warning("%s: its opaque part is the mask", source)
        mask = alpha
    else:
        # A file that is transparent everywhere marks nothing.
        mask = _gray(source, colors) * (alpha > 0)
    mask = np.where(mask < ALMOST, 0, np.where(mask > 1 - ALMOST, 1, mask)).astype(np.float32)
    if not mask.any():
        raise UserError(f"{source}: is black everywhere, or transparent; white marks the region")
    value = float(np.median(mask))
    share = np.mean(np.abs(mask - value) < ALMOST)
    if share >= UNIFORM:  # it may be another file than was meant
        name = {0.0: "black", 1.0: "white"}.get(value, f"a gray of {value:.0%}")
        logging.warning("%s: %.3g %% of the mask is %s", source, 100 * share, name)
    return mask


def mask_file(source: str) -> tuple[str, np.ndarray | None]:
    """Return the file of a mask, and the colour in [0, 1] of the area that `FILE#rrggbb` takes of it."""
    match = _COLOR.fullmatch(source)
    if not match or locate(source).exists():
        return source, None
    return match["path"], np.frombuffer(bytes.fromhex(match["color"]), np.uint8) / 255


def resize_mask(mask: Mask, height: int, width: int) -> Float[np.ndarray, "{height} {width}"]:
    """Resize bilinearly, antialiased."""
    resized = Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized).clip(0, 1)


def _read(path: str) -> tuple[np.ndarray, Mask]:
    """Read the colours as they are below the transparency, and the alpha channel, 1 if there is none."""
    quieten_pillow()
    with open_file(locate(path), path) as file, opened(file, path) as picture:
        if lack := lacks_memory(picture):
            raise UnreadableError(path, lack)
        colors, alpha = colour_and_alpha(picture, path)
        turn = orientation_of(picture)  # known only after decoding
    alpha = np.ones(colors.shape[:2], np.float32) if alpha is None else alpha
    return upright(colors, turn), upright(alpha, turn)


def _gray(source: str, colors: np.ndarray) -> Mask:
    """Return the gray values of a mask; those of a coloured map would be an arbitrary share of each area."""
    if np.mean(np.ptp(colors, axis=-1) > GRAYISH) > MOST_COLORED:
        main = _main_colors(colors)
        raise UserError(
            f"{source}: is in colour, but a mask is gray; for the area of one colour, append it as in "
            f"{source}{main[0]}; its main colours: {', '.join(main)}"
        )
    return colors.mean(-1)


def _area(source: str, colors: np.ndarray, alpha: Mask, color: np.ndarray) -> Mask:
    """Return the mask of the opaque pixels of a `color`, up to the noise of compression."""
    area = (np.abs(colors - color).max(-1) <= COLOR_TOLERANCE) & (alpha > 0.5)
    if not area.any():
        raise UserError(
            f"{source}: no pixel has this colour; main colours: {', '.join(_main_colors(colors))}"
        )
    return area.astype(np.float32)


def _main_colors(colors: np.ndarray) -> list[str]:
    """Return the most frequent colours as `#rrggbb`, at most six."""
    levels = np.rint(255 * colors).astype(np.uint32)
    packed, counts = np.unique(levels @ np.array([1 << 16, 1 << 8, 1], np.uint32), return_counts=True)
    return [f"#{value:06x}" for value in packed[np.argsort(-counts, kind="stable")][:6]]
