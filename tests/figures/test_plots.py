"""Line plots: what is drawn, what is left out, the same bytes again."""

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


def test_a_logarithmic_plot_leaves_out_what_has_no_logarithm():
    series = {"a<b$": [(0, 1.0), (1, 0.1), (2, float("nan")), (3, 0.0)], "never": [(0, float("inf"))]}
    figure = plots.line_plot(series, "x", "y", logarithmic=True)
    assert lines(figure) == {r"a<b\$": [[0, 1.0], [1, 0.1]], "never": []}
    assert figure.axes[0].get_yscale() == "log"
    assert b"a&lt;b$" in plots.as_svg(figure)


def test_pictures_and_svgs_are_the_same_again():
    def figure():
        return plots.line_plot({"a": [(0, 1.0), (5, 2.0)]}, "x")

    picture = plots.as_picture(figure())
    assert picture.shape[1] == plots.HEIGHT
    assert picture.min() < 0.5 < picture.max() == 1
    np.testing.assert_array_equal(picture, plots.as_picture(figure()))
    assert plots.as_svg(figure()) == plots.as_svg(figure())
