"""Labels in any script: drawn in a font that has them, or escaped, and never as boxes or with a warning."""

import numpy as np
import pytest

from nst_jax.figures import lettering, plots
from nst_jax.figures.sheets import sweep_sheet

CELL = np.full((1, 32, 128, 3), 0.5, np.float32)
# Pairs of names that a font without these letters would draw alike.
PAIRS = [("é", "ü"), ("Ж", "Ш"), ("写", "真"), ("사", "진"), ("🐱", "🐶"), ("\udcff", "\udcfe")]


def sheets(name: str) -> list[np.ndarray]:
    """A grid and a row of cells, and a source, with labels that hold `name`."""
    grid = {(row, column): CELL for row in ("x", name) for column in ("y", name)}
    return [sweep_sheet(cells, [(f"z {name}", CELL)]) for cells in (grid, {(name,): CELL})]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_labels_can_be_told_apart(one, other):
    for sheet, other_sheet in zip(sheets(one), sheets(other), strict=True):
        assert not np.array_equal(sheet, other_sheet)


@pytest.mark.parametrize("names", PAIRS)
def test_plots_are_drawn_without_warnings(names):
    figure = plots.line_plot({name: [(0, 1.0), (5, 2.0)] for name in names}, "x")
    assert plots.as_picture(figure).shape[1] == plots.HEIGHT


def test_without_a_font_letters_are_escaped(monkeypatch):
    monkeypatch.setattr(lettering, "font_file", lambda label: None)
    assert lettering.drawable("写真 1") == "\\u5199\\u771f 1"
    assert lettering.drawable("plain") == "plain"
    assert lettering.text_width("写", 16) == lettering.text_width("\\u5199", 16)


def test_letters_of_european_languages_come_with_matplotlib():
    assert lettering.drawable("Größe, naïve, Чайка, ξ") == "Größe, naïve, Чайка, ξ"
