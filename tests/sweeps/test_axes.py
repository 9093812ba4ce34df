"""What the rows, columns and pictures of a sweep are called."""

from nst_jax.sweeps import plan
from nst_jax.sweeps.axes import axis_labels, columns_of, titles
from tests.sweeps.cells import varied


def named(cells):
    return list(axis_labels(plan.plan_runs({}, cells)).values())


def test_labels_that_are_the_values_of_a_field_are_named_by_it():
    cells = [(("deep", ratio), {"content_weight": ratio}) for ratio in (1e-5, 0.5)]
    assert named(cells) == [("deep", "content_weight 1e-05"), ("deep", "content_weight 0.5")]
    cells = varied(["content_weight=1e-5,0.5", "seed=1,2"])
    assert named(cells)[1] == ("content_weight 1e-05", "seed 2")


def test_other_labels_stay():
    cells = [((f"seed <{seed}>",), {"seed": seed}) for seed in (1, 2)]
    assert named(cells) == [("seed <1>",), ("seed <2>",)]
    mixed = [(("one",), {"seed": 1}), ((2,), {"seed": 2})]
    assert named(mixed) == [("one",), ("2",)]


def test_a_run_without_labels_is_called_by_its_folder():
    (run,) = plan.plan_runs({}, [((), {})])
    assert titles([run]) == {run.folder: run.folder}


def test_columns_of_a_full_grid():
    cells = [((a, b), {"seed": 2 * a + b}) for a in (0, 1) for b in (0, 1)]
    assert columns_of(plan.plan_runs({}, cells)) == 2
    assert columns_of(plan.plan_runs({}, cells[:3])) == 0
