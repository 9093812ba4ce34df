"""What `read` refuses and how it says so; `resize`, `fit`, `write`, and the samples."""

import os
import re

import numpy as np
import pytest
from PIL import Image

from nst_jax import images
from nst_jax.errors import UserError


def save(picture, path):
    picture.save(path)
    return str(path)


def refusal(source):
    """The message with which `read` refuses: always one line that names the source."""
    with pytest.raises(UserError) as caught:
        images.read(str(source))
    message = str(caught.value)
    assert "\n" not in message
    assert str(source) in message
    return message


def test_missing_folder_and_empty(tmp_path):
    (tmp_path / "empty.jpg").touch()
    assert "No such file" in refusal(tmp_path / "missing.jpg")
    assert "folder" in refusal(tmp_path)
    assert "empty" in refusal(tmp_path / "empty.jpg")


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path):
    path = save(Image.new("RGB", (32, 32)), tmp_path / "a.png")
    os.chmod(path, 0)
    assert "Permission denied" in refusal(path)


@pytest.mark.parametrize(
    "content", [b"no picture", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", bytes(999)]
)
def test_other_files_are_refused_with_the_formats_we_know(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert "PNG, JPEG" in refusal(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "tiff", "bmp", "jp2", "avif"])
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.02])
def test_truncated_files_are_refused(tmp_path, suffix, kept):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / f"a.{suffix}"
    save(Image.fromarray(noise), path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert re.search("damaged or truncated|not a picture", refusal(path))


@pytest.mark.parametrize("side", [32_000, 400_000])
def test_decompression_bombs_are_refused_unopened(tmp_path, side):
    (tmp_path / "a.ppm").write_text(f"P6 {side} {side} 255\n")
    assert "1000 million pixels" in refusal(tmp_path / "a.ppm")


@pytest.mark.parametrize("size", [(1, 1), (15, 99), (99, 15)])
def test_too_small_is_refused(tmp_path, size):
    assert "shorter side must be at least 16" in refusal(save(Image.new("RGB", size), tmp_path / "a.png"))


def test_not_a_number_is_refused(tmp_path):
    path = save(Image.fromarray(np.full((16, 16), np.nan, np.float32)), tmp_path / "a.tiff")
    assert "finite" in refusal(path)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).random((1, height, width, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [(7, 5), (24, 40), (31, 90)])
def test_resize_keeps_a_constant(size):
    image = np.full((1, 24, 40, 3), [0.0, 0.3, 1.0], np.float32)
    resized = images.resize(image, *size)
    assert resized.shape == (1, *size, 3)
    np.testing.assert_allclose(resized, np.broadcast_to(image[:, :1, :1], resized.shape), atol=1e-6)


def lanczos_matrix(n_in, n_out, support=3):
    """Antialiased Lanczos interpolation along one axis, from its definition."""
    stretch = max(1.0, n_in / n_out)
    centres = (np.arange(n_out) + 0.5) * n_in / n_out
    t = (np.arange(n_in) + 0.5 - centres[:, np.newaxis]) / stretch
    weights = np.where(np.abs(t) < support, np.sinc(t) * np.sinc(t / support), 0)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("height", "width"), [(20, 33), (9, 64), (80, 12)])
def test_resize_is_lanczos(height, width):
    image = noise(32, 48)
    rows, columns = lanczos_matrix(32, height), lanczos_matrix(48, width)
    expected = np.einsum("yi,nijc,xj->nyxc", rows, image, columns).clip(0, 1)
    np.testing.assert_allclose(images.resize(image, height, width), expected, atol=1e-5)


def test_resize_to_its_own_size_is_the_identity():
    np.testing.assert_array_equal(images.resize(noise(17, 23), 17, 23), noise(17, 23))


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (30, 40, (48, 64)),
        (40, 30, (64, 48)),
        (30, 30, (64, 64)),
        (16, 999, (1, 64)),
        (47, 31, (64, 42)),
    ],
)
def test_fit_keeps_the_aspect_ratio(height, width, expected):
    assert images.fit(noise(height, width), 64).shape[1:3] == expected


def test_write_then_read(tmp_path):
    image = images.resize(noise(8, 8), 24, 40)
    text = {"config": '{"size": 512}', "title": "雪 – snow", "long": "x\n" * 50_000}
    images.write(tmp_path / "new" / "a.png", image, text)
    reread = images.read(str(tmp_path / "new" / "a.png"))
    np.testing.assert_allclose(reread, image, atol=0.5 / 255 + 1e-6)
    with Image.open(tmp_path / "new" / "a.png") as picture:
        assert picture.text == text
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_write_clips_and_rounds(tmp_path):
    image = np.full((1, 16, 16, 3), [-0.5, 1.7, 100.6 / 255], np.float32)
    images.write(tmp_path / "a.png", image)
    pixel = images.read(str(tmp_path / "a.png"))[0, 8, 8]
    np.testing.assert_allclose(pixel, [0, 1, 101 / 255], atol=1e-6)


def test_write_to_an_impossible_place(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        images.write(tmp_path / "file" / "a.png", noise(16, 16))


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(Image.new("RGB", (32, 20)), tmp_path / "a.png")
    assert images.read("~/a.png").shape == (1, 20, 32, 3)


@pytest.mark.parametrize("name", images.sample_names())
def test_every_sample_reads(name):
    image = images.read(f"sample:{name}")
    assert min(image.shape[1:3]) >= 300
    assert image.std() > 0.1


def test_an_unknown_sample_names_the_nearest_and_the_choices():
    message = refusal("sample:Astronot")
    assert "did you mean 'sample:astronaut'?" in message
    assert all(name in message for name in images.sample_names())
