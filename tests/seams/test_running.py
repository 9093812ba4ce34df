"""A method from outside, the one way out for pictures, and groups that another process can paint."""

import json
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from nst_jax.config import from_dict
from nst_jax.methods.gatys import Session
from nst_jax.optimizers.method import Method, Point
from nst_jax.optimizers.methods import METHODS
from nst_jax.runs.folder import RunFolder
from nst_jax.sweeps.groups import group_task, paint_group
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from tests.command import ROOT, metrics, pixels
from tests.seams.jobs import run, settings


def sign_descent():
    """A method of optimisation: a step of the learning rate against the gradient's signs."""
    return Method(
        init=lambda image: jnp.zeros((), jnp.int32),
        begin=lambda state: (
            (
                Point(
                    state.variable - state.rate * jnp.sign(state.grad), state.value, state.grad, state.terms
                ),
                jnp.zeros((), bool),
            ),
            state.memory + 1,
        ),
        evaluate=lambda search, evaluate: (
            Point(search[0].variable, *evaluate(search[0].variable)),
            ~search[1],
        ),
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
    monkeypatch.setattr(Session, "finish", lambda session, job, image: 1 - np.clip(image, 0, 1))
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
