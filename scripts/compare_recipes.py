"""Compare all recipes of configs/ on one pair: pictures, seconds, memory and neutral scores.

    NST_REFERENCE_DATA=FOLDER python scripts/compare_recipes.py --content=photo.jpg --style=painting.jpg
        [--size=512] [--network=vgg19-8bit] [--recipes=quick,best,...] [--workdir=runs/recipes]
        [--sheet=docs/gallery/recipes.jpg]

Every recipe is a process of its own, one after the other. Writes one run folder each and sheet.png, and
prints a table in Markdown. Scores are measured by VGG-19 at 256 px: Gram and sliced at conv1_1 to conv5_1,
content at conv4_2, see scripts/compare_reference.py.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from compare_reference import WEIGHTS, reference_folder, score
from PIL import Image

from nst_jax import cli, images
from nst_jax.errors import UserError
from nst_jax.figures.sheets import contact_sheet
from nst_jax.networks.vgg import VGG
from nst_jax.runs.folder import read_run
from nst_jax.weights import load

RECIPES = ("quick", "best", "gatys", "gatys:released", "spst", "crowsonkb:slim", "nnst")
HEIGHT = 220


def main(argv: list[str]) -> int:
    """Paint with each recipe, write the sheet, and print the table."""
    values = flags.FlagValues()
    flags.DEFINE_string("content", "sample:coffee", "the photo", flag_values=values)
    flags.DEFINE_string("style", "sample:swirls", "the painting", flag_values=values)
    flags.DEFINE_integer("size", 512, "longer side, pixels", flag_values=values)
    flags.DEFINE_string("network", "slim", "slim, or a value of network.weights", flag_values=values)
    flags.DEFINE_list("recipes", list(RECIPES), "names of configs", flag_values=values)
    flags.DEFINE_string("workdir", "runs/recipes", "output folder", flag_values=values)
    flags.DEFINE_string("sheet", None, "a JPEG of the sheet as well", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    judge = VGG(load(reference_folder() / WEIGHTS, "vgg19"))
    folder = Path(values.workdir)
    photo, style = images.read(values.content), images.read(values.style)
    shown = [("content", photo), ("style", style)]
    print("| recipe | seconds | peak memory, MiB | Gram | sliced | palette | content |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for recipe in values.recipes:
        run = folder / recipe.replace(":", "-")
        fields = {"content": values.content, "style": values.style, "size": values.size}
        paint_recipe(recipe, fields | network_fields(values.network), run)
        picture, record = images.read(str(run / "result.png")), read_run(run)
        shown.append((recipe, picture))
        scores = " | ".join(f"{value:.3f}" for value in score(judge, picture, photo, style).values())
        memory = record["peak_memory_bytes"] / 2**20
        print(f"| `{recipe}` | {record['wall_seconds']:.0f} | {memory:.0f} | {scores} |", flush=True)
    half = len(shown) // 2 + len(shown) % 2
    sheet = contact_sheet([shown[:half], shown[half:]], HEIGHT)
    images.write(folder / "sheet.png", sheet)
    if values.sheet:
        Image.fromarray(np.uint8(np.rint(sheet[0] * 255))).save(values.sheet, quality=88)
    return 0


def network_fields(network: str) -> dict[str, str]:
    """Return the config fields for `slim`, or for VGG-19 with `network` as its weights."""
    slim = network == "slim"
    return {
        "network.arch": "slim" if slim else "vgg19",
        "network.weights": "auto" if slim else network,
    }


def paint_recipe(recipe: str, fields: Mapping[str, Any], folder: Path) -> None:
    """Paint in a process of its own, unless `folder` holds the result already.

    Raises:
        UserError: the run fails.
    """
    if (folder / "result.png").exists():
        return
    command = [sys.executable, "-m", "nst_jax.run", f"--config={recipe}", f"--workdir={folder}"]
    overrides = [f"--config.{name}={value}" for name, value in fields.items()]
    ended = subprocess.run([*command, *overrides], capture_output=True, text=True, errors="replace")
    if ended.returncode:
        raise UserError(f"{recipe}: {ended.stderr.strip().splitlines()[-1]}")


if __name__ == "__main__":
    cli.run(main)
