"""NNST end to end: the command, resuming, the Python API, sweeps, and what is refused."""

import json

import numpy as np
import pytest

import nst_jax
from nst_jax.config import from_dict
from nst_jax.config.named import read_config
from nst_jax.config.overriding import override
from nst_jax.config.stages import stages_of
from nst_jax.errors import UserError
from nst_jax.methods.transfers import open_session
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from tests.command import ROOT, assert_refused, call, metrics, pixels

CHANGES = {
    "content": "sample:coffee",
    "style": "sample:stained_glass",
    "size": 64,
    "scales": (0.5, 1.0),
    "network.normalize": False,
    "network.pool": "avg",
    "nnst.layers": ("conv1_1", "conv2_1"),
    "nnst.splitting": 10,
    "optimizer.steps": 10,
    "optimizer.learning_rate": 0.01,
    "log_every": 5,
    "snapshot_every": 10,
}


def flags(weights, workdir, **fields):
    settings = {**CHANGES, "nnst.layers": "conv1_1,conv2_1", "network.weights": weights, **fields}
    return [
        f"--config={ROOT / 'configs' / 'nnst.py'}",
        f"--workdir={workdir}",
        *(f"--config.{name}={value}" for name, value in settings.items()),
    ]


def values(weights, **fields):
    return override(read_config("nnst"), {**CHANGES, "network.weights": str(weights), **fields})


def test_the_command_paints(tiny_weights, tmp_path):
    result = call(*flags(tiny_weights, tmp_path / "run"))
    assert result.returncode == 0, result.stderr
    assert "NNST on another network than the paper's: tiny.safetensors" in result.stdout
    assert pixels(tmp_path / "run/result.png").shape == (43, 64, 3)
    assert json.loads((tmp_path / "run/run.json").read_text())["steps"] == 30
    lines = metrics(tmp_path / "run")
    assert [line["step"] for line in lines] == [0, 5, 10, 15, 20, 25, 30]
    assert [line["scale"] for line in lines] == [0.5] * 3 + [1.0] * 4
    assert lines[2]["matching"] == lines[2]["total"] < 0.9 * lines[0]["total"]
    parts = [lines[-1][f"splitting/{layer}"] for layer in CHANGES["nnst.layers"]]
    assert lines[-1]["total"] == pytest.approx(sum(parts), rel=1e-5)
    assert lines[-1]["total"] < lines[-2]["total"]
    assert sorted(path.name for path in (tmp_path / "run/progress").iterdir()) == [
        f"0000{step}.png" for step in (10, 20, 30)
    ]


@pytest.fixture(scope="module")
def whole(tiny_weights, tmp_path_factory):
    """A run that nothing stopped: the job, its session, its folder, and its outcome."""
    job = prepare(from_dict(values(tiny_weights)))
    session, folder = open_session([job]), RunFolder(tmp_path_factory.mktemp("whole") / "run", job.config)
    return job, session, folder, paint(session, [job], [folder], lambda look: True)[0]


@pytest.mark.parametrize("stop", [3, 13, 24], ids=["at the first scale", "at full size", "in splitting"])
def test_a_stopped_run_resumes_bit_for_bit(whole, tmp_path, stop):
    job, session, undisturbed, expected = whole
    folder = RunFolder(tmp_path / "run", job.config)
    (stopped,) = paint(session, [job], [folder], lambda look: look.step[0] < stop)
    assert stopped.status == "interrupted"
    assert stop <= stopped.steps < 30
    saved = folder.load_checkpoint(job.identity())
    (again,) = paint(session, [job], [folder], lambda look: True, [saved])
    assert (again.status, again.steps, again.evaluations) == ("done", 30, expected.evaluations)
    np.testing.assert_array_equal(again.image, expected.image)
    for a, b in zip(metrics(undisturbed.path), metrics(folder.path), strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}
    assert session.compilations == 3  # two sizes, and feature splitting


def test_from_python_and_without_its_optional_parts(tiny_weights):
    fields = values(tiny_weights, **{"nnst.splitting": 0, "nnst.color": False, "nnst.rotations": False})
    result = nst_jax.stylize("sample:coffee", "sample:stained_glass", fields)
    assert (result.status, result.record["steps"], result.array.shape) == ("done", 20, (1, 43, 64, 3))
    assert "splitting" not in result.metrics[-1]
    assert result.metrics[-1]["step"] == 20


@pytest.mark.slow
def test_a_sweep_paints_one_run_after_another(tiny_weights, tmp_path):
    vary = ["--vary=nnst.alpha=0.25,0.75"]
    result = call(*flags(tiny_weights, tmp_path), *vary, module="nst_jax.sweep")
    assert result.returncode == 0, result.stderr
    assert "2 runs (2 done), 3 programs compiled" in result.stdout
    a, b = (pixels(path) for path in sorted(tmp_path.glob("*/result.png")))
    assert not np.array_equal(a, b)


def test_layers_are_those_that_the_weights_have(reference):
    weights = reference / "weights" / "vgg19_conv1_1-conv3_4.safetensors"
    fields = {"network.arch": "vgg19", "nnst.layers": ()}
    session = open_session([prepare(from_dict(values(weights, **fields)))])
    blocks = ((1, 2), (2, 2), (3, 4))
    expected = tuple(f"conv{block}_{index + 1}" for block, count in blocks for index in range(count))
    assert session.layers == expected
    assert from_dict(values("auto", **{"network.arch": "vgg16", "nnst.layers": ()})).active_layers() == (
        *expected[:7],
        *("conv4_1", "conv4_2", "conv4_3"),
    )
    missing = {**fields, "nnst.layers": ("conv4_1",)}
    with pytest.raises(UserError, match="conv4_1"):
        prepare(from_dict(values(weights, **missing)))


def test_stages_are_the_scales_and_feature_splitting():
    stages = stages_of(from_dict(values("auto", **{"optimizer.steps": (30, 20)})))
    assert [(stage.scale, stage.steps, stage.extra) for stage in stages] == [
        (0.5, 30, False),
        (1.0, 20, False),
        (1.0, 10, True),
    ]
    assert len(stages_of(from_dict(values("auto", **{"nnst.splitting": 0})))) == 2


REFUSED = {
    "a loss": ({"style_losses": {"sliced": 1.0}}, "style_losses.gram: None has no effect with method=nnst"),
    "a layer": ({"style_layers": {"conv1_1": 0.7}}, "style_layers.conv1_1: 0.7 has no effect"),
    "a region": (
        {"styles": {"sky": {"image": "sample:swirls", "region": "sky.png"}}},
        "styles.sky: .* has no effect with method=nnst; remove it",
    ),
    "a tile": ({"tile": 512}, "tile: 512 has no effect with method=nnst; the default is 0"),
    "content weight": ({"content_weight": 3.0}, "content_weight: 3.0 has no effect with method=nnst"),
    "optimizer": ({"optimizer.name": "lbfgs"}, "optimizer.name: lbfgs cannot be used with method=nnst"),
    "padding": ({"network.padding": "circular"}, "network.padding: circular cannot be used with method=nnst"),
    "color": ({"color": "luminance"}, "color: luminance cannot be used with nnst.color"),
    "share": ({"nnst.alpha": 1.5}, "nnst.alpha: 1.5 is above 1"),
    "steps": ({"nnst.splitting": -1}, "nnst.splitting: -1 is below 0"),
    "unknown layer": ({"nnst.layers": ("conv9_1",)}, "nnst.layers: unknown 'conv9_1'"),
    "method": ({"method": "nst"}, "method: unknown 'nst'"),
    "other method": ({"method": "optimize"}, "nnst.layers: .* has no effect with method=optimize"),
}


@pytest.mark.parametrize(("fields", "message"), REFUSED.values(), ids=REFUSED)
def test_what_the_method_would_ignore_is_refused_by_name(fields, message):
    with pytest.raises(UserError, match=message):
        from_dict(values("auto", **fields))


def test_a_refused_command_leaves_nothing(tiny_weights, tmp_path):
    result = call(*flags(tiny_weights, tmp_path / "run", **{"style_losses.sliced": 1.0}))
    assert_refused(result, "style_losses.sliced: 1.0 has no effect with method=nnst; remove it")
    assert not (tmp_path / "run").exists()
