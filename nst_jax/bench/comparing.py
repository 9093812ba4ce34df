"""Tables of a bench: means of each recipe, comparisons with the reference, and areas between curves."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nst_jax.bench.paired import mean_interval, versus
from nst_jax.bench.scores import HIGHER_IS_BETTER
from nst_jax.bench.tradeoffs import log_ratio

STYLE_SCORES = ("gram", "sliced")  # that are compared along curves
# Everything that a row may hold and that is averaged, in the order of the tables.
AVERAGED = (
    *(*STYLE_SCORES, "palette", "content_distance", "cfsd", "lpips", "ssim", "edges"),
    *("seconds", "evaluations"),
)
Row = Mapping[str, Any]


def recipe_rows(rows: Sequence[Row], reference: str) -> list[dict[str, Any]]:
    """Return a row per entry and score: mean, interval, and the comparison with the `reference` by pair.

    `rows` have `entry`, `content`, `style` and scores. Pairs that one of two entries lacks are not compared.
    """
    found = []
    theirs = by_pair(rows, reference)
    for entry in dict.fromkeys(row["entry"] for row in rows):
        ours = by_pair(rows, entry)
        common = ours.keys() & theirs.keys() if entry != reference else set()
        for score in (name for name in AVERAGED if all(name in row for row in ours.values())):
            values = [row[score] for row in ours.values()]
            low, high = mean_interval(values)
            mean = sum(values) / len(values)
            line = {"entry": entry, "score": score, "mean": mean, "low": low, "high": high}
            if common:
                mine, other = ([of[pair][score] for pair in sorted(common)] for of in (ours, theirs))
                line |= versus(mine, other, score in HIGHER_IS_BETTER)._asdict()
            found.append(line)
    return found


def by_pair(rows: Sequence[Row], entry: str) -> dict[tuple[str, str], Row]:
    """Return the rows of an entry by their content and style."""
    return {(row["content"], row["style"]): row for row in rows if row["entry"] == entry}


def curve_rows(rows: Sequence[Row], curves: Sequence[str], reference: str) -> list[dict[str, Any]]:
    """Return a row per recipe of `curves` and style score: its distance as a multiple of the reference's.

    It is taken at equal distances to the content, see `log_ratio`: a geometric mean over the pairs, with its
    interval. The reference is the first of the curves if it is not among them.
    """
    reference = reference if reference in curves else next(iter(curves), "")
    found = []
    for recipe in curves:
        for score in STYLE_SCORES if recipe != reference else ():
            ours, theirs = (points_by_pair(rows, name, score) for name in (recipe, reference))
            ratios = [log_ratio(ours[pair], theirs[pair]) for pair in ours if pair in theirs]
            if known := [ratio for ratio in ratios if ratio is not None]:
                low, high = mean_interval(known)
                numbers = {"ratio": sum(known) / len(known), "low": low, "high": high}
                found.append(
                    {"curve": recipe, "against": reference, "score": score}
                    | {name: math.exp(value) for name, value in numbers.items()}
                    | {"nearer on": sum(ratio < 0 for ratio in known), "pairs": len(known)}
                )
    return found


def points_by_pair(
    rows: Sequence[Row], recipe: str, score: str
) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Return the points (content, style) of a recipe's curve for each pair."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        if row["recipe"] == recipe:
            found.setdefault((row["content"], row["style"]), []).append((row["content_distance"], row[score]))
    return found


def markdown(rows: Sequence[Row], curves: Sequence[Row]) -> str:
    """Return Markdown tables of `recipe_rows`, means and then comparisons, and of `curve_rows`."""
    means = _pivoted(rows, lambda row: f"{row['mean']:.3g} ({row['low']:.3g} to {row['high']:.3g})")
    compared = [row for row in rows if "wins" in row]
    wins = _pivoted(compared, lambda row: f"{row['wins']} of {row['pairs']}, p {row['p']:.2g}")
    return "\n\n".join(text for text in (means, wins, _table(curves)) if text)


def _pivoted(rows: Sequence[Row], cell: Callable[[Row], str]) -> str:
    """A table with a line per entry and a column per score."""
    scores = dict.fromkeys(row["score"] for row in rows)
    cells = {(row["entry"], row["score"]): cell(row) for row in rows}
    names = dict.fromkeys(row["entry"] for row in rows)
    return _table([{"": name} | {score: cells.get((name, score), "") for score in scores} for name in names])


def _table(rows: Sequence[Row]) -> str:
    """A Markdown table with the names of the first row as its head; floats get three digits."""
    texts = [[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    head = [list(rows[0]), ["---"] * len(rows[0])] if rows else []
    return "\n".join(f"| {' | '.join(line)} |" for line in [*head, *texts])
