"""Run folders and sweep folders that were damaged or edited: resumed bit for bit, or refused in a line."""

import json
import os
import random
import shutil

import numpy as np
import pytest

from nst_jax.config import from_dict
from nst_jax.runs.folder import RunFolder, read_settings
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.session import Session
from tests.command import assert_refused, call, metrics, pixels, tiny
from tests.hostile.contract import SHALLOW, assert_promises, assert_tidy, cases, within
from tests.hostile.damage import damaged, with_odd_value

SETTINGS = {"size": 32, "optimizer__steps": 6, "log_every": 2, "snapshot_every": 3, **SHALLOW}
FILES = ("config.json", "run.json", "metrics.jsonl", "checkpoint.safetensors", "result.png", "progress")


@pytest.fixture(scope="module")
def whole(tiny_weights, tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert call(*tiny(tiny_weights, folder, **SETTINGS)).returncode == 0
    return folder


@pytest.fixture(scope="module")
def half(whole, tmp_path_factory):
    """The folder of the same run, interrupted after three steps, with a checkpoint."""
    folder = tmp_path_factory.mktemp("half") / "run"
    job = prepare(from_dict(read_settings(whole)))
    watch = lambda look: look.step[0] < 3  # noqa: E731
    (outcome,) = paint(Session([job]), [job], [RunFolder(folder, job.config)], watch)
    assert outcome.status == "interrupted"
    return folder


@pytest.fixture
def run(half, tmp_path):
    return shutil.copytree(half, tmp_path / "run")


def resume(folder, *flags):
    with within(120):
        return call(f"--workdir={folder}", "--resume", *flags)


def assert_same_run(folder, whole):
    np.testing.assert_array_equal(pixels(folder / "result.png"), pixels(whole / "result.png"))
    for ours, theirs in zip(metrics(folder), metrics(whole), strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


def edit_json(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_an_interrupted_run_goes_on_bit_for_bit(run, whole):
    assert resume(run).returncode == 0
    assert_same_run(run, whole)
    assert_tidy(run)


EDITS = {
    "seed": {"seed": 7},
    "content_weight": {"content_weight": 3.0},
    "init": {"init": "content"},
    "size": {"size": 33},
    "style": {"style": "sample:swirls"},
}


@pytest.mark.parametrize("field", EDITS)
def test_an_edited_config_is_refused_by_the_field(run, field):
    edit_json(run / "config.json", **EDITS[field])
    before = (run / "checkpoint.safetensors").read_bytes()
    assert_refused(resume(run), f"--resume: {field} is ")
    assert (run / "checkpoint.safetensors").read_bytes() == before


def test_edited_fields_of_sections_are_refused(run):
    values = json.loads((run / "config.json").read_text())
    edit_json(run / "config.json", network={**values["network"], "pool": "max"})
    assert_refused(resume(run), "--resume: network.pool is max now but was avg")


def test_only_steps_may_grow(run, whole):
    values = json.loads((run / "config.json").read_text())
    edit_json(run / "config.json", optimizer={**values["optimizer"], "steps": 8})
    assert resume(run).returncode == 0
    assert [line["step"] for line in metrics(run)] == [0, 2, 4, 6, 8]
    for ours, theirs in zip(metrics(run), metrics(whole), strict=False):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


def test_fewer_steps_are_refused(run):
    values = json.loads((run / "config.json").read_text())
    edit_json(run / "config.json", optimizer={**values["optimizer"], "steps": 4})
    assert_refused(resume(run), "optimizer.steps is 4 now but was 6")


@pytest.mark.parametrize("place", [0, 9, 200, 3000, -1, -5000])
def test_a_flipped_bit_of_the_checkpoint_is_noticed(run, place):
    data = bytearray((run / "checkpoint.safetensors").read_bytes())
    data[place] ^= 4
    (run / "checkpoint.safetensors").write_bytes(data)
    assert_refused(resume(run), "checkpoint.safetensors", "delete it to start the run again")


@pytest.mark.parametrize("end", [b"{", b'{"step": 3', b"\xff\0junk", b"\n", b'{"step": "x"}\n', b"[]\n"])
def test_a_half_written_last_line_is_dropped(run, whole, end):
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(end)
    assert resume(run).returncode == 0
    assert_same_run(run, whole)


def test_a_damaged_line_before_the_last_is_named(run):
    text = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text("junk\n" + text)
    result = resume(run)
    assert_promises(result, 2)
    assert "metrics.jsonl: line 1 is damaged" in result.stderr.splitlines()[-1]


def test_a_finished_run_without_its_picture_is_painted_again(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    (folder / "result.png").unlink()
    result = resume(folder)
    assert result.returncode == 0
    assert "finished already" not in result.stdout
    assert_same_run(folder, whole)


@pytest.mark.parametrize("text", ["", "\0" * 100, "[]", "3", "{", '{"status": 3}', "[" * 10_000])
def test_damaged_records_are_named(run, text):
    (run / "run.json").write_text(text)
    assert_refused(resume(run), "run.json")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"null", b"{}x", b'{"size": 1, "size": 2}'])
def test_damaged_configs_are_named(run, content):
    (run / "config.json").write_bytes(content)
    assert_refused(resume(run), "config.json")


def mutate(folder, generator):
    """Damage one file of a run folder in one way; return whether its settings may have changed."""
    name = generator.choice([name for name in FILES if (folder / name).exists()])
    path, kind = folder / name, generator.randrange(10)
    if kind < 4 and path.suffix == ".json":
        path.write_text(json.dumps(with_odd_value(json.loads(path.read_text()), generator)))
    elif kind < 8 and path.is_file():
        path.write_bytes(damaged(path.read_bytes(), generator))
    else:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        replace = generator.randrange(5)
        if replace == 0:
            path.mkdir()
        elif replace == 1:
            os.mkfifo(path)
        elif replace == 2:
            path.symlink_to(generator.choice(("nothing", path.name, "/dev/zero", "/dev/full")))
        elif replace == 3:
            path.write_bytes(generator.randbytes(generator.choice((0, 3, 1000))))
    return name == "config.json"


@pytest.mark.parametrize("seed", cases(8, 200))
def test_any_damage_to_a_run_is_survived_or_refused(half, whole, tmp_path, seed):
    generator = random.Random(seed)
    folder = shutil.copytree(generator.choice((half, half, whole)), tmp_path / "run")
    edited = False
    for _ in range(generator.choice((1, 1, 1, 2))):
        edited |= mutate(folder, generator)
    outside = sorted(tmp_path.iterdir())
    result = resume(folder)
    assert_promises(result)
    assert_tidy(tmp_path)
    assert sorted(tmp_path.iterdir()) == outside
    if result.returncode == 0 and not edited and "finished already" not in result.stdout:
        np.testing.assert_array_equal(pixels(folder / "result.png"), pixels(whole / "result.png"))


@pytest.fixture(scope="module")
def swept(tiny_weights, tmp_path_factory):
    """The folder of a finished sweep of two small runs; one has lost its result, so that it is unfinished."""
    folder = tmp_path_factory.mktemp("sweep") / "sweep"
    flags = tiny(tiny_weights, folder, **SETTINGS | {"size": 16, "optimizer__steps": 2})
    result = call(*flags, "--vary=seed=0,1", module="nst_jax.sweep")
    assert result.returncode == 0, result.stderr
    (folder / "1_seed=1" / "result.png").unlink()
    return folder


def test_a_sweep_of_tiny_results_ends_with_its_gallery(swept):
    assert min(pixels(swept / "0_seed=0" / "result.png").shape[:2]) < 16
    assert (swept / "sheet.png").exists()


def sweep_on(folder, *flags):
    with within(120):
        return call(f"--workdir={folder}", "--resume", *flags, module="nst_jax.sweep")


@pytest.mark.parametrize(
    "name", ["../../elsewhere", "/tmp/elsewhere", "..", ".", "", "a/b", "0_seed=0", 3, None]
)
def test_no_run_of_a_sweep_is_outside_its_folder(swept, tmp_path, name):
    folder = shutil.copytree(swept, tmp_path / "a" / "sweep")
    values = json.loads((folder / "sweep.json").read_text())
    values["runs"][1]["folder"] = name
    (folder / "sweep.json").write_text(json.dumps(values))
    before = sorted(tmp_path.rglob("*"))
    assert_refused(sweep_on(folder), "sweep.json", "folder")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("seed", cases(2, 120))
def test_any_damage_to_a_sweep_is_survived_or_refused(swept, tmp_path, seed):
    generator = random.Random(seed)
    folder = shutil.copytree(swept, tmp_path / "a" / "sweep")
    if generator.random() < 0.7:
        file = folder / "sweep.json"
        values = json.loads(file.read_text())
        if generator.random() < 0.8:
            file.write_text(json.dumps(with_odd_value(values, generator)))
        else:
            file.write_bytes(damaged(file.read_bytes(), generator))
    else:
        mutate(folder / generator.choice(("0_seed=0", "1_seed=1")), generator)
    before = {path for path in tmp_path.rglob("*") if folder not in path.parents}
    result = sweep_on(folder)
    assert_promises(result)
    assert_tidy(tmp_path)
    assert {path for path in tmp_path.rglob("*") if folder not in path.parents} == before
