"""What a clip's folder holds, how much of the disk that needs, and the film that is made of it."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from nst_jax.video import clip_folder, film_writing
from nst_jax.video.clip import Clip
from nst_jax.video.clip_folder import ClipFolder, require_space, write_frame
from nst_jax.video.clip_sources import open_source
from nst_jax.video.film_writing import write_clip
from nst_jax.video.settings import VideoSettings
from scripts.moving_scene import scene

# imageio-ffmpeg leaves the pipes of a program that it has stopped to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

FRAMES = scene(3, (33, 49))


@pytest.fixture
def paths(tmp_path):
    paths = [tmp_path / "frames" / f"{number}.png" for number in range(3)]
    for path, frame in zip(paths, FRAMES, strict=True):
        write_frame(path, frame)
    return paths


def test_a_clip_that_does_not_fit_on_the_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(clip_folder.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**30))
    assert require_space(tmp_path / "new" / "run", 10, 512 * 288, 3, 1) < 2**30
    with pytest.raises(
        ValueError, match=r"--workdir: 10000 frames need about .* GiB on disk, but .* has 1\.0 GiB left"
    ):
        require_space(tmp_path / "new" / "run", 10_000, 512 * 288, 3, 1)
    assert not (tmp_path / "new").exists()


def test_the_chunks_of_a_cluster_need_space_too(paths, tmp_path):
    settings, said = VideoSettings(content=f"folder:{paths[0].parent}", size=48), []
    for in_chunks in (False, True):
        Clip(settings, tmp_path / "run", said.append, in_chunks)
    alone, chunked = (float(line.split()[-4]) for line in said)
    assert chunked > 1.1 * alone


def test_a_flow_comes_back_but_for_half_precision(tmp_path):
    folder, random = ClipFolder(tmp_path), np.random.default_rng(0)
    flow, weight = random.normal(0, 8, (5, 6, 2)), random.random((5, 6), np.float32)
    assert folder.flow(4, 3) is None
    folder.save_flow(4, 3, flow, weight)
    found = folder.flow(4, 3)
    np.testing.assert_allclose(found[0], flow, atol=0.01)
    np.testing.assert_allclose(found[1], weight, atol=0.002)
    (file,) = (tmp_path / "flow").iterdir()
    file.write_bytes(file.read_bytes()[:50])
    assert folder.flow(4, 3) is None, "a torn file is computed again"


def test_a_film_has_even_sides_and_every_frame(paths, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    film = write_clip(tmp_path, paths, 12.5, None)
    source = open_source(str(film))
    assert (film.name, source.length, source.fps, source.size) == ("result.mp4", 3, 12.5, (32, 48))
    found = np.array(list(source.frames()), int)
    assert np.abs(found - np.array(FRAMES)[:, :32, :48]).mean() < 12


def test_without_ffmpeg_the_film_is_a_webp(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(film_writing, "ffmpeg", lambda: None)
    film = write_clip(tmp_path, paths, 10.0, None)
    with Image.open(film) as picture:
        assert (picture.format, picture.n_frames, picture.size) == ("WEBP", 3, (49, 33))


def test_videos_need_the_extra_but_animations_do_not(paths, tmp_path, monkeypatch):
    monkeypatch.setattr("nst_jax.video.clip_sources.ffmpeg", lambda: None)
    (tmp_path / "clip.mp4").write_bytes(b"a video")
    with pytest.raises(ValueError, match=r"content: videos need a package: pip install 'nst-jax\[video\]'"):
        open_source(str(tmp_path / "clip.mp4"))
    first, *others = map(Image.fromarray, FRAMES)
    first.save(tmp_path / "clip.gif", save_all=True, append_images=others)
    assert open_source(str(tmp_path / "clip.gif")).length == 3
