"""The map of schedules: work against the distance to the painting at equal content, by the real VGG-19.

    NST_REFERENCE_DATA=FOLDER python scripts/measure_schedules.py [--config=quick] [--size=384]
        [--network=slim] [--variants=SUBSTRING,...] [--workdir=runs/schedules]

Paints the six pairs of measure_tradeoff.py with each variant, at the recipe's content weight and at 1.6 times
as much, and judges them as compare_reference.py does: Gram and sliced Wasserstein distances by VGG-19 as
shares of the photo's, palette, and content at conv4_2. Between and beyond the two weights, logarithms are
interpolated linearly in the content, to the content that the recipe as it is reaches on the same pair.
`work` counts evaluations by pixels, in evaluations at full size: it does not depend on what else the machine
does, nor on compilation. Results go to results.jsonl, so that an interrupted measurement continues; the
script prints a table of means over the pairs and draws map.png.
"""

import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from compare_recipes import network_fields
from compare_reference import WEIGHTS, reference_folder, score
from matplotlib.figure import Figure
from measure_tradeoff import PAIRS, Row, grouped, recorded

import nst_jax
from nst_jax import cli, files, images
from nst_jax.api.results import Result
from nst_jax.images.color import match_colors
from nst_jax.networks.vgg import VGG
from nst_jax.weights import load

SCORES = ("gram", "sliced", "palette")
AS_IS, STOPPED = "as it is", "stopped below 1 %"
RECOLORED = "recoloured.png"  # the photo in the colours of the painting, by optimal transport
FACTORS = (1.0, 1.6)  # of the recipe's content weight
SHARE = 0.01  # a scale stops where ten more steps lower its loss by less


def schedule(*steps: int, scales: Sequence[float] = (0.25, 0.5, 1.0)) -> dict[str, Any]:
    """Return the fields of a variant with these numbers of steps at its scales."""
    return {"optimizer.steps": steps, "scales": tuple(scales)}


SHORT = schedule(50, 30, 20)
VARIANTS: dict[str, dict[str, Any]] = {
    AS_IS: {},
    "100 + 80 + 60": schedule(100, 80, 60),
    "120 + 90 + 70": schedule(120, 90, 70),
    "90 + 60 + 40": schedule(90, 60, 40),
    "100 + 60 + 20": schedule(100, 60, 20),
    "60 + 60 + 25": schedule(60, 60, 25),
    "60 + 40 + 25": schedule(60, 40, 25),
    "60 + 40 + 15": schedule(60, 40, 15),
    "60 + 40 + 8": schedule(60, 40, 8),
    "50 + 30 + 20": SHORT,
    "30 + 20 + 12": schedule(30, 20, 12),
    "50 + 30 + 20, memory 30": SHORT | {"optimizer.memory": 30},
    "50 + 30 + 20, no bands": SHORT | {"optimizer.bands": False},
    "50 + 30 + 20, from noise": SHORT | {"init": "noise"},
    "50 + 30 + 20, recoloured photo": SHORT | {"init": RECOLORED, "init_scale": 0.25},
    "1/4 and 1: 60 + 25": schedule(60, 25, scales=(0.25, 1)),
    "1/2 and 1: 50 + 25": schedule(50, 25, scales=(0.5, 1)),
    "1: 60": schedule(60, scales=(1,)),
    "1/8 to 1: 50 + 50 + 30 + 20": schedule(50, 50, 30, 20, scales=(0.125, 0.25, 0.5, 1)),
    STOPPED: {},
}


def main(argv: list[str]) -> int:
    """Paint and judge what is missing in results.jsonl, and print and draw all of it."""
    values = flags.FlagValues()
    flags.DEFINE_string("config", "quick", "the recipe", flag_values=values)
    flags.DEFINE_integer("size", 384, "longer side, pixels", flag_values=values)
    flags.DEFINE_string("network", "slim", "slim, or a value of network.weights", flag_values=values)
    flags.DEFINE_list("variants", [], "only those whose names contain one of these", flag_values=values)
    flags.DEFINE_string("workdir", "runs/schedules", "output folder", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    cli.use_compilation_cache()
    folder = Path(values.workdir)
    chosen = [
        name for name in VARIANTS if not values.variants or any(part in name for part in values.variants)
    ]
    measure(values.config, values.size, values.network, list(dict.fromkeys([AS_IS, *chosen])), folder)
    rows = recorded(folder)
    print(table(rows))
    with files.atomic(folder / "map.png") as temporary:
        plot(rows).savefig(temporary, format="png", dpi=100)
    return 0


def measure(recipe: str, size: int, network: str, variants: list[str], folder: Path) -> None:
    """Paint and judge all pairs with the `variants` that results.jsonl lacks."""
    judge = VGG(load(reference_folder() / WEIGHTS, "vgg19"))
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    weight = nst_jax.load_config(recipe).content_weight
    for pair, paths in PAIRS.items():
        content, style = (str(reference_folder() / "images" / path) for path in paths)
        photo, painting = images.read(content), images.read(style)
        session = nst_jax.Session(recipe, size=size, **network_fields(network))
        for variant, factor in itertools.product(variants, FACTORS):
            problem = {
                "recipe": Path(recipe).stem,
                "network": network,
                "size": size,
                "pair": pair,
                "factor": factor,
            }
            known = {row["variant"]: row for row in recorded(folder) if problem.items() <= row.items()}
            if variant in known:
                continue
            fields = {"content_weight": weight * factor, **VARIANTS[variant]}
            if variant == STOPPED:
                fields["optimizer.steps"] = tuple(known[AS_IS]["worthwhile"])
            if fields.get("init") == RECOLORED:
                fields["init"] = str(folder / RECOLORED)
                images.write(folder / RECOLORED, match_colors(photo, painting, "sym"), {})
            began = time.process_time()
            result = session.stylize(content, style, **fields)
            seconds = time.process_time() - began
            path = folder / "pictures" / f"{pair} {variant} {factor:g}.png".replace("/", "-")
            result.save(path)
            scores = score(judge, images.read(str(path)), photo, painting)
            row = {"variant": variant, "processor_seconds": seconds, "work": work(result)}
            row = problem | row | {"worthwhile": worthwhile(result), **scores}
            with (folder / "results.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


def work(result: Result) -> float:
    """Return the evaluations of a run, each of which counts as much as its share of the full size."""
    return sum(
        (line["evaluations"] - before["evaluations"]) * line["scale"] ** 2
        for before, line in itertools.pairwise([{"evaluations": 0}, *result.metrics])
    )


def worthwhile(result: Result) -> list[int]:
    """Return for each scale the steps after which ten more lower the loss by less than `SHARE`."""
    counts, first = [], 0
    for _, members in itertools.groupby(result.metrics, key=lambda line: line["scale"]):
        lines = list(members)
        idle = [
            line["step"] - first
            for line, later in itertools.pairwise(lines)
            if line["step"] > first and later["total"] > (1 - SHARE) * line["total"]
        ]
        counts.append(idle[0] if idle else lines[-1]["step"] - first)
        first = lines[-1]["step"]
    return counts


def at_equal_content(rows: Sequence[Row]) -> dict[str, float]:
    """Return means over the pairs of `rows`, of one variant, at the content of the recipe as it is.

    Each row has the content to compare at as `target`.
    """
    scores: dict[str, list[float]] = {name: [] for name in SCORES}
    for _, members in grouped(rows, "pair"):
        content = [row["content"] for row in members]
        for name in SCORES:
            line = np.polyfit(content, np.log([row[name] for row in members]), 1)
            scores[name].append(float(np.exp(np.polyval(line, members[0]["target"]))))
    return {name: float(np.mean(values)) for name, values in scores.items()}


def summaries(rows: Sequence[Row]) -> list[Row]:
    """Return one row per recipe, network and variant: the work, the seconds and the scores."""
    targets = {
        (row["recipe"], row["network"], row["pair"]): row["content"]
        for row in rows
        if row["variant"] == AS_IS and row["factor"] == 1
    }
    found = []
    for (recipe, network, variant), members in grouped(rows, "recipe", "network", "variant"):
        aimed = [row | {"target": targets[recipe, network, row["pair"]]} for row in members]
        complete = [
            row for row in aimed if sum(row["pair"] == other["pair"] for other in aimed) == len(FACTORS)
        ]
        if not complete:
            continue
        means = {name: np.mean([row[name] for row in complete]) for name in ("work", "processor_seconds")}
        first = [row["content"] for row in complete if row["factor"] == 1]
        found.append(
            {"recipe": recipe, "network": network, "variant": variant, "pairs": len(first)}
            | means
            | at_equal_content(complete)
            | {"content": np.mean(first)}
        )
    return found


def table(rows: Sequence[Row]) -> str:
    """Format the means over the pairs as a Markdown table."""
    columns = ("work", "processor_seconds", *SCORES, "content")
    titles = ("work", "processor s", "Gram", "sliced", "palette", "content at its own weight")
    lines = [
        "| recipe | network | variant | pairs | " + " | ".join(titles) + " |",
        "|" + " --- |" * (4 + len(columns)),
    ]
    for row in summaries(rows):
        texts = [f"{row[name]:.1f}" for name in columns[:2]] + [f"{row[name]:.3f}" for name in columns[2:]]
        head = f"`{row['recipe']}` | {row['network']} | {row['variant']} | {row['pairs']}"
        lines.append(f"| {head} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def plot(rows: Sequence[Row]) -> Figure:
    """Draw the sliced distance at equal content against the work, one panel per recipe and network."""
    panels = list(grouped(summaries(rows), "recipe", "network"))
    figure = Figure(figsize=(6 * len(panels), 4.5), layout="constrained")
    for axes, ((recipe, network), members) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        for row in members:
            axes.plot(row["work"], row["sliced"], "o", color="C3" if row["variant"] == AS_IS else "C0")
            axes.annotate(
                row["variant"],
                (row["work"], row["sliced"]),
                xytext=(4, 3),
                textcoords="offset points",
                fontsize=7,
            )
        axes.set(title=f"{recipe}, {network}", xlabel="work, evaluations at full size")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("sliced Wasserstein distance at equal content")
    return figure


if __name__ == "__main__":
    cli.run(main)
