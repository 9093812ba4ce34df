"""Searches for top patches on a cluster: shards, pictures on their way, and nodes that are killed."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nst_jax.cluster import remote_search
from nst_jax.cluster.remote_search import plan_shards
from nst_jax.cluster.searching_task import PIECE, PictureServer, sent_source
from nst_jax.errors import UserError
from nst_jax.experiments import top_patches
from nst_jax.images.streams import Stream
from tests.cluster.test_remote_sweep import output_of, wait_for
from tests.command import ROOT, call_process

MODULE = "nst_jax.experiments.top_patches"
PICTURES = 60


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Pictures in folders; some are equal, one cannot be read."""
    folder = tmp_path_factory.mktemp("photos")
    made = np.random.default_rng(0)
    same = made.integers(0, 256, (80, 96, 3), np.uint8)
    for number in range(PICTURES):
        pixels = same if number % 7 == 0 else made.integers(0, 256, (80, 72, 3), np.uint8)
        path = folder / ("even" if number % 2 == 0 else "odd") / f"{number:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    (folder / "odd" / "broken.png").write_bytes(b"not a picture")
    return folder


def flags(photos, workdir, *more):
    fields = {"data": f"folder:{photos}", "layers": "conv2_1,conv3_1", "size": 64, "batch": 2, "shown": 2}
    fields |= {"checkpoint_seconds": 0.001, "export": True, "sample": 20, "shuffle": True}
    config = f"--config={ROOT / 'configs' / 'top_patches.py'}"
    return [config, f"--workdir={workdir}", *(f"--config.{k}={v}" for k, v in fields.items()), *more]


def begin(arguments):
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.parametrize(("images", "batch"), [(1, 16), (128, 16), (129, 16), (60, 2), (1_300_000, 16)])
def test_shards_are_whole_batches_and_cover_the_stream(images, batch):
    shards = plan_shards(images, batch)
    assert [shard.begin for shard in shards] == [0, *(shard.end for shard in shards[:-1])]
    assert shards[-1].end == images
    assert all(shard.begin % batch == 0 for shard in shards)
    assert len(shards) <= remote_search.MOST_SHARDS
    assert len({shard.folder for shard in shards}) == len(shards)


def test_sent_pictures_are_those_of_the_driver(photos, monkeypatch):
    ray = pytest.importorskip("ray")
    here = Stream(f"folder:{photos}", 64, shuffle=True, limit=40)
    server, asked = PictureServer(here), []

    class Handle:
        class read:  # noqa: N801
            @staticmethod
            def remote(begin, end):
                asked.append(begin)
                return server.read(begin, end)

    monkeypatch.setattr(ray, "get", lambda value: value)
    there = Stream("", 64, workers=3, source=sent_source(Handle, len(here)))
    for ours, theirs in zip(there.batches(8), here.batches(8), strict=True):
        np.testing.assert_array_equal(ours.pixels, theirs.pixels)
        assert ours.frames == theirs.frames
    assert there.skipped == here.skipped
    assert asked == list(range(0, 40, PIECE)), "each piece travels once"


def test_a_search_resumes_where_it_was_begun(photos, tmp_path):
    (tmp_path / "shards").mkdir()
    with pytest.raises(UserError, match="was begun on a cluster; add --cluster"):
        top_patches.main(["top_patches", *flags(photos, tmp_path, "--resume")])
    (tmp_path / "shards").rmdir()
    (tmp_path / "checkpoint.safetensors").touch()
    with pytest.raises(UserError, match="was begun on one machine; resume it without --cluster"):
        top_patches.main(["top_patches", *flags(photos, tmp_path, "--resume", "--cluster=ray")])


@pytest.mark.slow
def test_killed_and_interrupted_searches_end_like_one_pass(cluster, photos, tmp_path):
    alone, remote = tmp_path / "alone", tmp_path / "remote"
    whole = call_process(*flags(photos, alone), module=MODULE)
    assert whole.returncode == 0, whole.stderr
    process = begin(flags(photos, remote, f"--cluster={cluster.address}"))
    wait_for(lambda: len(list(remote.glob("shards/*/*.safetensors"))) >= 1 or process.poll() is not None)
    cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
    cluster.add_node(num_cpus=1)
    wait_for(lambda: len(list(remote.glob("shards/*/*.safetensors"))) >= 2 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    output = output_of(process)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    resumed = [f"--workdir={remote}", "--resume", f"--cluster={cluster.address}"]
    again = call_process(*resumed, module=MODULE)
    assert again.returncode == 0, again.stderr
    for path in ("units.jsonl", "conv3_1.png", "quantiles/conv3_1.png"):
        assert (remote / path).read_bytes() == (alone / path).read_bytes(), path
    ours, theirs = (np.load(folder / "activations.npz") for folder in (remote, alone))
    for name in theirs.files:
        np.testing.assert_array_equal(ours[name], theirs[name])
    records = [json.loads((folder / "run.json").read_text()) for folder in (remote, alone)]
    assert records[0]["images"] == records[1]["images"] == PICTURES
    assert records[0]["skipped"] == records[1]["skipped"]
    assert {path.name for path in remote.iterdir()} == {path.name for path in alone.iterdir()}
