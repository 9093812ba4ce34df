"""What transparent pictures are blended with: their shape stays visible."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from nst_jax import images

DISK = Image.new("L", (64, 64))
ImageDraw.Draw(DISK).ellipse((12, 12, 52, 52), fill=255)


def logo(left, right=None):
    picture = Image.new("RGB", (64, 64), left)
    if right is not None:
        picture.paste(right, (32, 0, 64, 64))
    picture.putalpha(DISK)
    return picture


def corner(picture, path, **options):
    picture.save(path, **options)
    pixels = images.read(str(path))
    assert np.ptp(pixels) > 0.4, "the shape is visible"
    return pixels[0, 0, 0, 0]


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
@pytest.mark.parametrize(
    ("colours", "background"),
    [
        (["black"], 1),
        (["red"], 1),
        (["yellow"], 1),
        (["gray"], 1),
        (["white"], 0),
        (["#f4f4f4"], 0),
        (["white", "red"], 0),
        (["white", "black"], 0.5),
    ],
)
def test_the_outline_decides(tmp_path, caplog, colours, background, suffix):
    picture = logo(*colours)
    assert corner(picture, tmp_path / f"a.{suffix}", lossless=True) == background
    assert ("outline is invisible on white" in caplog.text) == (background != 1)


def test_gray_with_alpha_and_soft_edges(tmp_path):
    soft = Image.merge("LA", [Image.new("L", (64, 64), 255), DISK.resize((16, 16)).resize((64, 64))])
    assert corner(soft, tmp_path / "a.png") == 0


def test_a_transparent_palette_entry(tmp_path):
    palette = DISK.point(lambda value: value // 255).convert("P")
    palette.putpalette([0, 0, 0, 255, 255, 255])
    assert corner(palette, tmp_path / "a.png", transparency=0) == 0


def test_a_white_middle_inside_a_black_outline_stays_on_white(tmp_path):
    picture = Image.new("RGB", (64, 64), "black")
    ImageDraw.Draw(picture).ellipse((20, 20, 44, 44), fill="white")
    picture.putalpha(DISK)
    assert corner(picture, tmp_path / "a.png") == 1
