"""Videos through ffmpeg: colours and lengths survive, and nothing half-written passes for a film."""

import itertools
import subprocess

import numpy as np
import psutil
import pytest

from nst_jax.images.ffmpeg import read_video, write_mp4

ffmpeg = pytest.importorskip("imageio_ffmpeg")
# imageio-ffmpeg leaves the pipes of a program that has failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SIZE = (32, 48)
GREEN = np.full((*SIZE, 3), (30, 200, 60), np.uint8)


def killed_at(count, frames):
    """Yield `frames`, and kill ffmpeg before the frame `count`, or at their end."""
    for number, frame in enumerate(itertools.chain(frames, [None])):
        if number == count:
            for child in psutil.Process().children():
                child.kill()
        if frame is not None:
            yield frame


@pytest.mark.parametrize("count", [2, 40])
def test_a_film_whose_writer_is_killed_is_no_film(tmp_path, count):
    with pytest.raises(ValueError, match=r"film\.mp4: ffmpeg failed: \w+"):
        write_mp4(tmp_path / "film.mp4", killed_at(count, [GREEN] * 40), 25.0)


def test_a_reader_that_is_killed_is_not_the_end_of_a_video(tmp_path):
    path = tmp_path / "film.mp4"
    write_mp4(path, [GREEN] * 200, 25.0)
    with pytest.raises(ValueError, match=r"film\.mp4: ffmpeg failed after \d+ frames"):
        list(killed_at(2, read_video(path, SIZE, [])))


def test_a_film_is_as_long_as_its_frames_and_keeps_their_colours(tmp_path):
    path, heard = tmp_path / "film.mp4", tmp_path / "sound.wav"
    sine = ["-v", "error", "-f", "lavfi", "-i", "sine=duration=0.5"]
    subprocess.run([ffmpeg.get_ffmpeg_exe(), *sine, str(heard)], check=True)
    write_mp4(path, [GREEN] * 30, 10.0, heard)
    reader = ffmpeg.read_frames(str(path))
    about = next(reader)
    reader.close()
    assert "bt709" in about["pix_fmt"]
    assert about["audio_codec"].startswith("aac")
    frames = np.array(list(read_video(path, SIZE, [])), int)
    assert frames.shape == (30, *SIZE, 3), "the sound is shorter"
    assert np.abs(frames - GREEN).max() < 6
