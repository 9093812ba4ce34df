"""16-bit pictures, read again by Pillow, tifffile, and a decoder of PNG written for this test."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from nst_jax import images
from nst_jax.images.deep import srgb_profile
from tests.command import call

TEXT = {"Software": "nst_jax", "config": '{"content": "Æ"}'}


@pytest.fixture(scope="module")
def picture():
    """A ramp with more than 256 levels, taller than the strips that are compressed at a time."""
    ramp = np.random.default_rng(0).uniform(-0.1, 1.1, (1, 150, 37, 3))
    return ramp.astype(np.float32)


def expected(picture):
    return np.rint(np.clip(picture[0].astype(np.float64), 0, 1) * 65535).astype(np.uint16)


def decode(data: bytes) -> np.ndarray:
    """Decode a 16-bit RGB PNG whose rows all use the filter "up"."""
    position, chunks = 8, []
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        name, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        (check,) = struct.unpack(">I", data[position + 8 + length : position + 12 + length])
        assert check == zlib.crc32(name + body)
        chunks.append((name, body))
        position += 12 + length
    width, height, bits, color = struct.unpack(">IIBB", chunks[0][1][:10])
    assert (bits, color) == (16, 2)
    rows = np.frombuffer(
        zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT")), np.uint8
    )
    rows = rows.reshape(height, 1 + 6 * width)
    assert (rows[:, 0] == 2).all()
    values = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)
    return np.ascontiguousarray(values).view(">u2").reshape(height, width, 3)


def test_a_png_holds_16_bits_the_settings_and_the_profile(picture, tmp_path):
    images.write_deep(tmp_path / "deep.png", picture, TEXT)
    np.testing.assert_array_equal(decode((tmp_path / "deep.png").read_bytes()), expected(picture))
    with Image.open(tmp_path / "deep.png") as opened:
        opened.load()  # Pillow checks the chunks and keeps the upper 8 bits
        np.testing.assert_array_equal(np.asarray(opened), expected(picture) >> 8)
        assert {name: opened.info[name] for name in TEXT} == TEXT
        profile = ImageCms.ImageCmsProfile(io.BytesIO(opened.info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_a_tiff_holds_16_bits_the_settings_and_the_profile(picture, tmp_path):
    images.write_deep(tmp_path / "deep.tif", picture, TEXT)
    with tifffile.TiffFile(tmp_path / "deep.tif") as file:
        np.testing.assert_array_equal(file.asarray(), expected(picture))
        assert file.pages[0].iccprofile == srgb_profile()
        assert TEXT["config"] in file.pages[0].description


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_16_bit_pictures_are_read_like_any_other(picture, tmp_path, name):
    images.write_deep(tmp_path / name, picture, TEXT)
    again = images.read(str(tmp_path / name))
    np.testing.assert_allclose(again, np.clip(picture, 0, 1), atol=1.5 / 255)


@pytest.mark.parametrize("output", ["png16", "tiff16"])
def test_a_run_writes_the_format_of_output(output, tmp_path):
    folder = tmp_path / "run"
    result = call(
        "--config=configs/quick.py",
        "--config.size=32",
        "--config.scales=1.0",
        "--config.optimizer.steps=1",
        f"--config.output={output}",
        f"--workdir={folder}",
    )
    assert result.returncode == 0, result.stderr
    name = {"png16": "result.png", "tiff16": "result.tif"}[output]
    assert name in result.stdout
    assert images.read(str(folder / "result.png")).shape == images.read(str(folder / name)).shape
    assert json.loads((folder / "config.json").read_text())["output"] == output


def test_an_unknown_output_is_refused(tmp_path):
    result = call("--config=configs/quick.py", "--config.output=jpeg", f"--workdir={tmp_path / 'run'}")
    assert result.returncode == 2
    assert "choices: png8, png16, tiff16" in result.stderr
