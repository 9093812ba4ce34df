"""Intervals, paired tests and areas between curves on made-up data with known answers."""

import numpy as np
import pytest
from scipy import stats

from nst_jax.bench.comparing import curve_rows, markdown, recipe_rows
from nst_jax.bench.paired import mean_interval, versus
from nst_jax.bench.tradeoffs import log_ratio


def test_the_interval_of_a_mean():
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = mean_interval(values.tolist())
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)
    theirs = stats.bootstrap((values[:12],), np.mean, method="percentile", rng=np.random.default_rng(2))
    assert mean_interval(values[:12].tolist()) == pytest.approx(tuple(theirs.confidence_interval), abs=0.06)
    assert mean_interval([0.5] * 6) == (0.5, 0.5)


def test_wins_by_pair():
    theirs = np.linspace(1, 2, 12)
    ours = (theirs - np.linspace(0.1, 0.2, 12)).tolist()
    assert versus(ours, theirs.tolist()) == (12, 12, pytest.approx(2 / 2**12))
    assert versus(ours, theirs.tolist(), higher_is_better=True)[:2] == (0, 12)
    assert versus([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 2.0, 1.0]) == (0, 2, pytest.approx(0.5))
    assert versus([1.0, 2.0], [1.0, 2.0]) == (0, 0, 1.0)


def exponential(scale, rate, contents):
    return [(content, scale * np.exp(-rate * content)) for content in contents]


def test_the_area_between_curves():
    lower, upper = exponential(0.3, 2, (0.1, 0.9, 0.4)), exponential(0.6, 2, (0.2, 0.5, 1.4))
    assert log_ratio(lower, upper) == pytest.approx(np.log(0.5))
    assert log_ratio(upper, lower) == pytest.approx(np.log(2))
    # Of straight lines, the mean difference is that in the middle of the common range, 0.2 to 0.9.
    steeper = exponential(0.3, 3, (0.1, 0.9))
    assert log_ratio(steeper, upper) == pytest.approx(np.log(0.5) - 0.55)
    assert log_ratio(lower, exponential(1, 1, (1.0, 2.0))) is None


def made_up_rows():
    rows = []
    for number in range(6):
        for recipe, scale in {"mine": 0.5, "best": 1.0}.items():
            for factor, content in ((0.3, 0.8), (1.0, 0.6), (3.0, 0.3)):
                style = scale * (1 + number / 10) * np.exp(-2 * content)
                name = recipe if factor == 1 else f"{recipe} x{factor:g}"
                pair = {"content": f"{number}.jpg", "style": "s.jpg", "entry": name, "recipe": recipe}
                rows.append(
                    pair | {"gram": style, "sliced": style, "content_distance": content, "ssim": scale}
                )
    return rows


def test_the_tables_of_recipes_and_curves():
    rows = made_up_rows()
    table = {(row["entry"], row["score"]): row for row in recipe_rows(rows, "best")}
    assert table["best", "content_distance"]["mean"] == pytest.approx(0.6)
    assert "wins" not in table["best", "gram"]
    mine = table["mine", "gram"]
    assert (mine["wins"], mine["pairs"], mine["p"]) == (6, 6, pytest.approx(2 / 2**6))
    assert mine["mean"] == pytest.approx(0.5 * 1.25 * np.exp(-1.2))
    assert mine["low"] < mine["mean"] < mine["high"]
    assert table["mine", "ssim"]["wins"] == 0, "of SSIM, more is better"
    curves = curve_rows(rows, ("mine", "best"), "best")
    assert [row["score"] for row in curves] == ["gram", "sliced"]
    for row in curves:
        assert [row[name] for name in ("ratio", "low", "high")] == pytest.approx([0.5] * 3)
        assert (row["against"], row["nearer on"], row["pairs"]) == ("best", 6, 6)
    text = markdown(list(table.values()), curves)
    assert "| mine | 6 of 6, p 0.031 |" in text
    assert "| mine | best | gram | 0.5 | 0.5 | 0.5 | 6 | 6 |" in text


def test_a_pair_that_an_entry_lacks_is_left_out():
    rows = [row for row in made_up_rows() if (row["entry"], row["content"]) != ("mine", "0.jpg")]
    (mine,) = [row for row in recipe_rows(rows, "best") if row["entry"] == "mine" and row["score"] == "gram"]
    assert (mine["wins"], mine["pairs"]) == (5, 5)
