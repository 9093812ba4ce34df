"""What a run tells: metrics that survive a torn line, words for figures, contact sheets."""

from types import SimpleNamespace

import numpy as np
import pytest

from nst_jax.config import from_dict
from nst_jax.figures.sheets import LABEL_SIZE, MARGIN, contact_sheet
from nst_jax.runs.metrics import Metrics
from nst_jax.runs.progress import Progress, Work, byte_count, duration


def test_metrics_drop_a_torn_line_and_what_comes_after_the_checkpoint(tmp_path):
    metrics = Metrics(tmp_path / "metrics.jsonl")
    for step in (0, 10, 20):
        metrics.write({"step": step, "total": 1 / 3})
    with metrics.path.open("a") as file:
        file.write('{"step": 30, "tot')
    assert [line["step"] for line in metrics.read()] == [0, 10, 20]
    assert metrics.rewind(10) == 10
    assert metrics.read() == [{"step": 0, "total": 1 / 3}, {"step": 10, "total": 1 / 3}]
    assert metrics.rewind(-1) == -1
    assert metrics.read() == []


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    hands = [0.0]
    monkeypatch.setattr("nst_jax.runs.progress.time", SimpleNamespace(monotonic=lambda: hands[0]))
    return hands


@pytest.mark.parametrize(("costs", "seconds"), [(None, 44), ([1.0, 2.0, 4.0], 16)])
def test_the_duration_is_estimated_from_the_rate_of_later_evaluations(clock, capsys, costs, seconds):
    """0.1 s for each; compilation, the start of the records and a scale's costs are not extrapolated."""
    config = from_dict({"scales": (0.25, 0.5, 1.0), "optimizer": {"steps": (30, 20, 18)}})
    with Progress(Work(config, costs)) as progress:
        for now, evaluations in [(60.0, 1), (70.0, 3), (70.2, 5), (71.0, 13)]:
            assert "estimate" not in capsys.readouterr().out
            clock[0] = now
            progress.update(evaluations, 1.0, evaluations)
        assert f"estimate: {seconds} s for 30 + 20 + 18 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.6, "1 min 0 s"), (95.0, "1 min 35 s"), (3700.0, "1 h 1 min")],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(10.0, "10 B"), (2048.0, "2 KiB"), (3.0 * 2**20, "3 MiB"), (3.0 * 2**30, "3.0 GiB")]
)
def test_sizes_in_words(count, words):
    assert byte_count(count) == words


def test_a_contact_sheet_holds_every_picture_where_it_belongs():
    wide = np.zeros((1, 10, 20, 3), np.float32) + np.float32([1, 0, 0])
    square = np.zeros((1, 30, 30, 3), np.float32) + np.float32([0, 0, 1])
    sheet = contact_sheet([[("wide", wide), ("square", square)], [("wide", wide)]], height=40)
    top = 2 * MARGIN + LABEL_SIZE
    row = 40 + LABEL_SIZE + 2 * MARGIN
    assert sheet.shape == (1, 2 * row + MARGIN, 80 + 40 + 3 * MARGIN, 3)
    red = np.broadcast_to([1.0, 0, 0], (40, 80, 3))
    np.testing.assert_array_equal(sheet[0, top : top + 40, MARGIN : MARGIN + 80], red)
    np.testing.assert_allclose(sheet[0, top + 5, MARGIN + 80 + MARGIN + 5], [0, 0, 1])
    np.testing.assert_allclose(sheet[0, row + top + 5, MARGIN + 5], [1, 0, 0])
    np.testing.assert_allclose(sheet[0, row + top + 5, -20], [1, 1, 1])
    assert sheet[0, MARGIN : MARGIN + LABEL_SIZE].min() == 0, "the label is drawn"
