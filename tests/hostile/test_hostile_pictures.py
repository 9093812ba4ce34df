"""Damaged, odd and enormous pictures: read as pictures, or refused in a line."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from nst_jax import images
from nst_jax.errors import UserError
from tests.command import call, tiny
from tests.hostile.contract import assert_promises, assert_refusal, assert_tidy, cases, within
from tests.hostile.damage import damaged

MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "GIF": ("L", "P", "RGB"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "RGB", "RGBA", "CMYK", "F", "I", "LAB"),
    "WEBP": ("RGB", "RGBA"),
    "PPM": ("1", "L", "RGB"),
    "TGA": ("L", "RGB", "RGBA"),
}
SIDES = (1, 2, 7, 15, 16, 17, 33, 64)


def whole_picture(generator: random.Random) -> bytes:
    """A valid file of any format, mode and small size."""
    kind = generator.choice(sorted(MODES))
    size = generator.choice(SIDES), generator.choice(SIDES)
    noise = np.frombuffer(generator.randbytes(size[0] * size[1] * 3), np.uint8)
    picture = Image.fromarray(noise.reshape(size[1], size[0], 3)).convert("RGB")
    mode = generator.choice(MODES[kind])
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    elif mode != "LAB":
        picture = picture.convert("RGBA").convert(mode) if mode in ("LA",) else picture.convert(mode)
    file = io.BytesIO()
    picture.save(file, format=kind)
    return file.getvalue()


def enormous_png(generator: random.Random) -> bytes:
    """A valid header that claims an absurd size, with a right checksum and few pixels."""
    width, height = (generator.choice((0, 1, 16, 65_535, 2**31 - 1, 2**32 - 1)) for _ in range(2))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def hostile_picture(seed: int) -> bytes:
    generator = random.Random(seed)
    draw = generator.random()
    if draw < 0.06:
        return enormous_png(generator)
    if draw < 0.1:
        return generator.randbytes(generator.choice((0, 1, 7, 100, 5000)))
    content = whole_picture(generator)
    return content if draw < 0.25 else damaged(content, generator)


@pytest.mark.parametrize("seed", cases(40, 500))
def test_any_file_is_a_picture_or_refused(tmp_path, seed):
    path = tmp_path / random.Random(seed).choice(("p.png", "p.jpg", "p", "a\nb\x1b[1m.png", "ü€.tif"))
    path.write_bytes(hostile_picture(seed))
    try:
        with within(20):
            picture = images.read(str(path))
    except UserError as error:
        assert_refusal(error)
        return
    assert picture.dtype == np.float32
    assert picture.shape[0] == 1
    assert picture.shape[3] == 3
    assert np.isfinite(picture).all()
    assert picture.min() >= 0
    assert picture.max() <= 1


@pytest.mark.parametrize("seed", cases(2, 40))
def test_a_command_with_any_picture_paints_or_refuses(tiny_weights, tmp_path, seed):
    (tmp_path / "picture").write_bytes(hostile_picture(1000 + seed))
    field = ("content", "style", "init")[seed % 3]
    flags = tiny(tiny_weights, tmp_path / "run", optimizer__steps=2, size=32)
    with within(120):
        result = call(*flags, f"--config.{field}={tmp_path / 'picture'}")
    assert_promises(result)
    assert_tidy(tmp_path)
    assert (tmp_path / "run").exists() == (result.returncode == 0)
