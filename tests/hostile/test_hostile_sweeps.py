"""Sweep folders that were damaged or edited: finished, or refused in a line; nothing outside is touched."""

import json
import random
import shutil

import pytest

from tests.command import assert_refused, call, pixels, tiny
from tests.hostile.contract import BRIEF, assert_promises, assert_tidy, cases, within
from tests.hostile.damage import damaged, edit_json, mutate, with_odd_value


@pytest.fixture(scope="module")
def swept(tiny_weights, tmp_path_factory):
    """The folder of a finished sweep of two small runs; one has lost its result, so that it is unfinished."""
    folder = tmp_path_factory.mktemp("sweep") / "sweep"
    flags = tiny(tiny_weights, folder, **BRIEF | {"size": 16, "optimizer__steps": 2})
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


def test_a_damaged_record_is_named_by_the_gallery(swept, tmp_path):
    folder = shutil.copytree(swept, tmp_path / "sweep")
    edit_json(folder / "0_seed=0" / "run.json", network={"arch": 3})
    result = sweep_on(folder)
    assert_promises(result, 2)
    assert "0_seed=0/run.json: network: name is missing" in result.stderr


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
