"""The time that is predicted before a run, against times that were measured."""

import dataclasses
import re

import jax
import pytest

from nst_jax.config import from_dict
from nst_jax.losses.w2 import root_cost
from nst_jax.methods import speed
from nst_jax.methods.costs import evaluation_costs
from nst_jax.runs.progress import EVALUATIONS_PER_STEP, roughly
from nst_jax.transfer.preparing import prepare
from nst_jax.weights.embedded import slim
from nst_jax.weights.random import random_weights
from tests.command import call, tiny

# Direct convolutions of the machine that the table "Speed" of the README was measured on.
MULTIPLY_ADDS_PER_SECOND = 100e9
SECONDS = {("vgg19", 256): 0.197, ("vgg19", 512): 0.669, ("vgg19", 1024): 2.50}
SECONDS |= {("slim", 256): 0.042, ("slim", 512): 0.140, ("slim", 1024): 0.604}


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(speed, "_multiply_adds_per_second", lambda: MULTIPLY_ADDS_PER_SECOND)


@pytest.fixture(scope="module")
def job():
    """The paper's layers and sizes; `slim` stands for any network, as weights are given to each call."""
    return prepare(from_dict({"network": {"arch": "slim"}, "content": "sample:chelsea"}))


@pytest.fixture(scope="module")
def networks():
    return {"vgg19": random_weights("vgg19"), "slim": slim()}


def changed(job, **fields):
    return dataclasses.replace(job, config=dataclasses.replace(job.config, **fields))


@pytest.mark.parametrize(("arch", "size"), SECONDS)
def test_it_is_the_measured_time(arch, size, machine, job, networks):
    steps = dataclasses.replace(job.config.optimizer, steps=100)
    predicted = speed.predicted_seconds(changed(job, size=size, optimizer=steps), networks[arch])
    assert predicted == pytest.approx(100 * EVALUATIONS_PER_STEP * SECONDS[arch, size], rel=0.35)


def test_every_scale_counts_by_its_pixels(machine, job):
    steps = dataclasses.replace(job.config.optimizer, steps=(40, 10))
    both = speed.predicted_seconds(changed(job, scales=(0.5, 1.0), optimizer=steps))
    full = dataclasses.replace(job.config.optimizer, steps=20)
    assert both == pytest.approx(speed.predicted_seconds(changed(job, optimizer=full)), rel=0.02)


def test_roots_of_covariances_take_as_long_at_every_size(machine, job):
    """Their Newton-Schulz steps are products of matrices that depend on the filters alone."""
    scales = {"scales": (0.25, 0.5, 1.0)}
    pixels, half, full = evaluation_costs(changed(job, **scales), job.weights)
    assert (half / pixels, full / pixels) == pytest.approx((4, 16), rel=0.02)
    roots = evaluation_costs(changed(job, **scales, style_losses={"w2": 1.0}), job.weights)
    added = {round(cost - plain) for cost, plain in zip(roots, (pixels, half, full), strict=True)}
    assert added == {round(sum(root_cost(filters) for filters in (24, 48, 96, 176, 384)))}
    assert 3 < roots[-1] / roots[0] < 9


def test_nothing_is_predicted_where_no_rule_is_known(machine, job, monkeypatch):
    adam = dataclasses.replace(job.config.optimizer, name="adam")
    assert speed.predicted_seconds(changed(job, method="nnst", optimizer=adam)) is None
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert speed.predicted_seconds(job) is None
    assert speed.time_text(job) == ""


def as_vgg19(job, networks, **fields):
    network = dataclasses.replace(job.config.network, arch="vgg19", **fields)
    return dataclasses.replace(changed(job, network=network), weights=networks["vgg19"])


def test_a_long_run_names_the_flags_of_a_shorter_one(machine, job, networks):
    text = speed.time_text(as_vgg19(job, networks))
    found = re.fullmatch(r", about (\d+) min; with --config\.network\.arch=slim, .*, about (\d+) min", text)
    assert found, text
    assert 4 <= int(found[1]) <= 8
    assert 1 <= int(found[2]) <= 2
    named = speed.time_text(as_vgg19(job, networks, weights="vgg19-8bit"))
    assert "--config.network.arch=slim --config.network.weights=auto," in named


def test_a_short_run_and_one_that_slim_cannot_do_name_no_flags(machine, job, networks):
    long = as_vgg19(job, networks)
    short = changed(long, size=64)
    deep = changed(long, content_layers={"conv5_4": 1.0})
    assert speed.time_text(short) == ", under a minute"
    assert re.fullmatch(r", about \d+ min", speed.time_text(deep))
    assert "slim" not in speed.time_text(changed(job, size=2048))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(59.0, "under a minute"), (61.0, "about 1 min"), (362.0, "about 6 min"), (7e3, "about 2 h")],
)
def test_durations_are_rough(seconds, text):
    assert roughly(seconds) == text


def test_a_run_says_it_before_it_starts(tiny_weights, tmp_path):
    result = call(*tiny(tiny_weights, tmp_path / "run", optimizer__steps=2))
    assert re.search(r"^estimate: .* of memory, under a minute$", result.stdout, re.MULTILINE)
