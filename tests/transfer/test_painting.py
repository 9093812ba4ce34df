"""Batches: every picture is the single run's, one program a group, one failure does not sink the others."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.methods.gatys import Session
from nst_jax.runs import recorder
from nst_jax.runs.folder import RunFolder, read_run
from nst_jax.transfer import painting
from nst_jax.transfer.grouping import group
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.stage_run import JobBatch, StageRun
from tests.command import ROOT, metrics

VARIED = (
    {"content_weight": 1e-5, "style_layers": {"conv1_1": 1.0}, "tv_weight": 0.3},
    {"seed": 1, "content": "sample:chelsea", "style": "sample:sunset", "style_weight": 0.5},
    {"init": "style", "style_weight": 0.0, "content_layers": {"conv2_2": 1.0, "conv3_1": 0.5}},
    {"style_scale": 0.7, "content_weight": 0.0},
)


def job(weights, optimizer=("lbfgs", 12, 0.02), **fields):
    if isinstance(optimizer, tuple):
        optimizer = dict(zip(("name", "steps", "learning_rate"), optimizer, strict=True))
    # This content and chelsea have one shape.
    return prepare(
        from_dict(
            {
                "content": "sample:coffee",
                "style": "sample:ink_wash",
                "size": 48,
                "log_every": 4,
                # Shallow: most of the time goes into compiling.
                "style_layers": {"conv1_1": 0.5, "conv2_1": 0.5},
                "content_layers": {"conv2_2": 1.0},
                "network": {"arch": "slim", "weights": str(weights)},
                "optimizer": optimizer,
                **fields,
            }
        )
    )


def folders(path, jobs):
    return [RunFolder(path / f"{i}", one.config) for i, one in enumerate(jobs)]


def go_on(look):
    return True


@pytest.mark.parametrize(
    ("optimizer", "scales", "varied"),
    [
        (("lbfgs", 12, 0.02), (1.0,), VARIED),
        pytest.param(("adam", 8, 0.05), (0.75, 1.0), VARIED[:2], marks=pytest.mark.slow),
    ],
    ids=["lbfgs", "adam, two scales"],
)
def test_a_batch_paints_what_single_runs_paint(tiny_weights, tmp_path, optimizer, scales, varied):
    jobs = [job(tiny_weights, optimizer, scales=scales, **fields) for fields in varied]
    if optimizer[0] == "adam":
        jobs[1] = job(tiny_weights, ("adam", optimizer[1], 0.03), scales=scales, **varied[1])
    assert group(jobs) == [list(range(len(jobs)))]
    session = Session(jobs, width=len(jobs))
    outcomes = painting.paint(session, jobs, folders(tmp_path / "batch", jobs), go_on)
    assert session.compilations == len(scales), "one program a scale"
    for i, (one, outcome) in enumerate(zip(jobs, outcomes, strict=True)):
        single = RunFolder(tmp_path / f"single{i}", one.config)
        (expected,) = painting.paint(Session([one]), [one], [single], go_on)
        assert (outcome.status, outcome.steps) == ("done", expected.steps)
        assert abs(outcome.evaluations - expected.evaluations) <= 1
        np.testing.assert_allclose(outcome.image, expected.image, atol=4e-3)  # a gray level
        lines, reference = metrics(tmp_path / "batch" / str(i)), metrics(single.path)
        assert [line["step"] for line in lines] == [line["step"] for line in reference]
        for line, other in zip(lines, reference, strict=True):
            assert line.keys() == other.keys()
            for name in line.keys() - {"seconds", "evaluations"}:
                assert line[name] == pytest.approx(other[name], rel=2e-2, abs=1e-6), name


def test_the_next_scale_begins_with_the_average_and_the_moments(tiny_weights, tmp_path):
    one = job(tiny_weights, scales=(0.75, 1.0), optimizer=AVERAGED)
    batch = JobBatch(Session([one]), [one], folders(tmp_path, [one]), go_on, {})
    run = StageRun(batch, batch.stages[0], None, {})
    assert list(run.stops())[-1] == 12
    coarse, result = jax.device_get(run.loop.state), run.result()
    shown = result.images[0]
    assert np.abs(shown - np.asarray(coarse.variable[0])).max() > 1e-3, "the average is not the last image"
    run = StageRun(batch, batch.stages[1], result, {})
    next(run.stops())
    fine = run.loop.state
    steps = int(fine.step[0]) - 12  # at the second scale
    assert int(fine.memory.method.moments.count[0]) == 12 + steps
    moved = np.abs(fine.variable[0] - images.resize(shown, *one.size_at(1.0))).max()
    assert moved <= 2 * 0.02 * steps, "Adam moves a pixel by about its rate in a step"
    assert coarse.memory.method.moments.count[0] == 12


@pytest.mark.slow
def test_a_batch_of_any_width_gives_the_same(tiny_weights, tmp_path):
    jobs = [job(tiny_weights, seed=seed) for seed in range(3)]
    whole = painting.paint(Session(jobs, width=3), jobs, folders(tmp_path / "whole", jobs), go_on)
    pairs = Session(jobs, width=2)
    first = painting.paint(pairs, jobs[:2], folders(tmp_path / "pairs", jobs[:2]), go_on)
    last = painting.paint(pairs, jobs[2:], folders(tmp_path / "last", jobs[2:]), go_on)
    assert pairs.compilations == 1, "a last batch that is not full uses the same program"
    for a, b in zip(whole, first + last, strict=True):
        np.testing.assert_allclose(a.image, b.image, atol=1e-3)


def test_what_cannot_share_a_program_is_kept_apart(tiny_weights):
    jobs = [
        job(tiny_weights),
        job(tiny_weights, network={"arch": "slim", "weights": str(tiny_weights), "pool": "max"}),
        job(tiny_weights, seed=3),
        job(tiny_weights, ("adam", 12, 0.1)),
        job(tiny_weights, ("adam", 12, 0.2)),
        job(tiny_weights, size=64),
        job(tiny_weights, content="sample:astronaut"),
        job(tiny_weights, content_loss="mean"),
        job(tiny_weights, ("lbfgs", 12, 0.5)),  # which has no learning rate
    ]
    assert group(jobs) == [[0, 2, 8], [1], [3, 4], [5], [6], [7]]


def test_a_run_that_diverges_does_not_sink_the_others(tiny_weights, tmp_path):
    # The sum of squares of anything with a weight of 1e38 overflows; no smaller step mends that.
    jobs = [job(tiny_weights), job(tiny_weights, content_weight=3e38), job(tiny_weights, seed=1)]
    outcomes = painting.paint(Session(jobs, width=3), jobs, folders(tmp_path, jobs), go_on)
    assert [outcome.status for outcome in outcomes] == ["done", "diverged", "done"]
    assert [read_run(tmp_path / str(i))["status"] for i in range(3)] == ["done", "diverged", "done"]
    assert outcomes[1].steps == 0
    assert outcomes[2].steps == 12


def test_a_learning_rate_that_is_too_large_is_cut_for_its_lane_alone(tiny_weights, tmp_path):
    optimizer = ("gd", 12, 1e-6)
    jobs = [job(tiny_weights, optimizer), job(tiny_weights, optimizer, content_weight=1e14)]
    outcomes = painting.paint(Session(jobs, width=2), jobs, folders(tmp_path, jobs), go_on)
    assert [outcome.status for outcome in outcomes] == ["done", "done"]
    assert outcomes[0].evaluations == 13
    assert outcomes[1].evaluations > 13


def test_watch_ends_the_work_and_what_there_is_is_kept(tiny_weights, tmp_path):
    jobs = [job(tiny_weights, ("lbfgs", 500, 1.0))]
    runs = folders(tmp_path, jobs)
    (outcome,) = painting.paint(Session(jobs), jobs, runs, lambda look: look.step[0] < 3)
    assert outcome.status == "interrupted"
    assert 3 <= outcome.steps < 500
    assert (tmp_path / "0" / "result.png").exists()


class KilledError(Exception):
    """Stands for a power cut."""


AVERAGED = {"name": "adam", "steps": 12, "warm_start": True, "average": 0.9}


@pytest.mark.parametrize("fields", [{}, {"optimizer": AVERAGED}], ids=["lbfgs", "adam, averaged"])
def test_a_killed_batch_goes_on_with_the_same_bits(tiny_weights, tmp_path, monkeypatch, fields):
    monkeypatch.setattr(recorder, "CHECKPOINT_SPACING", 0)
    jobs = [job(tiny_weights, seed=seed, scales=(0.75, 1.0), **fields) for seed in range(3)]
    session = Session(jobs, width=3)
    jobs = jobs[:2]
    expected = painting.paint(session, jobs, folders(tmp_path / "whole", jobs), go_on)
    killed = folders(tmp_path / "killed", jobs)

    def go_on_until(last):
        seen = []

        def watch(look):
            seen.append(look.step.min())
            if seen[-1] >= last:
                raise KilledError
            return True

        saved = [f.load_checkpoint(j.identity()) for f, j in zip(killed, jobs, strict=True)]
        return seen, lambda: painting.paint(session, jobs, killed, watch, saved)

    for begin, end in ((0, 6), (2, 19)):  # the second time at the second scale
        seen, painted = go_on_until(end)
        with pytest.raises(KilledError):
            painted()
        assert begin <= seen[0] < 6
    seen, painted = go_on_until(99)
    outcomes = painted()
    assert seen[0] > 12, "the first scale is not painted again"
    for i, (outcome, other) in enumerate(zip(outcomes, expected, strict=True)):
        np.testing.assert_array_equal(outcome.image, other.image)
        assert (outcome.steps, outcome.evaluations) == (other.steps, other.evaluations)
        lines, reference = metrics(killed[i].path), metrics(tmp_path / "whole" / str(i))
        assert [line.pop("seconds") for line in lines] == sorted(
            line["seconds"] for line in metrics(killed[i].path)
        )
        assert lines == [{k: v for k, v in line.items() if k != "seconds"} for line in reference]


SHARDED = """
import sys, json, pathlib
import jax, numpy as np
from nst_jax.transfer import painting
from nst_jax.methods.gatys import Session
from tests.transfer.test_painting import job, folders, go_on
weights, path = map(pathlib.Path, sys.argv[1:])
jobs = [job(weights, seed=seed) for seed in range(9)] + [job(weights, content_weight=3e38)]
session = Session(jobs, width=10)
outcomes = painting.paint(session, jobs, folders(path, jobs), go_on)
np.savez(path / "images.npz", *[outcome.image for outcome in outcomes])
print(json.dumps([len(jax.devices()), session.width, session.compilations, [o.status for o in outcomes]]))
"""


@pytest.mark.slow
def test_lanes_are_spread_over_devices(tiny_weights, tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", SHARDED, str(tiny_weights), str(tmp_path)],
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    devices, width, compilations, statuses = json.loads(result.stdout.splitlines()[-1])
    assert (devices, width, compilations) == (8, 16, 1)
    assert statuses == ["done"] * 9 + ["diverged"]
    jobs = [job(tiny_weights, seed=seed) for seed in (0, 8)]
    alone = painting.paint(Session(jobs, width=2), jobs, folders(tmp_path / "alone", jobs), go_on)
    with np.load(tmp_path / "images.npz") as images:
        for outcome, name in zip(alone, ("arr_0", "arr_8"), strict=True):
            np.testing.assert_allclose(images[name], outcome.image, atol=5e-3)
