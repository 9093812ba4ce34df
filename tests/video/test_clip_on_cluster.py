"""Clips on a cluster: chunks, how they are joined, what travels, and nodes that are killed."""

import contextlib
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from nst_jax.config.controls import StyleConfig
from nst_jax.errors import UserError
from nst_jax.video import remote_clip
from nst_jax.video.chunks import CHUNKS, Chunk, cross_faded, join_chunks, later_share, plan_chunks
from nst_jax.video.clip_folder import ClipFolder, write_frame
from nst_jax.video.frame_painting import masks_of
from nst_jax.video.packing import packed, unpacked
from nst_jax.video.settings import VideoConfig, VideoSettings
from scripts.moving_scene import scene
from tests.cluster import conftest, one_process
from tests.command import ROOT, assert_refused, call, command, metrics, pixels
from tests.video import test_video
from tests.video.test_video import MODULE, SIZE, flags, painted

clip, cluster = test_video.clip, conftest.cluster
CUT = 5  # the first frame of the second shot


@pytest.fixture
def here(monkeypatch):
    """Workers that are this process."""
    one_process.install(monkeypatch)
    monkeypatch.setattr(f"{MODULE}.on_cluster", lambda address: contextlib.nullcontext())


@pytest.fixture(scope="session")
def shots(tmp_path_factory):
    """A folder with a clip of two shots: five frames, and two of other things."""
    folder = tmp_path_factory.mktemp("shots")
    frames = scene(CUT, SIZE)
    made = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    other = np.asarray(Image.fromarray(made).resize(SIZE[::-1], Image.Resampling.BICUBIC))
    frames += [np.roll(other, 2 * number, 1) for number in range(2)]
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number}.png")
    return f"folder:{folder}"


def chunked(weights, folder, content, chunk=4, overlap=2, **fields):
    sizes = [f"--config.video.{name}={value}" for name, value in {"chunk": chunk, "overlap": overlap}.items()]
    fields = {"steps": 4, "references": "(1, 2)", **fields}
    return [*flags(weights, folder, content, **fields), *sizes]


@pytest.mark.parametrize("length", [1, 2, 4, 5, 6, 7, 23, 60])
@pytest.mark.parametrize(("chunk", "overlap"), [(4, 2), (8, 3), (5, 0), (1, 0)])
def test_chunks_cover_each_shot_and_overlap_as_asked(length, chunk, overlap):
    shots = [range(10), range(10, 10 + length)]
    chunks = plan_chunks(shots, VideoConfig(chunk=chunk, overlap=overlap))
    counts = np.zeros(10 + length, int)
    for number, each in enumerate(chunks):
        counts[each.begin : each.end] += 1
        assert each.shot in (0, 10)
        assert each.begin >= each.shot
        assert each.end <= (10 if each.shot == 0 else 10 + length)
        if each.begin > each.shot:
            assert chunks[number - 1].end - each.begin == overlap
    assert set(counts) <= {1, 2}
    assert len({each.folder for each in chunks}) == len(chunks)


def test_an_overlap_of_more_than_half_a_chunk_is_refused():
    with pytest.raises(UserError, match=r"video.overlap: 3 is more than half of video.chunk, 5"):
        VideoConfig(chunk=5, overlap=3)


def test_overlaps_are_cross_faded(tmp_path):
    folder, chunks = ClipFolder(tmp_path), [Chunk(0, 0, 5), Chunk(0, 2, 7)]
    for chunk, level in zip(chunks, (40, 200), strict=True):
        home = ClipFolder(tmp_path / chunk.folder)
        for frame in chunk.frames:
            write_frame(home.painted(frame, 1, True), np.full((4, 4, 3), level, np.uint8))
            home.metrics.write({"frame": frame, "pass": 1, "step": level, "shot": chunk.begin})
    join_chunks(folder, chunks)
    levels = [int(pixels(folder.painted(frame, 1, True))[0, 0, 0]) for frame in range(7)]
    assert levels == [40, 40, 80, 120, 160, 200, 200], "both weights of a frame sum to one"
    assert [later_share(frame, *chunks) for frame in (2, 3, 4)] == [0.25, 0.5, 0.75]
    assert [(line["frame"], line["step"], line["shot"]) for line in metrics(tmp_path)] == [
        *[(frame, 40, 0) for frame in range(3)],
        *[(frame, 200, 0) for frame in range(3, 7)],
    ]


def test_a_cross_fade_keeps_the_contrast_of_strokes():
    made = np.random.default_rng(0)
    one, other = made.integers(100, 150, (2, 32, 32, 3)).astype(np.uint8)
    for share in (0.2, 0.5, 0.8):
        mix = cross_faded(one, other, share)
        assert 0.95 < mix.std() / one.std() < 1.05, "a plain mean has 0.7 of it"
        assert abs(mix.mean() - (1 - share) * one.mean() - share * other.mean()) < 0.5
        np.testing.assert_array_equal(cross_faded(one, one, share), one)


@pytest.mark.slow
def test_chunks_are_painted_as_the_whole_clip_is(here, tiny_weights, shots, tmp_path):
    alone, remote = tmp_path / "alone", tmp_path / "remote"
    assert call(*chunked(tiny_weights, alone, shots), module=MODULE).returncode == 0
    done = call(*chunked(tiny_weights, remote, shots), "--cluster=here", module=MODULE)
    assert done.returncode == 0, done.stderr
    # Chunks: 0 to 3 and 2 to 4; 5 and 6.
    first = [0, 1, *range(CUT, 7)]
    np.testing.assert_array_equal(painted(remote)[first], painted(alone)[first])
    lines, wanted = metrics(remote), metrics(alone)
    assert [line["frame"] for line in lines] == list(range(7))
    assert [line["shot"] for line in lines] == [0] * CUT + [CUT] * 2
    assert [lines[frame]["total"] for frame in first] == [wanted[frame]["total"] for frame in first]
    assert all("temporal_error" in line for line in lines if line["frame"] not in (0, CUT))
    assert not (remote / CHUNKS).exists()
    assert next(remote.glob("result.*")).stat().st_size > 1000


@pytest.mark.slow
def test_a_chunk_that_failed_is_the_only_one_painted_again(here, tiny_weights, clip, tmp_path, monkeypatch):
    paint, begun = remote_clip.paint_chunk, []

    def failing(chunk, *arguments):
        begun.append(chunk.begin)
        if chunk.begin == 2 and len(begun) == 2:
            raise UserError("cannot write: the disk is full")
        paint(chunk, *arguments)

    monkeypatch.setattr(remote_clip, "paint_chunk", failing)
    given = chunked(tiny_weights, tmp_path / "run", clip)
    refused = call(*given, "--cluster=here", module=MODULE)
    assert refused.returncode == 2
    assert "--cluster: frames 3 to 6: cannot write: the disk is full" in refused.stderr
    resume = f"--workdir={tmp_path / 'run'}", "--resume"
    assert_refused(call(*resume, module=MODULE), "was begun on a cluster; add --cluster")
    assert call(*resume, "--cluster=here", module=MODULE).returncode == 0
    assert begun == [0, 2, 2]
    assert len(painted(tmp_path / "run")) == 6


def test_what_a_cluster_cannot_do_is_refused(here, tiny_weights, clip, tmp_path):
    given = chunked(tiny_weights, tmp_path / "run", clip, passes=2)
    assert_refused(call(*given, "--cluster=here", module=MODULE), "video.passes: 2", "--cluster")
    assert not (tmp_path / "run").exists()
    (tmp_path / "alone").mkdir()
    given = chunked(tiny_weights, tmp_path / "alone", clip)
    ClipFolder(tmp_path / "alone").metrics.write({"frame": 0, "pass": 1, "step": 1})
    assert_refused(call(*given, "--cluster=here", module=MODULE), "was begun on one machine")


def test_pictures_of_styles_travel(tmp_path):
    for name in ("masks/1.png", "masks/2.png", "a.png", "map.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    styles = {
        "a": {"image": str(tmp_path / "a.png"), "region": f"folder:{tmp_path}/masks"},
        "b": {"image": "sample:stained_glass", "region": f"{tmp_path}/map.png#ff0000"},
        "c": {"image": str(tmp_path / "a.png"), "region": f"{tmp_path}/map.png#ff0000"},
    }
    config = VideoSettings(styles={name: StyleConfig(**fields) for name, fields in styles.items()})
    there = unpacked(*packed(config), tmp_path / "there")
    assert there.styles["b"].image == "sample:stained_glass"
    assert there.styles["b"].region == there.styles["c"].region, "one region with two styles"
    path, _, color = there.styles["b"].region.partition("#")
    assert color == "ff0000"
    masks = masks_of(there)["a"]
    for source, name in zip(
        [there.styles["a"].image, path, *masks],
        ["a.png", "map.png", "masks/1.png", "masks/2.png"],
        strict=True,
    ):
        assert source.startswith(str(tmp_path / "there"))
        with open(source, "rb") as file:
            assert file.read() == name.encode()


@pytest.mark.slow
def test_a_killed_node_loses_no_frame(cluster, tiny_weights, clip, tmp_path):
    from tests.cluster.test_remote_sweep import output_of, wait_for

    tail, folder = tmp_path / "tail", tmp_path / "remote"
    tail.mkdir()
    for number in range(2, 6):
        shutil.copy(f"{clip.removeprefix('folder:')}/{number}.png", tail)
    slowly = {"steps": 300, "tolerance": 0.0}
    for name, content in {"alone": clip, "tail": f"folder:{tail}"}.items():
        done = call(*chunked(tiny_weights, tmp_path / f"{name}-run", content, **slowly), module=MODULE)
        assert done.returncode == 0, done.stderr
    process = subprocess.Popen(
        command(
            *chunked(tiny_weights, folder, clip, **slowly),
            f"--cluster={cluster.address}",
            module="nst_jax.video",
        ),
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    chunks = [ClipFolder(folder / CHUNKS / name) for name in ("000000", "000002")]
    wait_for(lambda: all(len(home.metrics.read()) >= 2 for home in chunks) or process.poll() is not None)
    assert process.poll() is None, output_of(process)
    before = [home.metrics.read() for home in chunks]
    cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
    cluster.add_node(num_cpus=1)
    wait_for(lambda: len(metrics(folder)) == 6 if (folder / "metrics.jsonl").exists() else process.poll())
    output = output_of(process)
    assert process.returncode == 0, output
    # Of the frames in both chunks, the first has the line of the first one.
    kept = [line["seconds"] for line in metrics(folder)]
    painted_before = [before[0][0], before[0][1], before[1][1]]
    assert [line["seconds"] for line in painted_before] == [kept[0], kept[1], kept[3]], "painted once"
    frames = painted(folder)
    np.testing.assert_array_equal(frames[:2], painted(tmp_path / "alone-run")[:2])
    np.testing.assert_array_equal(frames[4:], painted(tmp_path / "tail-run")[2:])
