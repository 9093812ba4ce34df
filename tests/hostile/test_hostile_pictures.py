"""Damaged, odd and enormous pictures: read as pictures, or refused in a line."""

import contextlib
import io
import random
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

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
DTYPES = (
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "float16",
    "float32",
    "float64",
)
PHOTOMETRICS = {"minisblack": 1, "miniswhite": 1, "rgb": 3, "separated": 4, "cielab": 3, "cfa": 1, "mask": 1}
PNG_CHUNKS = ("gAMA", "cHRM", "sRGB", "iCCP", "tRNS", "sBIT", "eXIf", "acTL", "fcTL")


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


def odd_tiff(generator: random.Random) -> bytes:
    """A valid TIFF of one to four pages, of any sample type, colour space, layout and stated levels."""
    file = io.BytesIO()
    with tifffile.TiffWriter(
        file, bigtiff=generator.random() < 0.3, byteorder=generator.choice("<>")
    ) as writer:
        for _ in range(generator.choice((1, 1, 2, 4))):
            with contextlib.suppress(ValueError):  # tifffile refuses some combinations
                writer.write(**odd_page(generator))
    return file.getvalue()


def odd_page(generator: random.Random) -> dict:
    space = generator.choice(sorted(PHOTOMETRICS))
    height, width = (generator.choice(SIDES[generator.choice((0, 4, 4, 4)) :]) for _ in range(2))
    shape = [height, width, PHOTOMETRICS[space] + (generator.random() < 0.2)]
    dtype = np.dtype("bool" if space == "mask" else generator.choice(DTYPES))
    planes = generator.choice(("contig", "separate"))
    shape = shape if planes == "contig" else [shape[2], *shape[:2]]
    noise = generator.randbytes(int(np.prod(shape)) * dtype.itemsize)
    samples = np.frombuffer(noise, "u1" if dtype.kind == "b" else dtype).reshape(shape)
    level = generator.choice((0, 1, 255, 4095, 70_000, 2**32 - 1))
    tags = [(generator.choice((280, 281, 274, 339, 317, 340, 341)), 4, 1, level, True)]
    return {
        "data": samples > 127 if dtype.kind == "b" else samples,
        "photometric": space,
        "planarconfig": planes if PHOTOMETRICS[space] > 1 else None,
        "compression": generator.choice((None, "zlib", "lzma")),
        "subfiletype": 4 if space == "mask" else generator.choice((0, 0, 1)),
        "subifds": generator.choice((0, 0, 1)),
        "tile": generator.choice((None, None, (16, 16))),
        "extratags": tags if generator.random() < 0.5 else (),
        "metadata": None,
    }


def odd_png(generator: random.Random) -> bytes:
    """A PNG with random bytes, or plausible numbers, in the chunks on colour, transparency and animation."""
    info = PngInfo()
    for name in generator.sample(PNG_CHUNKS, generator.choice((1, 2, 4))):
        numbers = [generator.choice((0, 1, 45_455, 100_000, 2**32 - 1)) for _ in range(8)]
        data = struct.pack(f">{len(numbers)}I", *numbers)
        info.add(name.encode(), data[: generator.choice((0, 1, 4, 26, 32))])
    size = generator.choice(SIDES[4:]), generator.choice(SIDES[4:])
    mode = generator.choice(MODES["PNG"])
    picture = Image.new("RGBA", size, generator.choice(("white", "black", "#80808040", "#ffffff00")))
    picture.paste("white", (0, 0, size[0] // 2, size[1]))
    file = io.BytesIO()
    picture = picture if mode == "I;16" else picture.convert("LA" if mode == "LA" else mode)
    picture.save(file, format="PNG", pnginfo=info)
    return file.getvalue()


def animation(generator: random.Random) -> bytes:
    """Several frames of any format that has them."""
    size = generator.choice(SIDES[4:]), generator.choice(SIDES[4:])
    frames = [Image.new("RGB", size, generator.choice(("red", "white", "black"))) for _ in range(4)]
    file = io.BytesIO()
    kind = generator.choice(("GIF", "PNG", "WEBP", "TIFF", "MPO"))
    frames[0].save(file, format=kind, save_all=True, append_images=frames[1:])
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
    kind = generator.choice((whole_picture, whole_picture, odd_tiff, odd_tiff, odd_png, animation))
    content = kind(generator)
    return content if draw < 0.4 else damaged(content, generator)


@pytest.mark.parametrize("seed", cases(40, 500))
def test_any_file_is_a_picture_or_refused(tmp_path, seed):
    path = tmp_path / random.Random(seed).choice(("p.png", "p.jpg", "p", "a\nb\x1b[1m.png", "ü€.tif"))
    path.write_bytes(hostile_picture(seed))
    page = random.Random(seed).choice(("", "", "", "#1", "#2", "#0", "#99999"))
    try:
        with within(20):
            images.decoding_bytes(f"{path}{page}", 64)
            picture = images.read(f"{path}{page}")
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
