"""Patches of `mrf` in a job: lanes with styles of other sizes, the estimate of memory, and what is said."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import logging as absl_logging

from nst_jax.config import from_dict
from nst_jax.methods.gatys import Session
from nst_jax.transfer import preparing
from nst_jax.transfer.memory import tree_bytes
from nst_jax.transfer.preparing import prepare
from tests.losses.objectives import total
from tests.seams.jobs import settings

MRF = {"style_losses": {"mrf": 1.0}, "content_weight": 0.0}


def jobs(weights):
    """One group: styles of three sizes, one of them two pictures, at layers that not all of them have."""
    two = {"a": {"image": "sample:swirls"}, "b": {"image": "sample:ink_wash", "scale": 0.5}}
    styles = (
        {"style": "sample:swirls", "style_scale": 1.5},
        {"styles": two, "style_layers": {"conv1_1": 1.0}},
        {"style": "sample:ink_wash", "style_layers": {"conv2_1": 1.0}},
    )
    return [prepare(from_dict(settings(weights, **MRF, **fields))) for fields in styles]


def value(session, job):
    found = session.objective(job, 1.0)
    return total(job.network, found, jnp.asarray(job.initial_image(1.0))), found


@pytest.mark.slow
def test_lanes_with_styles_of_other_sizes_have_the_loss_of_single_runs(tiny_weights):
    group = jobs(tiny_weights)
    session = Session(group, width=3)
    shapes = []
    for job in group:
        together, found = value(session, job)
        np.testing.assert_allclose(together, value(Session([job]), job)[0], rtol=1e-6)
        shapes.append(jax.tree.map(lambda leaf: leaf.shape, found))
    assert shapes[0] == shapes[1] == shapes[2]


def test_the_estimate_knows_the_patches(tiny_weights):
    job = jobs(tiny_weights)[0]
    session = Session([job])
    found = session.objective(job, 1.0)
    expected = jax.tree.map(lambda leaf: leaf.shape, session.objectives.shapes(job)[0])
    assert jax.tree.map(lambda leaf: leaf.shape, found) == expected
    larger = prepare(from_dict(settings(tiny_weights, **MRF, style="sample:swirls", style_scale=6.0)))
    assert Session([larger]).step_bytes(larger) > 2 * session.step_bytes(job)
    assert session.step_bytes(larger) == Session([larger]).step_bytes(larger)


@pytest.mark.parametrize("loss", ["gram", "sliced", "mrf"])
def test_the_estimate_knows_the_layers_of_every_picture(tiny_weights, loss):
    """Statistics that hold whole layers are counted for every picture, and not kept for the next job."""
    held = []
    for count in (1, 4):
        styles = {f"s{number}": {"image": "sample:swirls"} for number in range(count)}
        job = prepare(
            from_dict(settings(tiny_weights, **{**MRF, "style_losses": {loss: 1.0}}, styles=styles))
        )
        session = Session([job])
        session.objective(job, 1.0)
        held.append(session.target_bytes(job))
        assert bool(session.objectives.styles._known) == (loss == "gram")
    style = job.styles[0]
    one = session.objectives.styles._statistics(job, style, style.pictures[0], 1.0)
    assert held[1] - held[0] == (0 if loss == "gram" else 3 * 2 * tree_bytes(one))


def warnings_of(weights, caplog, **fields):
    absl_logging.get_absl_logger().propagate = True
    with caplog.at_level(logging.WARNING):
        prepare(from_dict(settings(weights, **MRF, **fields)))
    return [record.message for record in caplog.records]


def test_patches_that_are_left_out_are_said(tiny_weights, caplog, monkeypatch):
    monkeypatch.setattr(preparing, "MOST_PATCHES", 500)
    (line,) = warnings_of(tiny_weights, caplog)
    assert line == "style_losses.mrf: compares with 500 patches of the style; it has 775 at conv1_1"


@pytest.mark.parametrize(("weight", "said"), [(1.0, 0), (3.0, 1)])
def test_weights_of_styles_without_effect_are_said(tiny_weights, caplog, weight, said):
    styles = {"a": {"image": "sample:swirls"}, "b": {"image": "sample:ink_wash", "weight": weight}}
    lines = warnings_of(tiny_weights, caplog, styles=styles)
    assert len(lines) == said
    assert all("weight: has no effect on style_losses.mrf" in line for line in lines)
