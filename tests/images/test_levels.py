"""Black and white of samples of every type, and the tone of a high dynamic range."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.images.levels import to_unit

RAMP = np.linspace(0, 1, 24 * 40).reshape(24, 40)
SHADES = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)


def read_tiff(path, samples, **options):
    tifffile.imwrite(path, samples, metadata=None, **options)
    return images.read(str(path))[0]


def gray(pixels):
    assert np.ptp(pixels, axis=-1).max() == 0
    return pixels[..., 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_gray_of_whole_numbers(tmp_path, dtype, photometric):
    white = np.iinfo(dtype).max
    shown = RAMP if photometric == "minisblack" else 1 - RAMP
    pixels = read_tiff(tmp_path / "a.tif", np.rint(RAMP * white).astype(dtype), photometric=photometric)
    np.testing.assert_allclose(gray(pixels), shown, atol=0.51 / min(white, 65535))


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_float_gray(tmp_path, photometric):
    shown = RAMP if photometric == "minisblack" else 1 - RAMP
    pixels = read_tiff(tmp_path / "a.tif", RAMP.astype(np.float32), photometric=photometric)
    np.testing.assert_allclose(gray(pixels), shown, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_rgb_of_every_type_and_layout(tmp_path, dtype, planes, compression):
    white = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    samples = SHADES * white if white == 1 else np.rint(SHADES * white)
    samples = samples.astype(dtype) if planes == "contig" else np.moveaxis(samples, -1, 0).astype(dtype)
    options = {"photometric": "rgb", "planarconfig": planes, "compression": compression}
    pixels = read_tiff(tmp_path / "a.tif", samples, **options)
    np.testing.assert_allclose(pixels, SHADES, atol=0.51 / min(white if white > 1 else 2000, 65535))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "layout", [{"rowsperstrip": 7}, {"tile": (16, 16)}, {"predictor": True}, {"bigtiff": True}]
)
def test_strips_tiles_predictors_and_byte_orders(tmp_path, order, layout):
    samples = np.rint(SHADES * 65535).astype(np.uint16)
    options = {"photometric": "rgb", "compression": "zlib", "byteorder": order, **layout}
    np.testing.assert_allclose(read_tiff(tmp_path / "a.tif", samples, **options), SHADES, atol=1e-5)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize(("dtype", "white"), [(np.uint16, 65535), (np.float32, 1)])
def test_compressions_of_deep_samples(tmp_path, compression, dtype, white):
    Image.fromarray((RAMP * white).astype(dtype)).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_allclose(gray(images.read(str(tmp_path / "a.tif"))[0]), RAMP, atol=2e-5)


def tiff_by_hand(rows, width, bits, **tags):
    """A gray TIFF of packed rows, for what neither Pillow nor tifffile writes."""
    data = rows.tobytes()
    tags = {256: width, 257: len(rows), 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: len(rows)} | {
        279: len(data),
        **{int(name.removeprefix("tag_")): value for name, value in tags.items()},
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return struct.pack("<4sI", b"II*\0", 8 + len(data)) + data + directory


def test_floating_point_predictor(tmp_path):
    by_value = np.ascontiguousarray(RAMP.astype(">f4")).view(np.uint8).reshape(24, 40, 4)
    by_significance = by_value.swapaxes(1, 2).reshape(24, -1)
    rows = np.diff(by_significance, axis=1, prepend=np.zeros((24, 1), np.uint8))
    (tmp_path / "a.tif").write_bytes(tiff_by_hand(rows, 40, 32, tag_317=3, tag_339=3))
    np.testing.assert_allclose(gray(images.read(str(tmp_path / "a.tif"))[0]), RAMP, atol=1e-6)


def test_12_bits_per_sample(tmp_path):
    values = np.rint(RAMP[:, :39] * 4095).astype(np.int64)
    bits = (values[..., np.newaxis] >> np.arange(11, -1, -1)) & 1
    rows = np.packbits(bits.reshape(24, -1).astype(np.uint8), axis=1)
    (tmp_path / "a.tif").write_bytes(tiff_by_hand(rows, 39, 12))
    np.testing.assert_allclose(gray(images.read(str(tmp_path / "a.tif"))[0]), RAMP[:, :39], atol=1 / 4095)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("tag", [281, 341])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_stated_maximum_is_white(tmp_path, caplog, bits, tag, channels):
    samples = np.rint(SHADES * (2**bits - 1)).astype(np.uint16)
    samples, photometric = (samples, "rgb") if channels == 3 else (samples[..., 0], "minisblack")
    stated = [(tag, 3, channels, (2**bits - 1,) * channels if channels > 1 else 2**bits - 1, True)]
    pixels = read_tiff(tmp_path / "a.tif", samples, photometric=photometric, extratags=stated)
    np.testing.assert_allclose(pixels[..., 0], RAMP, atol=1 / 2**bits)
    assert not caplog.text


def test_a_stated_maximum_below_full_scale_does_not_stretch(tmp_path):
    samples = np.rint(RAMP * 40_000).astype(np.uint16)
    pixels = read_tiff(
        tmp_path / "a.tif", samples, photometric="minisblack", extratags=[(281, 3, 1, 40_000, True)]
    )
    np.testing.assert_allclose(gray(pixels), RAMP * 40_000 / 65535, atol=1e-5)


@pytest.mark.parametrize("white", [255, 1023, 4095])
def test_few_bits_in_16_are_guessed_and_said(tmp_path, caplog, white):
    pixels = read_tiff(tmp_path / "a.tif", np.rint(RAMP * white).astype(np.uint16), photometric="minisblack")
    np.testing.assert_allclose(gray(pixels), RAMP, atol=1 / white)
    assert f"white is taken as {white}" in caplog.text


def test_signed_samples_below_zero_use_their_range(tmp_path, caplog):
    pixels = read_tiff(
        tmp_path / "a.tif", np.rint(RAMP * 3000 - 1000).astype(np.int16), photometric="minisblack"
    )
    np.testing.assert_allclose(gray(pixels), RAMP, atol=1e-3)
    assert "from -1000 to 2000" in caplog.text


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_alpha_of_deep_samples(tmp_path, dtype, kind):
    white, alpha = (65535, 0.25 + 0.75 * RAMP) if dtype == np.uint16 else (1, 0.25 + 0.75 * RAMP)
    colour = SHADES * alpha[..., np.newaxis] if kind == "assocalpha" else SHADES
    samples = (np.dstack([colour, alpha]) * white).astype(dtype)
    pixels = read_tiff(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=[kind])
    a = alpha[..., np.newaxis]
    np.testing.assert_allclose(pixels, SHADES * a + 1 - a, atol=1e-4)


def test_cmyk_of_16_bits(tmp_path):
    inks = np.dstack([1 - SHADES, np.zeros_like(RAMP)])
    pixels = read_tiff(tmp_path / "a.tif", np.rint(inks * 65535).astype(np.uint16), photometric="separated")
    np.testing.assert_allclose(pixels, SHADES, atol=2 / 255)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_deep_pictures_are_turned_upright(tmp_path, orientation):
    samples = np.rint(SHADES * 65535).astype(np.uint16)
    pixels = read_tiff(
        tmp_path / "a.tif", samples, photometric="rgb", extratags=[(274, 3, 1, orientation, True)]
    )
    turned = {1: SHADES, 3: SHADES[::-1, ::-1], 6: np.rot90(SHADES, -1)}[orientation]
    np.testing.assert_allclose(pixels, turned, atol=1e-5)


@pytest.mark.parametrize("scale", [2.0, 4.0, 30.0])
def test_a_brightened_picture_is_scaled_back(caplog, scale):
    pixels = to_unit((0.1 + 0.9 * SHADES) * scale, "a.tif")
    np.testing.assert_allclose(pixels, 0.1 + 0.9 * SHADES, atol=1e-6)
    assert f"white is taken as {scale:g}" in caplog.text


def test_a_high_dynamic_range_is_tone_mapped(caplog):
    linear = SHADES**2.2
    linear[0, :12] = 400.0  # the sun
    pixels = to_unit(linear.astype(np.float32), "a.tif")
    assert "high dynamic range" in caplog.text
    assert 0.3 < pixels[1:].mean() < 0.6
    assert pixels[0, :12].min() > 0.95
    brighter = to_unit(7 * linear.astype(np.float32), "a.tif")
    np.testing.assert_allclose(brighter, pixels, atol=1e-3)


def test_a_few_highlights_are_clipped(caplog):
    samples = SHADES.copy()
    samples[0, 0] = 3.0
    np.testing.assert_allclose(to_unit(samples, "a.tif"), np.clip(samples, 0, 1), atol=1e-6)
    assert "clipped to white" in caplog.text


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(UserError, match="complex"):
        to_unit(SHADES.astype(complex), "a")


def test_reduction_averages_blocks_also_at_the_edges():
    samples = np.rint(SHADES * 65535).astype(np.uint16)[:23, :38]
    pixels = to_unit(samples, "a", factor=5)
    assert pixels.shape == (5, 8, 3)
    np.testing.assert_allclose(pixels[1, 2], samples[5:10, 10:15].mean((0, 1)) / 65535, atol=1e-6)
    np.testing.assert_allclose(pixels[-1, -1], samples[20:, 35:].mean((0, 1)) / 65535, atol=1e-6)


def test_pixels_of_all_pillow_saves_survive(tmp_path):
    """Plain pages of 8 bits still go through Pillow."""
    for mode in ("1", "L", "P", "RGB", "CMYK", "YCbCr", "LAB"):
        picture = Image.fromarray(np.rint(SHADES * 255).astype(np.uint8))
        picture = (
            picture.convert(mode)
            if mode != "LAB"
            else Image.frombytes("LAB", picture.size, picture.tobytes())
        )
        file = io.BytesIO()
        picture.save(file, "TIFF")
        (tmp_path / "a.tif").write_bytes(file.getvalue())
        expected = np.asarray(picture.convert("RGB")) / 255
        np.testing.assert_allclose(images.read(str(tmp_path / "a.tif"))[0], expected, atol=2 / 255)
