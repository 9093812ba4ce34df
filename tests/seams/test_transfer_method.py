"""A transfer method from outside, with a stage of its own: no line of the package changes for it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nst_jax
from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.config.stages import stages_of
from nst_jax.config.transfer_methods import OF_LOSSES, TRANSFER_METHODS, MethodSettings
from nst_jax.errors import UserError
from nst_jax.methods.transfer_method import TransferMethod
from nst_jax.methods.transfers import TRANSFERS, open_session
from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.loop import Loop
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.transfer import memory
from nst_jax.transfer.preparing import prepare
from tests.seams.jobs import run, settings


def distance(network, target, picture):
    """The squared distance to the target."""
    loss = jnp.sum(jnp.square(picture - target))
    return loss, {"total": loss, "colors": loss}


class Colors:
    """The content with the mean colour of the style, and at last a little darker."""

    note, keeps_start, width = "note: a toy", False, 1

    def __init__(self, jobs, width=None):
        self.config, self.job = jobs[0].config, jobs[0]
        optimizer = Optimizer(distance, find_method(self.config.optimizer))
        self.lanes = Lanes(optimizer, 1, jax.devices()[:1])

    @property
    def compilations(self):
        return self.lanes.advance.count

    def target(self, job, scale, factor=1.0):
        content, (style,) = images.resize(job.content, *job.size_at(scale)), job.styles[0].pictures
        return factor * (content - content.mean((1, 2)) + style.mean((1, 2)))

    def begin(self, jobs, stage, pictures):
        target = self.target(jobs[0], stage.scale, 0.8 if stage.extra else 1.0)
        return Loop(self.lanes, None, target[np.newaxis], pictures, [self.config.optimizer.learning_rate])

    def picture(self, job, stage, array):
        return array

    def finish(self, job, picture):
        return np.clip(picture, 0, 1)

    def reported(self, job):
        return set()

    def lane_bytes(self):
        return self.step_bytes(self.job)

    def step_bytes(self, job):
        shape = jax.ShapeDtypeStruct(job.shape_at(1.0), jnp.float32)
        return memory.advance_bytes(self.lanes, None, shape, shape)

    def target_bytes(self, job):
        return 0


@pytest.fixture(autouse=True)
def colors(monkeypatch):
    first = MethodSettings(
        unused=(*OF_LOSSES, "nnst"), layers=lambda config: ("conv1_1",), extra_steps=lambda config: 3
    )
    monkeypatch.setitem(TRANSFER_METHODS, "colors", first)
    monkeypatch.setitem(TRANSFERS, "colors", TransferMethod(open=Colors))


def values(weights, **fields):
    unused = ("style_layers", "content_layers", "content_weight")
    toy = settings(weights, method="colors", scales=(0.5, 1.0), log_every=1, **fields)
    optimizer = {"name": "lbfgs", "steps": 4}
    return {name: value for name, value in toy.items() if name not in unused} | {"optimizer": optimizer}


def test_a_method_paints_its_stages(tiny_weights, tmp_path):
    given = values(tiny_weights)
    assert [(stage.scale, stage.steps) for stage in stages_of(from_dict(given))] == [(0.5, 4), (1, 4), (1, 3)]
    result = nst_jax.stylize("sample:coffee", "sample:ink_wash", given)
    job = prepare(from_dict(given))
    expected = np.clip(Colors([job]).target(job, 1.0, 0.8), 0, 1)
    np.testing.assert_allclose(result.array, expected, atol=0.02)
    assert (result.status, result.metrics[-1]["colors"]) == ("done", result.metrics[-1]["total"])


def test_its_session_is_found_by_name(tiny_weights, tmp_path):
    session = open_session([prepare(from_dict(values(tiny_weights)))])
    outcome = run(values(tiny_weights), tmp_path, session)
    assert (outcome.status, session.note, session.compilations) == ("done", "note: a toy", 2)


def test_what_it_would_ignore_is_refused_by_name(tiny_weights):
    with pytest.raises(UserError, match=r"tv_weight: 1\.0 has no effect with method=colors"):
        from_dict(values(tiny_weights, tv_weight=1.0))
    with pytest.raises(UserError, match="method: unknown 'colours'; did you mean 'colors'"):
        from_dict(values(tiny_weights) | {"method": "colours"})
