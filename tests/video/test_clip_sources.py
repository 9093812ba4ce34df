"""Frames of a clip from every kind of source, and what is no clip."""

import subprocess

import numpy as np
import pytest
from PIL import Image

from nst_jax.images.ffmpeg import write_mp4
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
    pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "clip.mp4"
    write_mp4(path, FRAMES, 10.0)
    source = open_source(str(path))
    assert (source.length, source.fps, source.size, source.sound) == (4, 10.0, (32, 48), None)
    frames = list(source.frames())
    assert len(frames) == 4
    assert np.abs(np.array(frames, int) - FRAMES).mean() < 12


# Ten frames of ffmpeg's test picture, encoded in ways that phones, cameras and screen recorders have.
PQ = "format=gbrp,setparams=color_primaries=bt709:color_trc=iec61966-2-1:colorspace=gbr:range=pc,"
PQ += "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020:t=smpte2084:m=bt2020nc:r=tv:npl=203"
RATE = "setpts=if(lt(N\\,5)\\,N\\,5+(N-5)*4)/10/TB"
ENCODINGS = {
    "plain.mp4": ("-c:v libx264", (64, 96), 10),
    "ten_bits.mp4": ("-pix_fmt yuv420p10le -c:v libx264", (64, 96), 10),
    "pq.mp4": (f"-vf {PQ} -pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=error", (64, 96), 10),
    "wide_pixels.mp4": ("-vf setsar=2 -c:v libx264", (64, 192), 10),
    "odd.mkv": ("-vf scale=97:65 -c:v ffv1", (65, 97), 10),
    "variable.mp4": (f"-vf {RATE} -fps_mode vfr -c:v libx264", (64, 96), 15),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_encoding(tmp_path, name):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    options, size, count = ENCODINGS[name]
    source = f"-v error -f lavfi -i testsrc2=size=96x64:rate=10:duration=1 {options}".split()
    subprocess.run([ffmpeg.get_ffmpeg_exe(), *source, str(tmp_path / name)], check=True)
    found = open_source(str(tmp_path / name))
    frames = np.array(list(found.frames()))
    assert (found.size, frames.shape) == (size, (count, *size, 3))
    assert abs(found.length - count) <= 1
    # PQ taken for an ordinary transfer function would give 38; the tone mapping of highlights takes some.
    assert frames[0].std((0, 1)).mean() == pytest.approx(77 if name == "pq.mp4" else 97, abs=5)


def test_a_turned_clip_is_upright(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    flat, turned = tmp_path / "flat.mp4", tmp_path / "turned.mp4"
    write_mp4(flat, FRAMES, 10.0)
    turn = ["-v", "error", "-display_rotation", "90", "-i", str(flat), "-c", "copy", str(turned)]
    subprocess.run([ffmpeg.get_ffmpeg_exe(), *turn], check=True)
    source = open_source(str(turned))
    assert source.size == (48, 32)
    assert np.abs(np.array(list(source.frames()), int) - np.rot90(FRAMES, 1, (1, 2))).mean() < 12


def test_a_torn_file_is_said_to_be_incomplete(tmp_path, caplog):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    whole, torn = tmp_path / "whole.mkv", tmp_path / "torn.mkv"
    made = f"-v error -f lavfi -i testsrc2=size=96x64:rate=10:duration=4 -c:v libx264 -g 5 {whole}"
    subprocess.run([ffmpeg.get_ffmpeg_exe(), *made.split()], check=True)
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert open_source(str(whole)).length == 40
    assert not caplog.text
    assert 10 < open_source(str(torn)).length < 30
    assert "but the file states 4.0 s; it may be incomplete" in caplog.text


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
