"""Run folders that were damaged or edited: resumed bit for bit, or refused in a line."""

import json
import random
import shutil

import numpy as np
import pytest

from nst_jax.config import from_dict
from nst_jax.methods.gatys import Session
from nst_jax.runs.folder import RunFolder, read_settings
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from tests.command import assert_refused, call, metrics, pixels, tiny
from tests.hostile.contract import BRIEF, assert_promises, assert_tidy, cases, within
from tests.hostile.damage import edit_json, mutate


@pytest.fixture(scope="module")
def whole(tiny_weights, tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert call(*tiny(tiny_weights, folder, **BRIEF)).returncode == 0
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
