"""Cells of a sweep from flags: in step, at random, over seeds; and the means over seeds."""

import csv
import json
import math

import numpy as np
import pytest
from scipy import stats

from nst_jax.errors import UserError
from nst_jax.sweeps.combining import Range, combined, read_axes
from nst_jax.sweeps.over_seeds import half_width
from tests.command import assert_refused, call
from tests.test_sweep import SWEEP, tiny

EMPTY = [((), {})]


def cells(vary=(), zipped=(), sample=0, seeds=range(0), before=EMPTY):
    axes = read_axes("--vary", vary), read_axes("--zip", zipped)
    return [fields for _, fields in combined(before, *axes, sample, seeds)]


def test_fields_in_step_advance_together_beside_combinations_and_seeds():
    found = cells(["tv_weight=0,1"], ["size=64,128", "content_weight=1,2"], seeds=range(3, 5))
    assert found[:3] == [
        {"tv_weight": 0, "size": 64, "content_weight": 1, "seed": 3},
        {"tv_weight": 0, "size": 64, "content_weight": 1, "seed": 4},
        {"tv_weight": 0, "size": 128, "content_weight": 2, "seed": 3},
    ]
    assert len(found) == 2 * 2 * 2


def test_samples_are_different_and_fill_their_ranges():
    vary = ["content_weight=log:0.01..10", "tv_weight=0..1", "size=64..66", "network.pool=avg,max"]
    found = cells(vary, sample=400)
    assert found == cells(vary, sample=400)
    assert len({tuple(fields.values()) for fields in found}) == 400
    weights, variations = (
        np.array([fields[name] for fields in found]) for name in ("content_weight", "tv_weight")
    )
    assert stats.kstest(np.log10(weights), stats.uniform(-2, 3).cdf).pvalue > 0.01
    assert stats.kstest(variations, stats.uniform(0, 1).cdf).pvalue > 0.01
    assert {fields["size"] for fields in found} == {64, 65, 66}
    assert {fields["network.pool"] for fields in found} == {"avg", "max"}
    assert all(float(f"{weight:.4g}") == weight for weight in weights)


def test_all_combinations_can_be_sampled_but_no_more():
    found = cells(["size=64,128", "seed=0,1,2"], sample=6)
    assert len({(fields["size"], fields["seed"]) for fields in found}) == 6
    many = cells([f"size={','.join(map(str, range(64, 264)))}"], sample=200)
    assert sorted(fields["size"] for fields in many) == [*range(64, 264)]
    with pytest.raises(UserError, match="--sample: 7 is more than the 6 combinations"):
        cells(["size=64,128", "seed=0,1,2"], sample=7)
    with pytest.raises(UserError, match="--sample: 4 is more than the 3 different combinations"):
        cells(["seed=0..2"], sample=4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vary": ["tv_weight=0..1"]}, "--vary: tv_weight: draws from a range require --sample=N"),
        ({"vary": ["tv_weight=log:0..1"], "sample": 2}, r"tv_weight: 0\.\.1 are not two ascending positive"),
        ({"vary": ["tv_weight=2..1"], "sample": 2}, r"tv_weight: 2\.\.1 are not two ascending numbers"),
        ({"sample": 2}, "--sample: draws values of --vary, which is missing"),
        ({"zipped": ["size=64,128", "seed=0"]}, "--zip: fields have different .* size 2, seed 1"),
        ({"vary": ["size=64,96"], "zipped": ["size=64,128"]}, "size is given twice"),
        ({"vary": ["seed=1"], "seeds": range(2)}, "seed is given twice"),
        ({"seeds": range(2), "before": [((), {"seed": 1})]}, "seed is given twice"),
        ({"zipped": ["size"]}, "--zip: 'size' is not field=value,value"),
    ],
)
def test_what_cannot_be_combined_is_said(given, message):
    with pytest.raises(UserError, match=message):
        cells(**given)


@pytest.mark.parametrize("log", [False, True])
def test_a_range_of_integers_holds_both_ends(log):
    random = np.random.default_rng(0)
    drawn = {Range(1, 3, log).draw(random) for _ in range(50)}
    assert drawn == {1, 2, 3}
    assert all(isinstance(value, int) for value in drawn)


def test_intervals_cover_the_mean_as_often_as_they_say():
    random = np.random.default_rng(0)
    samples = random.normal(2.0, 3.0, (2000, 4))
    covered = [abs(each.mean() - 2.0) <= half_width(each.tolist()) for each in samples]
    assert abs(np.mean(covered) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 2000)


def test_means_over_seeds_are_tabled(tiny_weights, tmp_path):
    fields = ["--config.init=noise", "--config.noise=0.3", "--vary=content_weight=1e-5,1e-3", "--seeds=3"]
    result = call(*tiny(tiny_weights, tmp_path), *fields, module=SWEEP)
    assert result.returncode == 0, result.stderr
    with (tmp_path / "table.csv").open() as table, (tmp_path / "seeds.csv").open() as means:
        rows, seeds = list(csv.DictReader(table)), list(csv.DictReader(means))
    assert [(row["content_weight"], row["seeds"]) for row in seeds] == [("1e-05", "3"), ("0.001", "3")]
    totals = [float(row["total"]) for row in rows if row["content_weight"] == "1e-05"]
    assert len(set(totals)) == 3
    assert float(seeds[0]["total"]) == pytest.approx(np.mean(totals))
    interval = stats.t.interval(0.95, 2, np.mean(totals), stats.sem(totals))
    assert float(seeds[0]["total +-"]) == pytest.approx((interval[1] - interval[0]) / 2)
    assert "Over seeds" in (tmp_path / "index.html").read_text()


NAMED = """
from configs import gatys

def get_config():
    return gatys.get_config()

def sweep_pool(add):
    for pool in ("avg", "max"):
        add(pool, **{"network.pool": pool})

def sweep_seed(add):
    add("seed", seed=3)
"""


def test_one_of_several_sweeps_is_planned_without_painting(tiny_weights, tmp_path):
    file = tmp_path / "named.py"
    file.write_text(NAMED)
    flags = tiny(tiny_weights, tmp_path / "sweep", config=file)
    result = call(*flags, "--sweep=pool", "--dry_run", module=SWEEP)
    assert result.returncode == 0, result.stderr
    assert "  0_avg: network.pool=avg\n" in result.stdout
    assert result.stdout.endswith("dry run: 2 runs\n")
    assert not (tmp_path / "sweep").exists()
    assert_refused(call(*flags, module=SWEEP), "--sweep: choose one of the sweeps in this config: pool, seed")
    assert_refused(call(*flags, "--sweep=pol", module=SWEEP), "--sweep: unknown 'pol'; did you mean 'pool'")


def test_a_run_is_planned_without_painting(tiny_weights, tmp_path):
    result = call(*tiny(tiny_weights, tmp_path / "run"), "--config.tv_weight=0.5", "--dry_run")
    assert result.returncode == 0, result.stderr
    settings, end = json.JSONDecoder().raw_decode(result.stdout)
    assert (settings["tv_weight"], settings["size"]) == (0.5, 32)
    assert "stage 1: 32 px, 6 steps" in result.stdout[end:]
    assert "of memory" in result.stdout[end:]
    assert not (tmp_path / "run").exists()
