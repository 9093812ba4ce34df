"""Frames of a clip from every kind of source, and what is no clip."""

import numpy as np
import pytest
from PIL import Image

from nst_jax.video.clip_sources import open_source
from scripts.moving_scene import scene

# imageio-ffmpeg leaves the pipes of a program that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

FRAMES = scene(4, (32, 48))


def saved(path, frames=FRAMES, **options):
    first, *others = map(Image.fromarray, frames)
    first.save(path, save_all=True, append_images=others, **options)
    return path


def test_frames_of_a_folder_are_in_the_order_of_their_numbers(tmp_path):
    for number, frame in zip((8, 9, 10, 100), FRAMES, strict=True):
        Image.fromarray(frame).save(tmp_path / f"f{number}.png")
    source = open_source(f"folder:{tmp_path}")
    assert (source.length, source.size, source.sound) == (4, (32, 48), None)
    np.testing.assert_array_equal(list(source.frames()), FRAMES)
    Image.fromarray(FRAMES[0][:20]).save(tmp_path / "f11.png")
    with pytest.raises(ValueError, match=r"f11\.png has 48 x 20 pixels, but the first frame has 48 x 32"):
        list(open_source(f"folder:{tmp_path}").frames())


@pytest.mark.parametrize(("suffix", "tolerance"), [(".webp", 0), (".gif", 24)])
def test_an_animation(tmp_path, suffix, tolerance):
    options = {"lossless": True} if suffix == ".webp" else {}
    source = open_source(str(saved(tmp_path / f"clip{suffix}", duration=50, **options)))
    assert (source.length, source.fps, source.size) == (4, 20.0, (32, 48))
    found = np.array(list(source.frames()), int)
    assert np.abs(found - FRAMES).mean() <= tolerance


def test_a_video(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "clip.mp4"
    writer = ffmpeg.write_frames(str(path), (48, 32), fps=10, quality=10, macro_block_size=2)
    writer.send(None)
    for frame in FRAMES:
        writer.send(frame.tobytes())
    writer.close()
    source = open_source(str(path))
    assert (source.length, source.fps, source.size, source.sound) == (4, 10.0, (32, 48), None)
    frames = list(source.frames())
    assert len(frames) == 4
    assert np.abs(np.array(frames, int) - FRAMES).mean() < 12


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.mp4", None, "no such file"),
        ("text.mp4", b"hello, I am no video", "cannot be read as a video"),
        ("empty.gif", b"", "cannot be read as a video"),
        ("one.gif", "picture", "has a single frame"),
    ],
)
def test_what_is_no_clip_is_refused(tmp_path, name, content, words):
    pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / name
    if content == "picture":
        Image.fromarray(FRAMES[0]).save(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"content: .*{words}"):
        open_source(str(path))
