"""Pictures are decoded once, and kept at the sizes that are needed."""

import numpy as np
import pytest
from PIL import Image

from nst_jax import images
from nst_jax.config import Config
from nst_jax.errors import UserError
from nst_jax.images import reading
from nst_jax.transfer import pictures
from nst_jax.transfer.pictures import Pictures

MIB = 1 << 20


@pytest.fixture
def photo(tmp_path):
    """A photo of 400 x 300 pixels."""
    waves = np.sin(np.arange(400 * 300 * 3) / 37).reshape(300, 400, 3)
    Image.fromarray(np.uint8(127 * waves + 128)).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


@pytest.fixture
def decoded(monkeypatch):
    """The sources that were decoded, in order."""
    sources = []
    read = images.read_reduced

    def counted(source, longer_side):
        sources.append(source)
        return read(source, longer_side)

    monkeypatch.setattr(images, "read_reduced", counted)
    return sources


def test_many_runs_of_one_photo_share_what_they_need(photo, decoded):
    configs = [Config(content=photo, style=photo, size=64, seed=seed) for seed in range(20)]
    shared = Pictures(configs)
    kept = {id(shared.fitted(photo, 64).pixels) for _ in configs}
    assert len(kept) == 1
    assert decoded == [photo]


def test_a_picture_is_reduced_once_and_never_enlarged(photo):
    whole = images.read(photo)
    shared = Pictures([Config(content=photo, size=64), Config(content=photo, size=1000)])
    small, large = shared.fitted(photo, 64), shared.fitted(photo, 1000)
    np.testing.assert_array_equal(small.pixels, images.fit(whole, 64))
    np.testing.assert_array_equal(large.pixels, whole)
    assert small.size == large.size == (300, 400)


def test_sizes_that_no_config_has_are_read_as_well(photo):
    shared = Pictures([Config(content=photo, size=64)])
    np.testing.assert_array_equal(shared.fitted(photo, 32).pixels, images.fit(images.read(photo), 32))


def test_pictures_that_do_not_fit_are_refused_before_they_are_decoded(photo, decoded, monkeypatch):
    monkeypatch.setattr(pictures, "free_host_bytes", lambda: MIB)
    with pytest.raises(UserError, match=r"size: 2 pictures need .* are free"):
        Pictures([Config(content=photo, size=400)]).require_memory()
    assert decoded == []
    monkeypatch.setattr(pictures, "free_host_bytes", lambda: 100 * MIB)
    Pictures([Config(content=photo, size=400)]).require_memory()


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_a_very_large_picture_is_decoded_reduced(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(reading, "_LARGE", 100_000)
    waves = np.sin(np.arange(400)[:, np.newaxis] / 60) * np.cos(np.arange(300) / 50)
    picture = Image.fromarray(np.uint8(100 * waves + 128))
    if suffix == "tif":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    path = str(tmp_path / f"a.{suffix}")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(path, exif=exif, **({"quality": 100} if suffix == "jpg" else {}))
    reduced, size = images.read_reduced(path, 48)
    assert size == (300, 400)
    assert 96 <= max(reduced.shape) < 200
    assert images.decoding_bytes(path, 48) < images.decoding_bytes(path, 400)
    shared = Pictures([Config(content=path, size=48)])
    fitted, resized = shared.fitted(path, 48), shared.resized(path, 36, 48)
    assert fitted.size == (300, 400)
    assert fitted.pixels.shape == (1, 36, 48, 3)
    np.testing.assert_array_equal(fitted.pixels, resized)
    np.testing.assert_allclose(fitted.pixels, images.fit(images.read(path), 48), atol=0.03)


def test_a_size_that_needs_more_pixels_is_decoded_again(photo, decoded, monkeypatch):
    monkeypatch.setattr(reading, "_LARGE", 100_000)
    shared = Pictures([Config(content=photo, size=64)])
    shared.fitted(photo, 64)
    np.testing.assert_array_equal(shared.fitted(photo, 300).pixels, images.fit(images.read(photo), 300))
    assert decoded == [photo, photo]
