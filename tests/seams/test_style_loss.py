"""A style loss from outside: no line of the package changes for it."""

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.losses.style import STYLE_LOSSES, StyleLoss
from nst_jax.methods.gatys import Session
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from tests.command import call, metrics, tiny
from tests.seams.jobs import run, settings


class MeanLoss:
    """A style loss of means, which counts how often it is traced."""

    def __init__(self):
        self.traces = 0

    def statistic(self, F, positions, guide):
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
    target = objective.targets["style"].statistics["conv1_1"][""]["means"]["mean"]
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
    before, programs = means.traces, session.lanes.advance.count
    # Of the same shape, with another seed.
    outcome = run({**values, "content": "sample:chelsea", "seed": 1}, tmp_path / "second", session)
    assert (means.traces, session.lanes.advance.count) == (before, programs)
    alone = run({**values, "content": "sample:chelsea", "seed": 1}, tmp_path / "alone")
    np.testing.assert_array_equal(outcome.image, alone.image)


def test_each_loss_of_several_is_logged_and_falls(tiny_weights, tmp_path):
    losses = {"gram": 1e-3, "moments": 1.0, "sliced": 2.0}
    result = call(*tiny(tiny_weights, tmp_path, **{f"style_losses.{name}": losses[name] for name in losses}))
    assert result.returncode == 0, result.stderr
    lines = metrics(tmp_path)
    for line in lines:
        parts = [weight * line[f"style/conv1_1/{name}"] for name, weight in losses.items()]
        assert line["style/conv1_1"] == pytest.approx(sum(parts), rel=1e-5)
    assert lines[-1]["style/conv1_1/sliced"] < lines[0]["style/conv1_1/sliced"]


@pytest.mark.slow
def test_styles_of_several_sizes_and_layers_are_painted_together(tiny_weights, tmp_path):
    """Each with a layer that the other does not use, and every built-in loss."""
    losses = dict.fromkeys(("covariance", "moments", "w2", "sliced", "histogram", "mrf"), 1.0)
    common = {"style_losses": losses, "size": 40}
    cells = (
        settings(tiny_weights, style_layers={"conv1_1": 1.0}, **common),
        settings(
            tiny_weights, style_layers={"conv2_1": 1.0}, style="sample:swirls", style_scale=0.8, **common
        ),
    )
    jobs = [prepare(from_dict(values)) for values in cells]
    folders = [RunFolder(tmp_path / str(index), job.config) for index, job in enumerate(jobs)]
    session = Session(jobs, width=2)
    outcomes = paint(session, jobs, folders, lambda look: True)
    assert session.compilations == 1
    for index, values in enumerate(cells):
        alone = run(values, tmp_path / f"alone{index}")
        np.testing.assert_allclose(outcomes[index].image, alone.image, atol=2e-3)
        together = metrics(tmp_path / str(index))
        assert together[0].keys() == metrics(tmp_path / f"alone{index}")[0].keys()
