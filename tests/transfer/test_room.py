"""What is far too large is refused at once, in little memory, and nothing is left of it."""

import json
import subprocess
import sys

import numpy as np
import pytest

import nst_jax
from nst_jax import UserError
from nst_jax.config import from_dict
from nst_jax.images.reading import sides
from nst_jax.transfer import room
from nst_jax.transfer.fitting import inputs_of_files
from tests.command import ROOT

GIB = 2**30
# A module, its config, the fields that are too large, and what the refusal says.
TOO_LARGE = {
    "a run": ("nst_jax.run", "quick", ["--config.size=8192"], "size: 8192 px needs at least"),
    "for print": ("nst_jax.run", "print", ["--config.size=20000"], "size: 20000 px needs at least"),
    "absurd": ("nst_jax.run", "quick", ["--config.size=200000"], "size: 200000 is above 32768"),
    "a sweep": (
        "nst_jax.sweep",
        "quick",
        ["--vary=size=512,8192"],
        "in run 1_size=8192: size: 8192 px needs",
    ),
    "nnst": ("nst_jax.run", "nnst", ["--config.size=8192"], "use a much smaller size"),
    "a style": ("nst_jax.run", "quick", ["--config.style_scale=60"], "size: 512 px needs at least"),
    "a mix": (
        "nst_jax.experiments.mix_scales",
        "mix_scales",
        ["--config.transfer.size=8192"],
        "size: 8192 px needs",
    ),
    "networks": (
        "nst_jax.experiments.network_ablation",
        "quick",
        ["--config.size=8192"],
        "size: 8192 px needs",
    ),
    "maximisation": (
        "nst_jax.experiments.maximize",
        "maximize",
        ["--config.size=4000"],
        "size: 1 x 4024 px need",
    ),
}
SECONDS = 30  # on a busy machine; they take 0.4 together on an idle one


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """All of them in one process: exit status, message, seconds and peak memory by name; and a folder."""
    folder = tmp_path_factory.mktemp("refused")
    commands = [
        (module, [f"--config={ROOT}/configs/{config}.py", f"--workdir={folder / 'a' / 'run'}", *flags])
        for module, config, flags, _ in TOO_LARGE.values()
    ]
    program = [sys.executable, "-m", "tests.limited_process", json.dumps(commands)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(zip(TOO_LARGE, map(json.loads, done.stdout.splitlines()), strict=True)), folder


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is that of Linux")
@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_far_too_large_is_refused_in_a_moment_and_nothing_is_left(refusals, name):
    by_name, folder = refusals
    status, message, seconds, peak = by_name[name]
    assert status == 2, message
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert TOO_LARGE[name][-1] in message
    assert seconds < SECONDS
    assert peak < 0.6 * GIB
    assert not list(folder.iterdir())


@pytest.fixture
def two_gib(monkeypatch):
    monkeypatch.setattr(room, "free_memory_bytes", lambda: 2 * GIB)


def test_a_refused_call_leaves_no_folder(two_gib, tmp_path):
    photo = np.zeros((64, 96, 3), np.uint8)
    with pytest.raises(UserError, match=r"size: 8192 px needs at least .* 2\.0 GiB are free"):
        nst_jax.stylize(photo, photo, size=8192, workdir=tmp_path / "run")
    large = {"content": photo, "style": photo, "size": 8192}
    with pytest.raises(UserError, match=r"in run 0_seed=0: size: 8192 px needs"):
        nst_jax.sweep(vary={"seed": [0, 1]}, workdir=tmp_path / "sweep", **large)
    assert not list(tmp_path.iterdir())


def refusal(**fields):
    config = from_dict({"network": {"arch": "slim"}, "size": 4096, **fields})
    with pytest.raises(UserError) as caught:
        room.require_room(config, list(inputs_of_files(config)))
    return str(caught.value)


def test_only_options_that_the_run_takes_are_suggested(monkeypatch):
    monkeypatch.setattr(room, "free_memory_bytes", lambda: 12 * GIB)
    assert "options that fit: --config.tile=512 or --config.size=" in refusal(
        network={"arch": "vgg19", "weights": "random"}
    )
    assert "tile" not in refusal(size=8192, network={"arch": "slim", "padding": "reflect"})
    assert refusal(size=16384, style_losses={"sliced": 1.0}).endswith("use a much smaller size")
    assert "tile" not in refusal(size=16384, tile=128)


def test_weights_of_unknown_width_count_for_nothing_until_they_are_read(tmp_path):
    shapes = list(inputs_of_files(config := from_dict({"network": {"arch": "slim", "weights": "a.npz"}})))
    unknown = room.least_bytes(config, shapes)
    assert unknown < room.least_bytes(config, shapes, {"conv1_1": 1})
    assert room.enough_bytes(config, shapes) == np.inf


def test_a_shorter_history_counts_where_the_config_allows_it():
    def least(**optimizer):
        config = from_dict({"network": {"arch": "slim"}, "tile": 512, "optimizer": optimizer})
        return room.least_bytes(config, list(inputs_of_files(config)))

    height, width = sides("sample:chelsea")
    picture = 12 * 512 * round(512 * height / width)
    assert least(memory=10) - least(memory=10, least_memory=4) == pytest.approx(2 * 6 * picture, rel=0.01)
