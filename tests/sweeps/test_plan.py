"""What a sweep plans to run, before anything is painted; and every figure painted at a tiny size."""

import itertools
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from ml_collections import ConfigDict

from nst_jax import images, sweep
from nst_jax.config import from_dict
from nst_jax.config.named import run_config
from nst_jax.errors import UserError
from nst_jax.sweeps import groups, plan
from tests.command import ROOT, pixels
from tests.sweeps.cells import varied
from tests.test_sweep import CONFIGS, tiny


@pytest.mark.parametrize("path", ["photos/a.b/cat.jpg", "C:\\photos\\cat.jpg", "C:/photos/cat.jpg"])
def test_a_picture_is_labelled_by_its_name(path):
    assert plan.label(path) == "cat"


def test_values_in_a_flag():
    [(labels, fields)] = varied(["scales=(0.5,1.0)", "network.normalize=true"])
    assert fields == {"scales": (0.5, 1.0), "network.normalize": True}
    assert labels == ("scales=(0.5, 1.0)", "network.normalize=True")
    cells = varied(["content=x.jpg,dir/y.png", "tv_weight=0,1e-3"], [(("a",), {"seed": 1})])
    assert [cell[0] for cell in cells][1:3] == [
        ("a", "content=x.jpg", "tv_weight=0.001"),
        ("a", "content=y", "tv_weight=0"),
    ]
    assert cells[0][1] == {"seed": 1, "content": "x.jpg", "tv_weight": 0}


def test_the_path_of_a_picture_is_text_and_may_contain_commas(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("Holiday, 2020/写真.png", "Holiday, 2020/1e5.png", "a,b,c.png"):
        images.write(tmp_path / name, np.full((1, 32, 48, 3), 0.5, np.float32))
    assert values_of("content=1e5.jpg,1e5,2020,'x.png'") == ["1e5.jpg", "1e5", "2020", "x.png"]
    assert values_of("styles.a.image=1e5,a,b,c.png,z") == ["1e5", "a,b,c.png", "z"]
    cells = varied(["content=folder:Holiday, 2020,a,b,c.png"])
    assert [fields["content"] for _, fields in cells] == [
        "Holiday, 2020/1e5.png",
        "Holiday, 2020/写真.png",
        "a,b,c.png",
    ]


def values_of(flag):
    return [value for _, fields in varied([flag]) for value in fields.values()]


def test_a_sweep_may_add_what_a_config_file_has_at_hand(tmp_path):
    fields = {
        "style_layers": ConfigDict({"conv1_1": 1.0}),
        "content_weight": np.float64(0.5),
        "scales": (np.float32(0.5), 1.0),
        "content": Path("photo.jpg"),
    }
    runs = plan.plan_runs({}, [(("a",), fields), (("b",), {"style_layers": ConfigDict({"conv2_1": 1.0})})])
    assert runs[0].config.style_layers == {"conv1_1": 1.0}
    assert (runs[0].config.content, runs[0].config.scales) == ("photo.jpg", (0.5, 1.0))
    assert plan.from_json(json.loads(json.dumps(plan.to_json(runs))))[1] == runs[1]


def test_swept_names_the_fields_that_differ():
    runs = plan.plan_runs(
        {"style_layers": {"conv1_1": 1.0}},
        [(("a",), {}), (("b",), {"style_layers": {"conv2_1": 1.0}, "optimizer.steps": 7})],
    )
    assert plan.swept(runs) == ["style_layers.conv1_1", "optimizer.steps", "style_layers.conv2_1"]
    assert plan.from_json(json.loads(json.dumps(plan.to_json(runs)))) == runs


def test_each_network_is_loaded_once(tiny_weights, monkeypatch):
    loads = []
    load = groups.load_network
    monkeypatch.setattr(groups, "load_network", lambda *a: loads.append(a) or load(*a))
    base = {"size": 32, "network": {"arch": "slim", "weights": str(tiny_weights)}}
    runs = plan.plan_runs(base, [((i,), {"seed": i}) for i in range(4)])
    jobs = groups.prepare_jobs({run.folder: run.config for run in runs})
    assert len(loads) == 1
    assert len({id(job.network) for job in jobs.values()}) == 1


def test_runs_go_on_with_the_network_of_those_that_have_begun(tiny_weights, tmp_path, monkeypatch):
    begun, load = [], groups.load_network
    monkeypatch.setattr(groups, "load_network", lambda n, names, b: begun.append(b) or load(n, names, b))
    base = {"size": 32, "network": {"arch": "slim", "weights": str(tiny_weights)}}
    runs = plan.plan_runs(base, [((i,), {"seed": i}) for i in range(2)])
    finished = tmp_path / runs[0].folder
    finished.mkdir()
    (finished / "run.json").write_text('{"network": {"sha256": "1234567890"}}')
    groups.prepare_jobs({run.folder: run.config for run in runs}, tmp_path)
    assert begun == [{"1234567890"}]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("variant", ["paper", "quick"])
def test_every_figure_is_a_sweep_that_can_be_run(path, variant):
    config, sweep = run_config(f"{path}:{variant}")
    cells = plan.cells_of(sweep, str(path))
    runs = plan.plan_runs(config, cells)
    assert len(runs) == {"gatys2015_fig3": 20, "cvpr2016_fig6": 6, "cvpr2016_fig5": 2}.get(
        path.stem, len(cells)
    )
    quick_size = 128 if path.stem == "networks" else 256
    assert runs[0].config.size == (512 if variant == "paper" else quick_size)
    with pytest.raises(UserError, match="choices: paper, quick"):
        runpy.run_path(str(path))["get_config"]("fast")


def test_fig3_is_the_grid_of_the_paper():
    path = str(ROOT / "configs/sweeps/gatys2015_fig3.py")
    runs = plan.plan_runs({}, plan.cells_of(run_config(path)[1], path))
    layers = [f"conv{block}_1" for block in range(1, 6)]
    for run, (rows, ratio) in zip(
        runs, itertools.product(range(1, 6), (1e-5, 1e-4, 1e-3, 1e-2)), strict=True
    ):
        assert run.config.style_layers == pytest.approx(dict.fromkeys(layers[:rows], 1 / rows))
        assert run.config.content_weight == ratio
        assert run.config.content_layers == {"conv4_2": 1.0}
    assert from_dict({}).network.normalize is False


# Programs compiled: one, but where the networks or the optimisers differ. Of `networks`, the default set is
# slim and five architectures with random filters, each run with a network of its own.
PROGRAMS = {"gatys2017_spatial": 3, "networks": 6, "pooling": 2, "optimizers": 3}
PAINTED = "cvpr2016_fig5"  # of the rest, the default tests check the plan


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, id=p.stem, marks=() if p.stem == PAINTED else pytest.mark.slow) for p in CONFIGS],
)
def test_every_figure_is_painted(path, tiny_weights, tmp_path, monkeypatch):
    monkeypatch.delenv("NST_REFERENCE_DATA", raising=False)  # it would add trained networks
    flags = tiny(tiny_weights, tmp_path / "out", f"{path}:quick", shallow=False)
    quick = ["optimizer.steps=2", "scales=(1.0,)"]
    argv = ["sweep", *flags, *(f"--config.{field}" for field in quick), "--batch=2"]
    assert sweep.main(argv) == 0
    about = json.loads((tmp_path / "out/sweep.json").read_text())
    assert {run["status"] for run in about["runs"]} == {"done"}
    assert about["compilations"] == PROGRAMS.get(path.stem, 1)
    assert pixels(tmp_path / "out/sheet.png").std() > 0


COUNTED = """
from pathlib import Path
from ml_collections import ConfigDict

with Path(__file__).with_suffix(".log").open("a") as file:
    file.write("x")

def get_config():
    return ConfigDict({"size": 64})

def sweep(add):
    add(seed=1)
    add(seed=2)
"""


def test_a_config_file_is_executed_once(tmp_path):
    (tmp_path / "own.py").write_text(COUNTED)
    values = sweep.parse_flags(["", f"--config={tmp_path / 'own.py'}", f"--workdir={tmp_path / 'folder'}"])
    assert [run.config.seed for run in sweep.open_sweep(values).runs] == [1, 2]
    assert (tmp_path / "own.log").read_text() == "x"
