"""What `read` makes of every format, mode, orientation and transparency."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from nst_jax import images

HEIGHT, WIDTH = 24, 40
# Smooth, so that lossy codecs stay near it; no two of its eight orientations are alike.
Y, X = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
RGB = np.rint(255 * np.stack([X, Y, 1 - X * Y], axis=-1)).astype(np.uint8)
ALPHA = np.rint(255 * (0.2 + 0.8 * X)).astype(np.uint8)


def unit(pixels):
    return pixels.astype(np.float64)[np.newaxis] / 255


def save(picture, path, **options):
    picture.save(path, **options)
    return str(path)


def assert_reads(path, expected, tolerance=1e-6):
    image = images.read(str(path))
    assert image.dtype == np.float32
    assert image.shape == expected.shape
    assert image.min() >= 0
    assert image.max() <= 1
    np.testing.assert_allclose(image, expected, atol=tolerance)


@pytest.mark.parametrize(
    ("suffix", "options", "tolerance"),
    [
        ("png", {}, 1e-6),
        ("bmp", {}, 1e-6),
        ("ppm", {}, 1e-6),
        ("tga", {}, 1e-6),
        ("tiff", {}, 1e-6),
        ("tiff", {"compression": "tiff_lzw"}, 1e-6),
        ("jpg", {"quality": 95, "subsampling": 0}, 0.03),
        ("jpg", {"quality": 95, "subsampling": 0, "progressive": True}, 0.03),
        ("webp", {"lossless": True}, 1e-6),
        ("webp", {"quality": 95}, 0.1),
        ("jp2", {}, 0.01),
        ("avif", {"quality": 95}, 0.05),
    ],
)
def test_reads_the_common_formats(tmp_path, suffix, options, tolerance):
    path = save(Image.fromarray(RGB), tmp_path / f"a.{suffix}", **options)
    assert_reads(path, unit(RGB), tolerance)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("1", "png"), ("L", "png"), ("L", "jpg"), ("P", "png"), ("P", "gif"), ("YCbCr", "tiff")],
)
def test_reads_every_colour_mode_as_pillow_converts_it(tmp_path, mode, suffix):
    picture = Image.fromarray(RGB).convert(mode)
    expected = unit(np.asarray(picture.convert("RGB")))
    tolerance = 0.03 if suffix == "jpg" else 1e-6
    assert_reads(save(picture, tmp_path / f"a.{suffix}"), expected, tolerance)


@pytest.mark.parametrize("suffix", ["tiff", "jpg"])
def test_cmyk_without_profile(tmp_path, suffix):
    picture = Image.merge("CMYK", [*Image.fromarray(255 - RGB).split(), Image.new("L", (40, 24))])
    path = save(picture, tmp_path / f"a.{suffix}")
    assert_reads(path, unit(RGB), 0.03)


def test_lab_is_converted(tmp_path):
    # CIE L* = 50, a* = b* = 0 is the middle gray, 119 of 255 in sRGB.
    path = save(Image.new("LAB", (32, 32), (128, 128, 128)), tmp_path / "a.tiff")
    assert_reads(path, np.full((1, 32, 32, 3), 119 / 255), 2 / 255)


def oriented(array, orientation):
    """What must be stored so that EXIF `orientation` shows `array`."""
    stored = {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.swapaxes(0, 1),
        6: np.rot90(array, 1),  # "rotate clockwise to view"
        7: array[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(array, -1),
    }
    return np.ascontiguousarray(stored[orientation])


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(oriented(RGB, orientation))
    options = {"exif": exif, "quality": 100, "lossless": True}
    assert_reads(save(stored, tmp_path / f"a.{suffix}", **options), unit(RGB), 0.05)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_broken_exif_is_ignored(tmp_path, exif):
    path = save(Image.fromarray(RGB), tmp_path / "a.jpg", exif=exif, quality=100)
    assert_reads(path, unit(RGB), 0.05)


def over_white(pixels, alpha):
    a = alpha[..., np.newaxis] / 255
    return (pixels / 255 * a + 1 - a)[np.newaxis]


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
def test_rgba_lies_over_white(tmp_path, suffix):
    picture = Image.fromarray(np.dstack([RGB, ALPHA]))
    path = save(picture, tmp_path / f"a.{suffix}", lossless=True)
    assert_reads(path, over_white(RGB, ALPHA))


@pytest.mark.parametrize(("mode", "suffix"), [("LA", "png"), ("PA", "tiff")])
def test_other_alpha_modes_lie_over_white(tmp_path, mode, suffix):
    picture = Image.fromarray(RGB[..., 0]).convert(mode[0])
    expected = over_white(np.asarray(picture.convert("RGB")), ALPHA)
    picture.putalpha(Image.fromarray(ALPHA))
    assert picture.mode == mode
    assert_reads(save(picture, tmp_path / f"a.{suffix}"), expected)


@pytest.mark.parametrize(
    ("mode", "key"), [("P", 0), ("P", bytes([0, 255])), ("L", 10), ("RGB", (10, 10, 10)), ("1", 0)]
)
def test_a_transparent_colour_is_the_background(tmp_path, mode, key):
    key_colour, other = (0, 1) if mode == "P" else (0, 255) if mode == "1" else (10, 200)
    picture = Image.fromarray(np.full((HEIGHT, WIDTH), other, np.uint8))
    picture.paste(key_colour, (0, 0, 20, HEIGHT))
    if mode == "P":
        picture.putpalette([10, 10, 10, 200, 200, 200])
    picture = picture.convert(mode) if mode != "P" else picture
    other_gray = {"P": 200, "1": 255}.get(mode, other)
    expected = np.full((1, HEIGHT, WIDTH, 3), other_gray / 255)
    expected[:, :, :20] = mode != "1"  # next to white, black
    assert_reads(save(picture, tmp_path / "a.png", transparency=key), expected)


@pytest.mark.parametrize(
    ("dtype", "suffix", "scale"),
    [
        (np.uint16, "png", 65535),
        (np.uint16, "tiff", 65535),
        (np.uint16, "ppm", 65535),
        (np.int32, "tiff", 255),
        (np.int32, "tiff", 65535),
        (np.int32, "tiff", 2**31 - 1),
        (np.float32, "tiff", 1),
        (np.float32, "tiff", 255),
    ],
)
def test_deep_gray_is_scaled_not_clipped(tmp_path, dtype, suffix, scale):
    ramp = np.linspace(0, 1, 32 * 64).reshape(32, 64)
    path = save(Image.fromarray((ramp * scale).astype(dtype)), tmp_path / f"a.{suffix}")
    tolerance = 1 / scale if np.issubdtype(dtype, np.integer) else 1e-6
    assert_reads(path, np.stack([ramp] * 3, axis=-1)[np.newaxis], tolerance + 1e-6)


def test_float_overshoot_is_clipped(tmp_path):
    path = save(Image.fromarray(np.full((16, 16), 1.2, np.float32)), tmp_path / "a.tiff")
    assert_reads(path, np.ones((1, 16, 16, 3)))


def png(header, rows):
    """A PNG by hand: `header` is (width, height, bits, colour type)."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", *header, 0, 0, 0)), (b"IDAT", zlib.compress(rows))]
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in [*parts, (b"IEND", b"")]
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_16_bit_colour(tmp_path):
    values = np.linspace(0, 65535, 32 * 32 * 3).reshape(32, 32, 3)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    (tmp_path / "a.png").write_bytes(png((32, 32, 16, 2), rows))
    assert_reads(tmp_path / "a.png", values[np.newaxis] / 65535, 1 / 255)
