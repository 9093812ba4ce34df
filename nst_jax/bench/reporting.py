"""The results of a bench: scores of every picture, tables of the recipes, trade-off curves, and the page."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax import files, images
from nst_jax.bench.bench_plan import BenchSettings, entries
from nst_jax.bench.comparing import curve_rows, markdown, recipe_rows
from nst_jax.bench.lpips import load_lpips
from nst_jax.bench.scores import Judge
from nst_jax.errors import UserError
from nst_jax.figures.plots import line_plot
from nst_jax.storage.json_files import read_json
from nst_jax.sweeps.gallery import Judged, Table, csv_text, write_gallery
from nst_jax.sweeps.plan import Run
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.transfer.pictures import Pictures
from nst_jax.weights import load_network

ABOUT_RECIPES = (
    "Means over the pairs with 95 % intervals (bootstrap over pairs). wins: on how many of the pairs that "
    "differ the entry is better than the reference; p: Wilcoxon signed-rank test, not corrected for the "
    "number of rows."
)
ABOUT_CURVES = (
    "The distance to the style as a multiple of the reference's at the same distance to the content: the "
    "area between both curves, as a geometric mean over the range of content that they share, and over pairs."
)
Row = dict[str, Any]


def require_judges(settings: BenchSettings) -> None:
    """Check that the networks which will judge are at hand.

    Raises:
        UserError: one of them cannot be loaded.
    """
    load_lpips(settings.lpips)
    if settings.judge.weights != "auto":  # which stands for another network in need
        try:
            load_network(settings.judge, settings.style_layers)
        except UserError as error:
            raise error.prefixed("judge") from error


def report(sweep: Sweep, settings: BenchSettings) -> Path:
    """Judge the results and write bench.csv, recipes.csv, curves.csv, curves.png, bench.md and the gallery.

    Scores that the folder of a run holds already are not repeated. Returns the page.

    Raises:
        UserError: the judge cannot be loaded, a result cannot be read, or the folder cannot be written.
    """
    network, weights = load_network(settings.judge, settings.style_layers)
    lpips, inputs = load_lpips(settings.lpips), Pictures(run.config for run in sweep.runs)
    judge = Judge(network, weights, settings.style_layers, inputs, lpips)
    judged_by = f"{weights.sha256} {settings.judge} {','.join(settings.style_layers)}"
    if lpips:
        judged_by += f" {lpips.digest}"
    scores = {run.folder: _scores(sweep, run, judge, judged_by) for run in sweep.runs}
    recipes = {entry.name: entry.recipe for entry in entries(settings)}
    rows = [_row(sweep, run, recipes[run.labels[1]]) | scores[run.folder] for run in sweep.runs]
    files.write_text(sweep.path / "bench.csv", csv_text(rows))
    by_recipe = recipe_rows(rows, settings.compared_with)
    by_curve = curve_rows(rows, settings.curves, settings.compared_with)
    files.write_text(
        sweep.path / "bench.md",
        f"Judge: {weights.name} (sha256 {weights.sha256[:8]}).\n\n{markdown(by_recipe, by_curve)}\n",
    )
    with files.atomic(sweep.path / "curves.png") as temporary:
        plotted(rows).savefig(temporary, format="png")
    tables = [
        Table(f"Recipes, compared with {settings.compared_with}", ABOUT_RECIPES, "recipes.csv", by_recipe),
        Table("Trade-off curves", ABOUT_CURVES, "curves.csv", by_curve),
    ]
    differing = {run.folder: {name: str(value) for name, value in run.fields.items()} for run in sweep.runs}
    return write_gallery(sweep, Judged(weights.name, scores, differing, tables))


def _scores(sweep: Sweep, run: Run, judge: Judge, judged_by: str) -> dict[str, float]:
    """The scores of a result, from scores.json in its folder if they are of this picture and judge."""
    folder = sweep.path / run.folder
    picture = hashlib.sha256((folder / "result.png").read_bytes()).hexdigest()
    about = {"picture": picture, "judge": judged_by}
    file = folder / "scores.json"
    if file.exists():
        saved = read_json(file, picture=str, judge=str, scores=dict)
        if about.items() <= saved.items():
            return saved["scores"]
    scores = judge(run.config, images.read(str(folder / "result.png"), smallest=1, say=False))
    files.write_json(file, about | {"scores": scores})
    return scores


def _row(sweep: Sweep, run: Run, recipe: str) -> Row:
    """What is known of a run beside its scores.

    `seconds` is its share of the time of runs painted together. `process_peak_mib` is the most memory that
    the process had used until then, for this run or an earlier one.
    """
    record = sweep.record(run)
    together = record["painted_together"]
    return {
        "run": run.folder,
        "entry": run.labels[1],
        "recipe": recipe,
        "content": run.config.content,
        "style": run.config.style,
        "network": record["network"]["name"],
        "status": record["status"],
        "seconds": record["wall_seconds"] / together,
        "evaluations": float(record["evaluations"]),
        "painted_together": together,
        "process_peak_mib": record.get("peak_memory_bytes", 0) / 2**20,
    }


def plotted(rows: Sequence[Row]) -> Any:
    """Return a figure of the trade-offs: a line per recipe, a point per content weight, means over pairs."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for entry, recipe in dict.fromkeys((row["entry"], row["recipe"]) for row in rows):
        members = [row for row in rows if row["entry"] == entry]
        x, y = (float(np.mean([row[name] for row in members])) for name in ("content_distance", "sliced"))
        lines.setdefault(recipe, []).append((x, y))
    labels = "content at conv4_2", "sliced Wasserstein distance"
    return line_plot({name: sorted(points) for name, points in lines.items()}, *labels, marker="o")
