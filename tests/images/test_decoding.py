"""A picture that memory has no room for is refused where it would be decoded, by whoever reads it."""

import numpy as np
import pytest
from PIL import Image

from nst_jax import UserError, images
from nst_jax.images import decoding
from nst_jax.images.region_masks import read_mask
from nst_jax.images.streams import Stream

SIDE = 400


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A small picture and large ones, with as much memory as the small one takes; nothing is decoded."""
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(pixels[:40, :40]).save(tmp_path / "small.png")
    Image.fromarray(pixels).save(tmp_path / "large.png")
    Image.fromarray(pixels).save(tmp_path / "large.jpg")
    Image.fromarray(pixels.astype(np.uint16)[..., 0] * 257).save(tmp_path / "large.tif")
    monkeypatch.setattr(decoding, "_SMALL", 0)
    monkeypatch.setattr(decoding, "free_host_bytes", lambda: 100_000)
    return tmp_path


@pytest.mark.parametrize("name", ["large.png", "large.jpg", "large.tif"])
def test_a_picture_and_a_mask_are_refused(folder, name, monkeypatch):
    monkeypatch.setattr(Image.Image, "convert", None)
    for read in (images.read, lambda source: read_mask(source, (SIDE, SIDE))):
        with pytest.raises(UserError, match=r"to decode its 400 x 400 pixels takes .* GiB, but only"):
            read(str(folder / name))


def test_a_small_picture_is_read(folder):
    assert images.read(str(folder / "small.png")).shape == (1, 40, 40, 3)


def test_a_stream_leaves_out_what_it_cannot_decode(folder):
    """The JPEG is decoded at an eighth of its size."""
    stream = Stream(f"folder:{folder}", 16)
    frames = [frame.name for batch in stream.batches(8) for frame in batch.frames]
    assert frames == ["large.jpg", "small.png"]
    assert [line.partition(":")[0] for line in stream.skipped] == ["large.png", "large.tif"]
    assert "to decode its 400 x 400 pixels" in stream.skipped[0]
