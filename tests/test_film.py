"""Films of runs: the frames that are in them, how long they stay, and what is refused."""

import sys

import numpy as np
import pytest
from PIL import Image

from nst_jax import images
from tests.command import assert_refused, call, pixels

MODULE = "nst_jax.film"
SHADES = (0.0, 0.25, 0.5, 1.0)


@pytest.fixture
def run(tmp_path):
    """The pictures of a run at two scales that grows brighter."""
    for step, shade in zip((50, 100, 150), SHADES, strict=False):
        size = (22, 32) if step < 150 else (43, 65)
        images.write(tmp_path / f"progress/{step:06d}.png", np.full((1, *size, 3), shade, np.float32))
    images.write(tmp_path / "result.png", np.full((1, 43, 65, 3), SHADES[-1], np.float32))
    return tmp_path


@pytest.mark.parametrize("name", ["film.webp", "film.gif"])
def test_a_film_has_the_snapshots_and_the_result(run, name):
    result = call(run, f"--out={run / name}", "--fps=4", module=MODULE)
    assert result.returncode == 0, result.stderr
    assert "4 frames" in result.stdout
    seen, durations = [], []
    with Image.open(run / name) as picture:
        assert picture.size == (65, 43)
        for frame in range(picture.n_frames):
            picture.seek(frame)
            picture.load()
            seen.append(np.asarray(picture.convert("RGB")).mean() / 255)
            durations.append(picture.info["duration"])
    assert seen == pytest.approx(SHADES, abs=0.02)
    assert durations == [250, 250, 250, 2000]


# The package forks to start ffmpeg, which JAX warns about where it has run before, as in other tests.
@pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning")
def test_mp4(run):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    assert call(run, f"--out={run}/film.mp4", "--fps=4", module=MODULE).returncode == 0
    frames, seconds = ffmpeg.count_frames_and_secs(str(run / "film.mp4"))
    assert frames == 4 + 8
    assert seconds == pytest.approx(3.0, abs=0.1)
    reader = ffmpeg.read_frames(str(run / "film.mp4"))
    assert next(reader)["size"] == (64, 42), "even sides"
    first = np.frombuffer(next(reader), np.uint8)
    assert first.mean() < 10
    reader.close()


def test_the_default_is_beside_the_result(run):
    assert call(run, module=MODULE).returncode == 0
    assert pixels(run / "film.webp").shape == (43, 65, 3)


def test_refused_in_one_line(run, tmp_path, monkeypatch):
    assert_refused(call(tmp_path / "nowhere", module=MODULE), "nowhere has 0 pictures", "snapshot_every")
    assert_refused(call(run, "--out=film.avi", module=MODULE), "--out", ".webp, .gif, .mp4")
    assert_refused(call(module=MODULE), "expected one folder")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert_refused(call(run, f"--out={run}/film.mp4", module=MODULE), "pip install imageio-ffmpeg")
    assert not (run / "film.mp4").exists()
