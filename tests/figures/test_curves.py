"""Loss curves for pages: what is kept of long runs, stages, and values that are not finite."""

from nst_jax.config import from_dict
from nst_jax.figures.curves import loss_curves


def line(step, scale=1.0, **terms):
    return {"step": step, "evaluations": 2 * step, "seconds": step / 10, "scale": scale, **terms}


def test_terms_of_one_stage_have_gaps_and_new_scales_are_marked():
    lines = [line(0, 0.5, total=1.0), line(1, 0.5, total=float("inf")), line(2, total=1 / 3, tv=2.0)]
    curves = loss_curves(from_dict({}), lines, 100)
    assert curves["terms"] == {"total": [1.0, None, 0.33333], "tv": [None, None, 2.0]}
    assert curves["across"] == {"step": [0, 1, 2], "evaluations": [0, 2, 4], "seconds": [0.0, 0.1, 0.2]}
    assert curves["stages"] == [{"at": 2, "scale": 1.0}]


def test_long_runs_are_thinned_and_keep_both_ends():
    steps = loss_curves(from_dict({}), [line(step) for step in range(1001)], 100)["across"]["step"]
    assert len(steps) <= 101
    assert (steps[0], steps[-1]) == (0, 1000)


def test_layers_and_an_unweighted_total_variation_are_off():
    lines = [line(0, **{"total": 1.0, "tv": 1.0, "style/conv1_1": 1.0})]
    assert loss_curves(from_dict({}), lines, 9)["off"] == ["tv", "style/conv1_1"]
    assert loss_curves(from_dict({"tv_weight": 1.0}), lines, 9)["off"] == ["style/conv1_1"]
