"""Pictures in memory reach a run as the same pixels that their files would."""

import jax.numpy as jnp
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from nst_jax import images
from nst_jax.api.inputs import saved_pictures
from nst_jax.errors import UserError

RAMP = np.linspace(0, 1, 24 * 40).reshape(24, 40)
BYTES = np.rint(255 * np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)).astype(np.uint8)
DEEP = np.rint(65535 * RAMP).astype(np.uint16)
SHADES = BYTES / np.float32(255)


@pytest.fixture
def read(tmp_path):
    """Read a picture in memory as a run does."""

    def read(value):
        return images.read(saved_pictures({"content": value}, tmp_path / "inputs")["content"])[0]

    return read


def lab(picture):
    srgb, space = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
    return ImageCms.applyTransform(picture, ImageCms.buildTransform(srgb, space, "RGB", "LAB"))


def in_mode(mode):
    picture = Image.fromarray(BYTES)
    if mode.startswith("I;16"):
        order = {"I;16B": ">u2", "I;16N": "=u2"}.get(mode, "<u2")
        return Image.frombytes(mode, (40, 24), DEEP.astype(order).tobytes())
    if mode in ("I", "F"):
        return Image.fromarray((RAMP * 65535).astype(np.int32) if mode == "I" else RAMP.astype(np.float32))
    if mode == "LAB":
        return lab(picture)
    through = {"La": "LA", "RGBa": "RGBA", "PA": "P"}.get(mode)
    return (picture.convert(through) if through else picture).convert(mode)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L", "I;16N", "I", "F"])
def test_deep_modes_of_pillow(read, mode):
    np.testing.assert_allclose(read(in_mode(mode)), np.stack([RAMP] * 3, -1), atol=2e-5)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "P", "PA"])
def test_colour_modes_of_pillow(read, mode):
    tolerance = {"P": 0.25, "PA": 0.25, "LAB": 0.12, "YCbCr": 0.03, "HSV": 0.03}.get(mode, 1e-6)
    np.testing.assert_allclose(read(in_mode(mode)), SHADES, atol=tolerance)


@pytest.mark.parametrize("mode", ["L", "LA", "La", "1"])
def test_gray_modes_of_pillow(read, mode):
    expected = np.asarray(Image.fromarray(BYTES).convert("1" if mode == "1" else "L").convert("RGB")) / 255
    np.testing.assert_allclose(read(in_mode(mode)), expected, atol=1e-6)


TIFFS = {
    "white is 0": (DEEP, {"photometric": "miniswhite"}, 1 - RAMP),
    "32 bits": (np.rint(RAMP * (2**32 - 1)).astype(np.uint32), {"photometric": "minisblack"}, RAMP),
    "big-endian": (DEEP, {"photometric": "minisblack", "byteorder": ">"}, RAMP),
    "float": (RAMP.astype(np.float32), {"photometric": "minisblack"}, RAMP),
}


@pytest.mark.parametrize(("samples", "options", "shown"), TIFFS.values(), ids=TIFFS)
def test_an_open_tiff_is_what_its_path_is(read, tmp_path, samples, options, shown):
    tifffile.imwrite(tmp_path / "a.tif", samples, metadata=None, **options)
    np.testing.assert_allclose(images.read(str(tmp_path / "a.tif"))[0, ..., 0], shown, atol=2e-5)
    with Image.open(tmp_path / "a.tif") as picture:
        np.testing.assert_allclose(read(picture)[..., 0], shown, atol=2e-5)


def test_transparency_orientation_and_gamma_are_applied(read, tmp_path):
    alpha = Image.fromarray(np.rint(255 * RAMP).astype(np.uint8))
    picture = Image.fromarray(BYTES)
    picture.putalpha(alpha)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        np.testing.assert_array_equal(read(opened), images.read(str(tmp_path / "a.png"))[0])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64, jnp.bfloat16])
def test_arrays_of_every_depth(read, dtype):
    white = {np.uint8: 255, np.uint16: 65535}.get(dtype, 1)
    array = (BYTES.astype(np.float64) / 255 * white).astype(dtype)
    tolerance = {np.uint16: 2e-5, np.float16: 1e-3, jnp.bfloat16: 4e-3}.get(dtype, 1e-6)
    for given in (array, array[np.newaxis], jnp.asarray(array)):
        np.testing.assert_allclose(read(given), SHADES, atol=tolerance)


def test_gray_boolean_and_transparent_arrays(read):
    np.testing.assert_array_equal(read(BYTES[..., 0]), np.stack([SHADES[..., 0]] * 3, -1))
    np.testing.assert_array_equal(read(BYTES > 127), BYTES > 127)
    alpha = np.linspace(0.2, 1, 24 * 40).reshape(24, 40, 1)
    blended = SHADES * alpha + 1 - alpha
    np.testing.assert_allclose(read(np.dstack([SHADES, alpha])), blended, atol=1e-6)


@pytest.mark.parametrize(
    "dtype", [np.int8, np.int16, np.int32, np.int64, np.uint32, np.uint64, complex, object, "U1", "M8[s]"]
)
def test_other_types_are_refused(read, dtype):
    with pytest.raises(UserError, match=r"content: an array of .* is not a picture; expected uint8, uint16"):
        read(np.zeros((24, 40, 3), np.int64).astype(dtype))


@pytest.mark.parametrize("shape", [(40,), (24, 40, 2), (3, 24, 40), (2, 24, 40, 3), (0, 40, 3), ()])
def test_other_shapes_are_refused(read, shape):
    with pytest.raises(UserError, match="content: an array of shape"):
        read(np.zeros(shape, np.uint8))


def test_a_file_cut_short_is_refused(read, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    with Image.open(tmp_path / "a.png") as picture, pytest.raises(UserError, match="content: "):
        read(picture)
