"""Each seam takes a newcomer from outside: no line of the package changes for it."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.losses.style import STYLE_LOSSES, StyleLoss
from nst_jax.networks import receptive
from nst_jax.networks.architectures import ARCHITECTURES, Architecture, Layer
from nst_jax.networks.network import walk
from nst_jax.optimizers.method import Method, Point
from nst_jax.optimizers.methods import METHODS
from nst_jax.runs.folder import RunFolder
from nst_jax.sweeps.groups import group_task, paint_group
from nst_jax.transfer import painting
from nst_jax.transfer.job import prepare
from nst_jax.transfer.painting import paint
from nst_jax.transfer.session import Session
from tests.command import ROOT, metrics, pixels


def settings(weights, **fields):
    """A run of seconds."""
    return {
        "content": "sample:coffee",
        "style": "sample:ink_wash",
        "size": 64,
        "log_every": 2,
        "snapshot_every": 4,
        "style_layers": {"conv1_1": 0.5, "conv2_1": 0.5},
        "content_layers": {"conv2_2": 1.0},
        "content_weight": 0.0,
        "network": {"arch": "slim", "weights": str(weights)},
        "optimizer": {"steps": 4},
        **fields,
    }


def run(values, path, session=None):
    job = prepare(from_dict(values))
    folder = RunFolder(path, job.config)
    (outcome,) = paint(session or Session([job]), [job], [folder], lambda look: True)
    return outcome


class MeanLoss:
    """A style loss of means, which counts how often it is traced."""

    def __init__(self):
        self.traces = 0

    def statistic(self, F, positions):
        self.traces += 1
        return {"mean": F.sum((0, 1, 2)) / positions}

    def distance(self, found, target):
        return jnp.sum(jnp.square(found["mean"] - target["mean"]))

    def entry(self, additive=True):
        return StyleLoss(self.statistic, self.distance, additive)


@pytest.fixture
def means(monkeypatch):
    loss = MeanLoss()
    monkeypatch.setitem(STYLE_LOSSES, "means", loss.entry())
    return loss


@pytest.mark.parametrize("tile", [0, 64])
def test_a_style_loss_paints_and_is_logged(means, tiny_weights, tmp_path, tile):
    values = settings(tiny_weights, style_losses={"means": 2.0}, size=100, tile=tile)
    assert run(values, tmp_path).status == "done"
    lines = metrics(tmp_path)
    assert lines[-1]["style"] < 0.5 * lines[0]["style"]
    job = prepare(from_dict(values))
    objective = Session([job]).objective(job, 1.0)
    target = objective.targets.style["conv1_1"][""]["style"]["means"]["mean"]
    F = job.network(jnp.asarray(job.initial_image(1.0)), ("conv1_1",))["conv1_1"]
    expected = 2.0 * np.square(np.asarray(F).mean((0, 1, 2)) - target).sum()
    assert lines[0]["style/conv1_1"] == pytest.approx(float(expected), rel=1e-4)


def test_style_losses_add_up_with_their_weights(means, tiny_weights, tmp_path):
    terms = {}
    for name, losses in {
        "a": {"gram": 1.0},
        "b": {"means": 1.0},
        "both": {"gram": 0.5, "means": 3.0},
    }.items():
        run(settings(tiny_weights, style_losses=losses), tmp_path / name)
        terms[name] = metrics(tmp_path / name)[0]["style/conv2_1"]
    assert terms["both"] == pytest.approx(0.5 * terms["a"] + 3 * terms["b"], rel=1e-5)


def test_a_loss_that_needs_the_whole_picture_is_refused_with_tiles(means, tiny_weights, monkeypatch):
    monkeypatch.setitem(STYLE_LOSSES, "means", means.entry(additive=False))
    with pytest.raises(UserError, match=r"tile: 64 cannot be used with style_losses\.means"):
        prepare(from_dict(settings(tiny_weights, style_losses={"means": 1.0}, tile=64)))
    with pytest.raises(UserError, match=r"style_losses: unknown 'meens'; did you mean 'means'"):
        prepare(from_dict(settings(tiny_weights, style_losses={"meens": 1.0})))


def test_a_second_content_costs_no_second_trace(means, tiny_weights, tmp_path):
    values = settings(tiny_weights, style_losses={"means": 1.0}, content_weight=1e-3)
    session = Session([prepare(from_dict(values))])
    run(values, tmp_path / "first", session)
    before, programs = means.traces, session.lanes.advance._cache_size()
    # Of the same shape, with another seed.
    outcome = run({**values, "content": "sample:chelsea", "seed": 1}, tmp_path / "second", session)
    assert (means.traces, session.lanes.advance._cache_size()) == (before, programs)
    alone = run({**values, "content": "sample:chelsea", "seed": 1}, tmp_path / "alone")
    np.testing.assert_array_equal(outcome.image, alone.image)


LAYERS = (
    Layer("edges", kernel=5, stride=2, padding=2, weighted=True, channels=6),
    Layer("blobs", kernel=3, stride=1, padding=1, weighted=True, channels=8),
)


class Toy(nnx.Module):
    """A network of another kind: a convolution with a stride, tanh for ReLU, names of its own."""

    def __init__(self, weights, pool, conv, precision):
        self.geometry = LAYERS
        self.layers = tuple(layer.name for layer in LAYERS)
        self.kernels = nnx.Dict(
            {name: nnx.Param(jnp.asarray(weights.arrays[f"{name}.kernel"])) for name in self.layers}
        )

    def preprocess(self, image):
        return image - 0.5

    def first_kernel(self):
        return self.kernels["edges"][...]

    def apply(self, name, x, relu=nnx.relu):
        layer = LAYERS[self.layers.index(name)]
        pad = (layer.padding, layer.padding)
        return jnp.tanh(
            jax.lax.conv_general_dilated(
                x,
                self.kernels[name][...],
                (layer.stride, layer.stride),
                (pad, pad),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
        )

    def __call__(self, image, layers, relu=nnx.relu):
        return walk(self.geometry, layers, self.preprocess(image), lambda layer, x: self.apply(layer.name, x))


@pytest.fixture
def toy_network(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "toy", Architecture("toy", LAYERS, Toy))
    return {
        "network": {"arch": "toy", "weights": "random"},
        "style_layers": {"edges": 1.0, "blobs": 1.0},
        "content_layers": {"blobs": 1.0},
        "content_weight": 1e-3,
    }


def test_a_network_paints(toy_network, tmp_path):
    assert run(settings("", **toy_network), tmp_path).status == "done"
    lines = metrics(tmp_path)
    assert lines[-1]["total"] < 0.5 * lines[0]["total"]
    assert {"style/edges", "content/blobs"} <= lines[0].keys()
    assert json.loads((tmp_path / "run.json").read_text())["network"]["arch"] == "toy"


def test_the_geometry_of_a_network_is_its_layers(toy_network):
    job = prepare(from_dict(settings("", **toy_network)))
    image = jnp.asarray(job.content[:, :41, :50])
    F = job.network(image, ("blobs",))["blobs"]
    assert receptive.shape(LAYERS, "blobs", 41, 50) == F.shape[1:3] == (21, 25)
    assert (receptive.stride(LAYERS, "blobs"), receptive.field_side(LAYERS, "blobs")) == (2, 9)
    seen = jax.grad(lambda x: job.network(x, ("blobs",))["blobs"][0, 7, 0].sum())(image)[0].any(-1)
    rows, columns = (np.flatnonzero(np.asarray(seen).any(axis)) for axis in (1, 0))
    x0, y0, x1, y1 = receptive.box(LAYERS, "blobs", 7, 0, 41, 50)
    assert (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) == (y0, y1, x0, x1)


def test_what_does_not_fit_a_network_is_refused(toy_network):
    with pytest.raises(UserError, match="tile: 64 cannot be used with edges of this network"):
        prepare(from_dict(settings("", **toy_network, tile=64)))
    with pytest.raises(UserError, match="content_layers: unknown 'conv4_2'; choices: edges, blobs"):
        from_dict(settings("", **{**toy_network, "content_layers": {"conv4_2": 1.0}}))


def sign_descent():
    """A method of optimisation: a step of the learning rate against the gradient's signs."""
    return Method(
        init=lambda image: jnp.zeros((), jnp.int32),
        begin=lambda state: (
            (
                Point(state.image - state.rate * jnp.sign(state.grad), state.value, state.grad),
                jnp.zeros((), bool),
            ),
            state.memory + 1,
        ),
        evaluate=lambda search, evaluate: (Point(search[0].image, *evaluate(search[0].image)), ~search[1]),
        unfinished=lambda search: ~search[1],
        end=lambda search: search[0],
        stalled=lambda point, state: jnp.zeros((), bool),
        retry=lambda state, learning_rate: None,
    )


def test_a_method_of_optimisation_descends(tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "signs", lambda config: sign_descent())
    values = settings(tiny_weights, optimizer={"name": "signs", "steps": 4, "learning_rate": 0.02})
    outcome = run(values, tmp_path / "alone")
    assert (outcome.status, outcome.evaluations) == ("done", 5)
    lines = metrics(tmp_path / "alone")
    assert lines[-1]["total"] < lines[0]["total"]
    jobs = [prepare(from_dict({**values, "seed": seed})) for seed in (0, 1)]
    folders = [RunFolder(tmp_path / str(i), job.config) for i, job in enumerate(jobs)]
    together = paint(Session(jobs, width=2), jobs, folders, lambda look: True)
    np.testing.assert_allclose(together[0].image, outcome.image, atol=1e-3)


def test_every_picture_leaves_through_finish(tiny_weights, tmp_path, monkeypatch):
    run(settings(tiny_weights), tmp_path / "plain")
    monkeypatch.setattr(painting, "finish", lambda job, image: 1 - np.clip(image, 0, 1))
    run(settings(tiny_weights), tmp_path / "inverted")
    for name in ("result.png", "progress/000004.png"):
        plain, inverted = (pixels(tmp_path / folder / name).astype(int) for folder in ("plain", "inverted"))
        np.testing.assert_allclose(plain + inverted, 255, atol=1)


GROUP = """
import json, sys
from pathlib import Path
from nst_jax.sweeps.groups import paint_group
for painted in paint_group(json.loads(sys.argv[1]), Path(sys.argv[2])):
    print(json.dumps(painted._asdict()))
"""


def test_a_group_is_plain_data_that_another_process_can_paint(tiny_weights, tmp_path):
    configs = {f"seed {seed}": from_dict(settings(tiny_weights, seed=seed)) for seed in (0, 1, 2)}
    task = group_task(configs, width=2)
    here = list(paint_group(task, tmp_path / "here"))
    there = subprocess.run(
        [sys.executable, "-c", GROUP, json.dumps(task), str(tmp_path / "there")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert there.returncode == 0, there.stderr
    told = [json.loads(line) for line in there.stdout.splitlines() if line.startswith("{")]
    assert [painted["folders"] for painted in told] == [painted.folders for painted in here]
    assert [painted["statuses"] for painted in told] == [["done", "done"], ["done"]]
    for folder in configs:
        a, b = (pixels(Path(tmp_path / side / folder / "result.png")) for side in ("here", "there"))
        np.testing.assert_array_equal(a, b)
    assert list(paint_group(task, tmp_path / "there")) == [], "what is finished is not painted again"
