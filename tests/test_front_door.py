"""`nst-jax`: one command in front of all, what it says of itself, and what it makes of a wrong word."""

import importlib

import numpy as np
import pytest
from absl import flags as flags_module
from PIL import Image

from nst_jax import cli
from nst_jax.__main__ import COMMANDS, flags_of
from nst_jax.config import Config
from nst_jax.config.fields import paths
from nst_jax.config.named import shipped_configs
from tests.command import assert_refused, call, metrics, tiny

DOOR = "nst_jax.__main__"


@pytest.fixture
def flags(tiny_weights, tmp_path):
    """A tiny run's flags, without its pictures."""
    return [
        flag
        for flag in tiny(tiny_weights, tmp_path / "run")
        if "content=" not in flag and "style=" not in flag
    ]


def test_a_photo_is_painted_into_a_file(flags, tmp_path):
    out = tmp_path / "result.jpg"
    done = call("paint", "sample:coffee", "sample:swirls", *flags, "--size=40", "--out", out, module=DOOR)
    assert done.returncode == 0, done.stderr
    assert str(out) in done.stdout.splitlines()[-1]
    first = next(line for line in done.stdout.splitlines() if not line.startswith("INFO"))
    assert first == f"folder: {tmp_path / 'run'}"
    with Image.open(out) as copy, Image.open(tmp_path / "run" / "result.png") as picture:
        assert (copy.format, max(copy.size)) == ("JPEG", 40)
        assert np.abs(np.asarray(copy, int) - np.asarray(picture, int)).mean() < 20
    again = call("paint", "sample:coffee", *flags, "--resume", f"--out={tmp_path / 'again.png'}", module=DOOR)
    assert again.returncode == 2, "other pictures than those of the run"
    assert metrics(tmp_path / "run")[-1]["step"] == 20


@pytest.mark.parametrize(
    ("out", "word"),
    [("picture.xyz", "suffix"), ("none/picture.png", "no folder"), ("there.png", "exists already")],
)
def test_a_file_that_could_not_be_written_is_refused_at_once(flags, tmp_path, monkeypatch, out, word):
    (tmp_path / "there.png").write_bytes(b"")
    done = call("paint", *flags, f"--out={tmp_path / out}", module=DOOR)
    assert_refused(done, "--out: ", word)
    assert not (tmp_path / "run").exists()


def test_each_command_exists_and_says_how_it_is_called():
    listed = call(module=DOOR).stdout
    for name, command in COMMANDS.items():
        assert name in listed
        assert command.summary in listed
        assert callable(importlib.import_module(command.module).main)
        assert not command.config or command.config in shipped_configs()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a.jpg", "b.jpg"], ["--config=quick", "--config.content=a.jpg", "--config.style=b.jpg"]),
        (["a.jpg", "--config", "best"], ["--config.content=a.jpg", "--config=best"]),
        (["--resume", "--workdir", "x"], ["--resume", "--workdir=x"]),
        (["--size", "64"], ["--config=quick", "--config.size=64"]),
    ],
)
def test_pictures_by_position_become_fields(arguments, expected):
    assert flags_of(COMMANDS["paint"], arguments) == expected


def test_help_lists_every_field_with_its_default_and_meaning():
    lines = call("--help").stdout.splitlines()
    names = list(paths(Config))
    for path in names:
        if any(name.startswith(f"{path}.") for name in names):
            continue  # a section
        (line,) = [line.strip() for line in lines if line.strip().startswith(f"{path}=")]
        assert len(line.split(" ", 1)[1].strip()) > 3, f"{path} has no comment in its dataclass"
    assert any(line.strip().startswith("size=512 ") for line in lines)
    assert any("--workdir" in line for line in lines)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--size=3"], ["--size: unknown flag; did you mean --config.size?"]),
        (["--pool=max"], ["did you mean --config.network.pool?"]),
        (["--resumee"], ["did you mean --resume?"]),
        (["--config=quik"], ["unknown 'quik'; did you mean 'quick'?"]),
        (["--config=top_patches"], ["is a config for python -m nst_jax.experiments.top_patches"]),
        (["--config=sweeps/gatys2015_fig3"], ["is a sweep of many runs", "nst_jax.sweep"]),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(given, words):
    config = [] if given[0].startswith("--config=") else ["--config=quick"]
    assert_refused(call(*config, *given), *words)


def test_a_field_needs_a_config():
    assert_refused(call("--config.size=64"), "--config.size: changes a field of a config; add --config=FILE")


def test_an_experiment_names_the_command_of_a_transfers_config():
    module = "nst_jax.experiments.maximize"
    assert_refused(call("--config=quick", module=module), "quick is a config for python -m nst_jax.run")


def test_a_wrong_command_is_answered_with_the_right_one():
    assert_refused(call("pain", module=DOOR), "did you mean 'paint'?")
    assert_refused(call("paint", "a", "b", "c", module=DOOR), "unexpected argument 'c'", "CONTENT, STYLE")


def test_configs_are_listed_by_the_command_that_takes_them():
    lines = call("configs", module=DOOR).stdout.splitlines()
    start = lines.index("python -m nst_jax.experiments.top_patches --config=NAME")
    assert "Zeiler & Fergus 2013" in lines[start + 1]
    assert {line.split()[0] for line in lines if line.startswith("    ")} == set(shipped_configs())


def test_the_version_names_jax_and_the_network():
    first, second = call("--version", module=DOOR).stdout.splitlines()
    assert first.startswith("nst_jax ")
    assert "JAX" in first
    assert second.startswith("VGG-19 in the cache: ")


@pytest.mark.parametrize("name", ["maximize", "top_patches", "concepts", "mix_scales"])
def test_a_checkout_has_the_experiments_at_its_top(name):
    top, shipped = (
        importlib.import_module(f"{package}{name}") for package in ("experiments.", "nst_jax.experiments.")
    )
    assert top.main is shipped.main


def test_an_experiment_has_a_folder_of_its_own_by_default():
    values, argv = flags_module.FlagValues(), ["maximize", "--config=maximize"]
    cli.define_config(values, argv)
    cli.define_workdir(values)
    cli.parse(values, argv, "")
    assert str(cli.work_folder(values)).startswith("runs/maximize-")
