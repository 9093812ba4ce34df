"""Recipes as trade-offs: the distance to the painting against the distance to the photo, for many pairs.

    NST_REFERENCE_DATA=FOLDER python scripts/measure_tradeoff.py [--networks=slim,vgg19-8bit] [--size=256]
        [--recipes=quick,best,...] [--curves=quick,best] [--factors=0.1,0.3,1,3]

Every recipe paints every pair; those in --curves also with their content weight multiplied by each of
--factors. The judge is VGG-19: Gram matrices and sliced Wasserstein distances at conv1_1 to conv5_1, and the
content at conv4_2, see nst_jax/sweeps/neutral.py. Results go to results.jsonl, so that an interrupted
measurement continues; the script prints a table of the means, and for each recipe on how many pairs it lies
above the curve of `best`, that is, further from the painting at the same distance to the photo. curves.png
plots the means.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from compare_recipes import network_fields
from compare_reference import WEIGHTS, reference_folder, score
from matplotlib.figure import Figure

import nst_jax
from nst_jax import cli, files, images
from nst_jax.networks.network import Network
from nst_jax.networks.vgg import VGG
from nst_jax.weights import load

# Photos and paintings below images/ of the reference data, on which nothing was tuned.
PAIRS = {
    "skyline + self-portrait": ("control/skyline.jpg", "style/vg_self.jpg"),
    "tower + The Scream": ("content/hoovertowernight.jpg", "style/the_scream.jpg"),
    "sailboat + Tahiti": ("content/sailboat.jpg", "style/tahiti_guaguin.jpg"),
    "flowers + Mondrian": ("content/flowers.jpg", "style/mondrian.jpg"),
    "Taj Mahal + Delaunay": ("content/taj_mahal.jpg", "style/delaunay_portrait_1906.jpg"),
    "Cornell + Leger": ("content/cornell.jpg", "style/contrast_of_forms.jpg"),
}
RECIPES = ("quick", "best", "gatys", "gatys:released_512", "spst")
STYLES = ("gram", "sliced")  # scores of the distance to the painting
Row = dict[str, Any]


def main(argv: list[str]) -> int:
    """Paint and judge what is missing in results.jsonl, and print and plot all of it."""
    values = flags.FlagValues()
    flags.DEFINE_list(
        "networks", ["slim", "vgg19-8bit"], "slim, or values of network.weights", flag_values=values
    )
    flags.DEFINE_list("recipes", list(RECIPES), "names of configs", flag_values=values)
    flags.DEFINE_list("curves", ["quick", "best"], "recipes with several content weights", flag_values=values)
    flags.DEFINE_list("factors", ["0.1", "0.3", "1", "3"], "of the content weight", flag_values=values)
    flags.DEFINE_integer("size", 256, "longer side, pixels", flag_values=values)
    flags.DEFINE_string("workdir", "runs/tradeoff", "output folder", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    cli.use_compilation_cache()
    judge, folder = VGG(load(reference_folder() / WEIGHTS, "vgg19")), Path(values.workdir)
    for network in values.networks:
        for recipe in values.recipes:
            factors = [float(text) for text in values.factors] if recipe in values.curves else [1.0]
            for pair in PAIRS:
                measure(judge, network, recipe, pair, factors, values.size, folder)
    rows = [row for row in recorded(folder) if row["recipe"] in values.recipes]
    print(table(rows))
    print(comparison(rows))
    with files.atomic(folder / "curves.png") as temporary:
        plot(rows).savefig(temporary, format="png", dpi=100)
    return 0


def measure(
    judge: Network, network: str, recipe: str, pair: str, factors: Sequence[float], size: int, folder: Path
) -> None:
    """Paint and judge one pair with the content weights that results.jsonl lacks."""
    case = {"network": network, "recipe": recipe, "pair": pair, "size": size}
    known = [row["factor"] for row in recorded(folder) if case.items() <= row.items()]
    if not (missing := [factor for factor in factors if factor not in known]):
        return
    content, style = (str(reference_folder() / "images" / path) for path in PAIRS[pair])
    photo, painting = images.read(content), images.read(style)
    fields: dict[str, Any] = {"size": size, **network_fields(network)}
    session = nst_jax.Session(recipe, **fields)
    weight = nst_jax.load_config(recipe, **fields).content_weight
    for factor in missing:
        # Not every config has a content weight, and only curves have other factors than 1.
        changes: dict[str, Any] = {} if factor == 1 else {"content_weight": weight * factor}
        result = session.stylize(content, style, **changes)
        name = f"{network}-{recipe}-{pair}-{factor:g}".replace(":", "_").replace(" ", "_")
        path = folder / "pictures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        result.save(path)
        row = {**case, "factor": factor, **score(judge, images.read(str(path)), photo, painting)}
        with (folder / "results.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


def recorded(folder: Path) -> list[Row]:
    """Return the rows of results.jsonl."""
    path = folder / "results.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def grouped(rows: Sequence[Row], *names: str) -> Iterator[tuple[tuple, list[Row]]]:
    """Yield the rows with the same values of `names`, and these values, in order of appearance."""
    keys = list(dict.fromkeys(tuple(row[name] for name in names) for row in rows))
    for key in keys:
        yield key, [row for row in rows if tuple(row[name] for name in names) == key]


def table(rows: Sequence[Row]) -> str:
    """Format the means over the pairs as a Markdown table."""
    lines = ["| network | recipe | content weight | Gram | sliced | palette | content |", "|" + " --- |" * 7]
    for (network, recipe, factor), members in grouped(rows, "network", "recipe", "factor"):
        means = [np.mean([row[name] for row in members]) for name in (*STYLES, "palette", "content")]
        lines.append(
            f"| {network} | `{recipe}` | x {factor:g} | " + " | ".join(f"{v:.3f}" for v in means) + " |"
        )
    return "\n".join(lines)


def comparison(rows: Sequence[Row]) -> str:
    """Tell for each recipe on how many pairs it is above the curve of `best`, by either style score."""
    lines = ["| network | recipe | above `best` by Gram | by sliced |", "| --- | --- | --- | --- |"]
    for (network, recipe), members in grouped(
        [r for r in rows if r["recipe"] != "best"], "network", "recipe"
    ):
        counts = []
        for name in STYLES:
            verdicts = []
            for (pair,), points in grouped(members, "pair"):
                curve = [
                    row
                    for row in rows
                    if (row["network"], row["recipe"], row["pair"]) == (network, "best", pair)
                ]
                verdicts.append(is_above(points, curve, name))
            known = [verdict for verdict in verdicts if verdict is not None]
            counts.append(f"{sum(known)} of {len(known)}")
        lines.append(f"| {network} | `{recipe}` | {counts[0]} | {counts[1]} |")
    return "\n".join(lines)


def is_above(points: Sequence[Row], curve: Sequence[Row], name: str) -> bool | None:
    """Whether all points that can be compared with a curve are above it; None if there is none.

    Between two points of the curve, the logarithm of the style distance is interpolated linearly. A point
    that is further from the photo than the whole curve is above it if it is not nearer to the painting.
    """
    ordered = sorted(curve, key=lambda row: row["content"])
    content, style = (np.array([row[key] for row in ordered]) for key in ("content", name))
    verdicts = []
    for row in points if len(curve) > 1 else ():
        above = np.log(row[name]) >= np.interp(row["content"], content, np.log(style))
        if content[0] <= row["content"] <= content[-1] or (row["content"] > content[-1] and above):
            verdicts.append(bool(above))
    return all(verdicts) if verdicts else None


def plot(rows: Sequence[Row]) -> Figure:
    """Draw the mean curves: the sliced distance to the painting against the distance to the photo."""
    networks, recipes = (list(dict.fromkeys(row[name] for row in rows)) for name in ("network", "recipe"))
    figure = Figure(figsize=(5 * len(networks), 4), layout="constrained")
    for axes, network in zip(
        np.atleast_1d(figure.subplots(1, len(networks), sharey=True)), networks, strict=True
    ):
        for (recipe,), members in grouped([row for row in rows if row["network"] == network], "recipe"):
            points = sorted(means_of(members), key=lambda point: point["content"])
            values = ([point[name] for point in points] for name in ("content", "sliced"))
            axes.plot(*values, "o-", color=f"C{recipes.index(recipe)}", label=recipe)
        axes.set(title=network, xlabel="content at conv4_2", yscale="log")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("sliced Wasserstein distance, conv1_1 to conv5_1")
    figure.axes[0].legend()
    return figure


def means_of(rows: Sequence[Row]) -> list[Mapping[str, float]]:
    """Return the mean over the pairs for each content weight."""
    return [
        {name: float(np.mean([row[name] for row in members])) for name in ("content", *STYLES)}
        for _, members in grouped(rows, "factor")
    ]


if __name__ == "__main__":
    cli.run(main)
