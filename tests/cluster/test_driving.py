"""How the driver waits for tasks, with workers that are this process."""

import json

import pytest

from nst_jax import sweep
from nst_jax.cluster import remote_search
from nst_jax.errors import UserError
from nst_jax.experiments import top_patches
from tests.cluster import one_process
from tests.command import pixels


@pytest.fixture(autouse=True)
def _workers(monkeypatch):
    one_process.install(monkeypatch)


def painted(folder, weights, *more):
    fields = {"size": 32, "network.arch": "slim", "network.weights": weights, "nnst.splitting": 3}
    fields |= {"optimizer.steps": 2, "nnst.layers": "conv1_1,conv2_1", "scales": "(0.5, 1.0)"}
    flags = [f"--config.{name}={value}" for name, value in fields.items()]
    return sweep.main(["", "--config=nnst", f"--workdir={folder}", "--vary=seed=0,1", *flags, *more])


@pytest.mark.slow
def test_a_sweep_counts_the_steps_of_all_stages(tiny_weights, tmp_path, capsys):
    assert painted(tmp_path / "remote", tiny_weights, "--cluster=here") == 0
    assert "14/14" in capsys.readouterr().err, "2 runs of 2 + 2 + 3 steps"
    assert painted(tmp_path / "alone", tiny_weights, "--batch=4") == 0
    for result in (tmp_path / "alone").glob("*/result.png"):
        assert (pixels(result) == pixels(tmp_path / "remote" / result.parent.name / "result.png")).all()
    assert json.loads((tmp_path / "remote/sweep.json").read_text())["compilations"] == 3


def test_a_task_that_fails_is_named_after_the_others_have_ended(tiny_weights, tmp_path, monkeypatch):
    paint = remote_search.search_shard

    def failing(shard, *arguments):
        if shard.begin == 0:
            raise UserError("cannot write: the disk is full")
        paint(shard, *arguments)

    monkeypatch.setattr(remote_search, "search_shard", failing)
    monkeypatch.setattr(remote_search, "SHARD_BATCHES", 1)
    fields = {"layers": "('conv1_1',)", "size": 32, "batch": 4, "network.weights": tiny_weights}
    flags = [f"--config.{name}={value}" for name, value in fields.items()]
    command = ["", f"--workdir={tmp_path}", "--cluster=here"]
    with pytest.raises(UserError, match="--cluster: pictures 0 to 4: cannot write: the disk is full"):
        top_patches.main([*command, "--config=top_patches", *flags])
    assert len(list(tmp_path.glob("shards/*/checkpoint.safetensors"))) == 2
    monkeypatch.setattr(remote_search, "search_shard", paint)
    assert top_patches.main([*command, "--resume"]) == 0
    assert json.loads((tmp_path / "run.json").read_text())["images"] == 9
