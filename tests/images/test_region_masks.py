"""Masks from files: transparency, colours, nearly black and nearly white, and what is said about them."""

import logging

import numpy as np
import pytest
from absl import logging as absl_logging
from PIL import Image

from nst_jax.errors import UserError
from nst_jax.images.region_masks import mask_file, read_mask

SIZE = (24, 32)
DISK = np.hypot(*np.mgrid[-12:12, -16:16]) < 8


def saved(path, pixels, mode=None, **options):
    Image.fromarray(np.asarray(pixels, np.uint8), mode).save(path, **options)
    return str(path)


def with_alpha(colors, alpha):
    return np.concatenate([np.broadcast_to(colors, (*SIZE, 3)), 255 * alpha[..., None]], axis=-1)


@pytest.fixture
def said(caplog):
    absl_logging.get_absl_logger().propagate = True
    caplog.set_level(logging.WARNING)
    return lambda: caplog.text


@pytest.mark.parametrize("colors", [255, 0, (200, 30, 30)])
def test_the_opaque_part_is_the_mask_whatever_its_colours(tmp_path, colors, said):
    path = saved(tmp_path / "shape.png", with_alpha(colors, DISK))
    np.testing.assert_array_equal(read_mask(path, SIZE), DISK)
    assert "shape.png: its opaque part is the mask" in said()


def test_a_transparent_palette_colour_is_outside(tmp_path):
    picture = Image.fromarray(np.uint8(DISK)).convert("P")
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(tmp_path / "shape.gif", transparency=0)
    np.testing.assert_array_equal(read_mask(str(tmp_path / "shape.gif"), SIZE), DISK)


def test_an_opaque_alpha_channel_says_nothing(tmp_path):
    gray = np.where(DISK, 255, 0)[..., None]
    path = saved(tmp_path / "mask.png", with_alpha(gray, np.ones(SIZE)))
    np.testing.assert_array_equal(read_mask(path, SIZE), DISK)
    for name, alpha in (("clear", np.zeros(SIZE)), ("black", np.ones(SIZE))):
        path = saved(tmp_path / f"{name}.png", with_alpha(0, alpha))
        with pytest.raises(UserError, match="is black everywhere, or transparent"):
            read_mask(path, SIZE)


def test_almost_black_and_almost_white_are_black_and_white(tmp_path):
    levels = np.array([0, 1, 2, 3, 128, 252, 253, 254, 255])
    path = saved(tmp_path / "levels.png", np.broadcast_to(levels.repeat(3), (27, 27)))
    found = read_mask(path, (27, 27))[0, ::3]
    np.testing.assert_allclose(255 * found, [0, 0, 0, 3, 128, 252, 255, 255, 255], rtol=1e-6)


def test_a_map_of_colours_is_refused_or_split_by_colour(tmp_path):
    colors = np.where(DISK[..., None], (255, 0, 0), (0, 128, 255))
    path = saved(tmp_path / "map.png", colors)
    with pytest.raises(UserError, match=r"map\.png: is in colour.*map\.png#0080ff.*#0080ff, #ff0000"):
        read_mask(path, SIZE)
    np.testing.assert_array_equal(read_mask(f"{path}#ff0000", SIZE), DISK)
    np.testing.assert_array_equal(read_mask(f"{path}#0080FF", SIZE), ~DISK)
    with pytest.raises(UserError, match=r"#00ff00: no pixel has this colour; main colours: #0080ff, #ff0000"):
        read_mask(f"{path}#00ff00", SIZE)
    compressed = saved(tmp_path / "map.jpg", colors, quality=75, subsampling=0)
    found = read_mask(f"{compressed}#ff0000", SIZE)
    assert np.mean(found != DISK) < 0.05


def test_a_file_of_that_name_wins_over_a_colour(tmp_path):
    path = saved(tmp_path / "mask#ff0000", np.where(DISK, 255, 0), format="PNG")
    assert mask_file(path) == (path, None)
    np.testing.assert_array_equal(read_mask(path, SIZE), DISK)


def test_slightly_tinted_grays_are_gray(tmp_path):
    gray = np.where(DISK, 200, 50)[..., None] + [6, 0, -6]
    found = read_mask(saved(tmp_path / "scan.png", gray), SIZE)
    np.testing.assert_allclose(found, np.where(DISK, 200, 50) / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "words"), [(255, "99.9 % of the mask is white"), (64, "99.9 % of the mask is a gray of 25%")]
)
def test_a_mask_of_one_value_says_so(tmp_path, value, words, said):
    pixels = np.full(SIZE, value)
    pixels[3, 4] = 0
    read_mask(saved(tmp_path / "same.png", pixels), SIZE)
    assert words in said()
