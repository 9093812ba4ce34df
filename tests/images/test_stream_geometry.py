"""Which part of a picture the network sees, at what scale, and the way back to the picture."""

import numpy as np
import pytest

from nst_jax.images import squares
from nst_jax.images.streams import Frame, Stream
from tests.pictures import save, smooth


def bicubic(n_in, left, scale, size):
    """Antialiased bicubic interpolation along one axis, from its definition (Keys, a = -1/2)."""
    stretch = max(1.0, scale)
    centres = left + (np.arange(size) + 0.5) * scale
    t = np.abs((np.arange(n_in) + 0.5 - centres[:, np.newaxis]) / stretch)
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    weights = np.where(t < 1, near, np.where(t < 2, far, 0))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("height", "width"), [(60, 97), (90, 61), (50, 50), (20, 33)])
def test_the_input_is_the_resized_middle_where_its_frame_says(tmp_path, height, width):
    # Not to be clipped between the two axes, as Pillow would.
    pixels = np.random.default_rng(0).integers(70, 186, (height, width, 3), np.uint8)
    save(pixels, tmp_path / "a.png")
    stream = Stream(f"folder:{tmp_path}", 32)
    result, frame = stream.input(0)
    side = min(height, width)
    assert (frame.width, frame.height, frame.scale) == (width, height, side / 32)
    assert (frame.left, frame.top) == ((width - side) / 2, (height - side) / 2)
    rows = bicubic(height, frame.top, frame.scale, 32)
    columns = bicubic(width, frame.left, frame.scale, 32)
    expected = np.einsum("yi,ijc,xj->yxc", rows, pixels, columns)
    np.testing.assert_allclose(result, expected, atol=1.5)
    np.testing.assert_array_equal(stream.source(0), pixels)


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        # 400 x 200 shown at 100: two source pixels each, from column 100 on.
        ((400, 200), (0, 0, 100, 100), (100, 0, 300, 200)),
        ((400, 200), (10, 20, 11, 23), (120, 40, 122, 46)),
        # 201 x 300 shown at 100: 2.01 each, from row 49.5 on.
        ((201, 300), (0, 0, 1, 1), (0, 49, 3, 52)),
        ((201, 300), (99, 50, 100, 100), (198, 150, 201, 251)),
        # 50 x 50 enlarged twice: half a source pixel each.
        ((50, 50), (3, 4, 5, 6), (1, 2, 3, 3)),
        # Receptive fields reach over the input's edge, and into what was cut away.
        ((400, 200), (-20, -20, 120, 101), (60, 0, 340, 200)),
        # 299 x 224 shown at 224: from column 37.5 on.
        ((299, 224), (0, 3, 2, 5), (37, 3, 40, 5)),
    ],
)
def test_boxes_in_the_source(size, box, expected):
    width, height = size
    side, shown = min(size), 224 if size == (299, 224) else 100
    frame = Frame(0, "", width, height, side / shown, (width - side) / 2, (height - side) / 2)
    assert frame.to_source(box) == expected


def test_a_whole_pixel_edge_stays_one_in_spite_of_rounding():
    for side, shown in [(375, 224), (333, 128), (500, 224), (1001, 77)]:
        frame = Frame(0, "", side, side, side / shown, 0.0, 0.0)
        for i in range(shown + 1):
            exact = (i * side) // shown, -((-i * side) // shown)
            assert (frame.to_source((i, 0, i, 0))[0], frame.to_source((0, 0, i, 0))[2]) == exact


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation, suffix):
    save(smooth(40, 61), tmp_path / f"a.{suffix}", orientation, lossless=True)
    save(smooth(40, 61), tmp_path / "b.png")
    stream = Stream(f"folder:{tmp_path}", 20)
    (turned, frame), (upright, expected) = stream.input(0), stream.input(1)
    np.testing.assert_array_equal(turned, upright)
    assert (frame.width, frame.height, frame.left, frame.top) == (61, 40, expected.left, expected.top)
    np.testing.assert_array_equal(stream.source(0), smooth(40, 61))


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_large_jpegs_are_decoded_smaller_at_the_same_place(tmp_path, monkeypatch, orientation):
    # 701 and 1003 are no multiples of 8: the smaller picture ends within its last row and column.
    save(smooth(701, 1003), tmp_path / "a.jpg", orientation, quality=95)
    stream = Stream(f"folder:{tmp_path}", 32)
    drafted, frame = stream.input(0)
    monkeypatch.setattr(squares, "DRAFT_GAP", 1000)
    whole, expected = stream.input(0)
    assert frame == expected
    assert (frame.width, frame.height) == (1003, 701)
    assert 0 < np.abs(drafted.astype(float) - whole).max() <= 3


@pytest.mark.parametrize("orientation", [1, 6])
def test_whole_pictures_are_reduced_and_never_enlarged(tmp_path, orientation):
    save(smooth(701, 1003), tmp_path / "a.jpg", orientation, quality=95)
    save(smooth(20, 31), tmp_path / "b.png", orientation)
    small, large = Stream(f"folder:{tmp_path}", 16).reduced([1, 0], 100)
    np.testing.assert_array_equal(small, smooth(20, 31))
    assert large.shape == (70, 100, 3)
    # Their first and last pixels lie at other places: half a pixel of a hundred, along waves of up to 9.
    assert np.abs(large.astype(float) - smooth(70, 100)).max() <= 12
