"""Line plots: what is drawn, the same pixels again."""

import numpy as np

from nst_jax.figures import plots


def lines(figure):
    """What the figure draws, by label."""
    return {line.get_label().strip(): line.get_xydata().tolist() for line in figure.axes[0].lines}


def test_each_series_is_a_line():
    figure = plots.line_plot({"a": [(0, 1.0), (5, 2.0)], "b": [(0, 3.0)]}, "steps", "loss")
    assert lines(figure) == {"a": [[0, 1], [5, 2]], "b": [[0, 3]]}
    assert figure.axes[0].get_xlabel() == "steps"
    assert figure.axes[0].get_ylim()[0] == 0


def test_a_series_may_be_empty_and_its_name_is_not_read_as_mathematics():
    assert lines(plots.line_plot({"a$b$": [], "_c": [(0, 1.0)]}, "x")) == {r"a\$b\$": [], "_c": [[0, 1]]}


def test_pictures_are_the_same_again():
    def figure():
        return plots.line_plot({"a": [(0, 1.0), (5, 2.0)]}, "x")

    picture = plots.as_picture(figure())
    assert picture.shape[1] == plots.HEIGHT
    assert picture.min() < 0.5 < picture.max() == 1
    np.testing.assert_array_equal(picture, plots.as_picture(figure()))
