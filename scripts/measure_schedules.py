"""Work against the distance to the painting at equal content, for schedules and content weights of `quick`.

    NST_REFERENCE_DATA=FOLDER python scripts/measure_schedules.py [--config=quick] [--size=384]
        [--network=slim] [--variants=SUBSTRING,...] [--workdir=runs/schedules]

Paints the six pairs of measure_tradeoff.py with each variant, and judges them as compare_reference.py does:
Gram and sliced Wasserstein distances by VGG-19 as shares of the photo's, palette, and content at conv4_2.
`work` counts the evaluations by pixels, in evaluations at full size: it does not depend on what else the
machine does, nor on compilation. Results go to results.jsonl, so that an interrupted measurement continues;
the script prints a table of means over the pairs.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from compare_recipes import network_fields
from compare_reference import WEIGHTS, reference_folder, score
from measure_tradeoff import PAIRS, grouped, recorded

import nst_jax
from nst_jax import cli, images
from nst_jax.api.results import Result
from nst_jax.networks.vgg import VGG
from nst_jax.weights import load

SCORES = ("gram", "sliced", "palette", "content")


def schedule(*steps: int, **fields: Any) -> dict[str, Any]:
    """Return the fields of a variant with these numbers of steps at its scales."""
    return {"optimizer.steps": steps, **fields}


VARIANTS: dict[str, Mapping[str, Any]] = {
    "as it is": {},
    "content x 0.5": {"content_weight": 0.08},
    "content x 1.7": {"content_weight": 0.25},
    "100 + 60 + 20": schedule(100, 60, 20, content_weight=0.19),
    "100 + 50 + 15": schedule(100, 50, 15, content_weight=0.2),
    "80 + 50 + 20": schedule(80, 50, 20, content_weight=0.18),
    "60 + 60 + 25": schedule(60, 60, 25, content_weight=0.18),
    "50 + 40 + 30": schedule(50, 40, 30, content_weight=0.16),
    "50 + 30 + 20": schedule(50, 30, 20, content_weight=0.18),
    "50 + 30 + 20 memory 5": schedule(50, 30, 20, content_weight=0.18, **{"optimizer.memory": 5}),
    "50 + 30 + 20 no bands": schedule(50, 30, 20, content_weight=0.18, **{"optimizer.bands": False}),
    "50 + 30 + 20 noise": schedule(50, 30, 20, init="noise"),
    "1/4 and 1: 60 + 25": schedule(60, 25, scales=(0.25, 1.0)),
    "1/2 and 1: 40 + 20": schedule(40, 20, scales=(0.5, 1.0)),
    "1/8 to 1: 40 + 40 + 30 + 15": schedule(40, 40, 30, 15, scales=(0.125, 0.25, 0.5, 1.0)),
}


def main(argv: list[str]) -> int:
    """Paint and judge what is missing in results.jsonl, and print all of it."""
    values = flags.FlagValues()
    flags.DEFINE_string("config", "quick", "the recipe", flag_values=values)
    flags.DEFINE_integer("size", 384, "longer side, pixels", flag_values=values)
    flags.DEFINE_string("network", "slim", "slim, or a value of network.weights", flag_values=values)
    flags.DEFINE_list("variants", [], "only those whose names contain one of these", flag_values=values)
    flags.DEFINE_string("workdir", "runs/schedules", "output folder", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    cli.use_compilation_cache()
    folder = Path(values.workdir)
    wanted = [
        name for name in VARIANTS if not values.variants or any(part in name for part in values.variants)
    ]
    measure(values.config, values.size, values.network, wanted, folder)
    print(table(recorded(folder)))
    return 0


def measure(recipe: str, size: int, network: str, wanted: list[str], folder: Path) -> None:
    """Paint and judge all pairs with the `wanted` variants that results.jsonl lacks."""
    judge = VGG(load(reference_folder() / WEIGHTS, "vgg19"))
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for pair, paths in PAIRS.items():
        content, style = (str(reference_folder() / "images" / path) for path in paths)
        session = nst_jax.Session(recipe, size=size, **network_fields(network))
        for variant in wanted:
            case = {"recipe": recipe, "network": network, "size": size, "pair": pair, "variant": variant}
            if any(case.items() <= row.items() for row in recorded(folder)):
                continue
            began = time.process_time()
            result = session.stylize(content, style, **VARIANTS[variant])
            seconds = time.process_time() - began
            path = folder / "pictures" / f"{pair} {variant}.png".replace("/", "-")
            result.save(path)
            scores = score(judge, images.read(str(path)), images.read(content), images.read(style))
            row = {**case, "processor_seconds": seconds, "work": work(result), **scores}
            with (folder / "results.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


def work(result: Result) -> float:
    """Return the evaluations of a run, each of which counts as much as its share of the full size."""
    lines = [{"evaluations": 0}, *result.metrics]
    return sum(
        (line["evaluations"] - before["evaluations"]) * line["scale"] ** 2
        for before, line in zip(lines, result.metrics, strict=False)
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Format the means over the pairs as a Markdown table."""
    columns = ("work", *SCORES)
    lines = [
        "| recipe | variant | pairs | " + " | ".join(columns) + " |",
        "|" + " --- |" * (3 + len(columns)),
    ]
    for (recipe, variant), members in grouped(rows, "recipe", "variant"):
        means = " | ".join(f"{np.mean([row[name] for row in members]):.3f}" for name in columns)
        lines.append(f"| `{recipe}` | {variant} | {len(members)} | {means} |")
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(main)
