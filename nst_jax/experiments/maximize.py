"""Activation maximisation: pictures that activate units, found by optimisation from noise.

    python -m nst_jax.experiments.maximize --config=configs/maximize.py --workdir=runs/maximize

Writes the pictures of each unit, all of them combined as sheet.png, and maximize.json with the mean response
to the initial noise and to the pictures. With `--config.data=folder:PHOTOS`, the sheet shows the patches of
these photographs that activate each unit most beside its picture.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import cli, files, images
from nst_jax.figures.sheets import contact_sheet
from nst_jax.images.streams import Stream
from nst_jax.networks.network import Network
from nst_jax.optimizers.methods import find_method
from nst_jax.variables.fourier import fourier
from nst_jax.variables.variable import Canvas
from nst_jax.vision import maximize, patches_sheet, top_patches
from nst_jax.vision.activations import require_activations
from nst_jax.vision.maximize import Penalties, Wanted
from nst_jax.vision.maximize_settings import MARGIN, MaximizeSettings
from nst_jax.vision.objectives import OBJECTIVES
from nst_jax.vision.transforms import random_motions
from nst_jax.weights import load_network

ACROSS, ACROSS_WITH_PATCHES = 6, 4  # units per row of the sheet
TOP = 9  # patches of each unit
CELL = 200  # height of a row of the sheet, pixels


def main(argv: list[str]) -> int:
    """Paint the pictures of each unit, and write them, sheet.png and maximize.json."""
    return cli.run_experiment(argv, MaximizeSettings, __doc__ or "", "configs/maximize.py", _run)


def _run(config: MaximizeSettings, folder: Path) -> None:
    network, weights = load_network(config.network, (config.layer,))
    directions = config.directions(width(network, config.layer))
    stream = Stream(config.data, config.size, config.limit) if config.data else None
    if stream:
        next(stream.batches(1))  # raises if no picture can be read, before anything is written
    painted = _paint_all(config, network, directions, folder)
    patches = find_patches(config, network, stream) if stream else {}
    images.write(folder / "sheet.png", responses_sheet(config, painted, patches))
    record = {
        "network": {"name": weights.name, "arch": weights.arch, "sha256": weights.sha256},
        "config": dataclasses.asdict(config),
        "units": [entry for entry, _ in painted],
    }
    files.write_json(folder / "maximize.json", record)
    print(f"{folder / 'sheet.png'}: {len(painted)} x {config.layer}, network {weights.name}")


def width(network: Network, layer: str) -> int:
    """Return the number of units of a layer."""
    return len(top_patches.empty_lists(network, (layer,), 512, 1)[layer].image)


Entry = tuple[dict[str, object], np.ndarray]  # an entry of maximize.json, and its pictures


def _paint_all(
    config: MaximizeSettings, network: Network, directions: Mapping[str, np.ndarray], folder: Path
) -> list[Entry]:
    """Paint what `directions` activate, and write each picture at once."""
    side, rate = config.size + 2 * MARGIN, config.optimizer.learning_rate
    require_activations(network, (config.layer,), side, config.pictures, gradient=True)
    variable = fourier(config.contrast, config.finest)
    lanes = maximize.maximizer(config.layer, config.objective, variable, find_method(config.optimizer))
    noise, key = jax.random.split(jax.random.key(config.seed))
    start = config.start * jax.random.normal(noise, (config.pictures, side, side, 3))
    start = start.reshape(1, -1, side, 3)  # the optimiser holds one array
    (steps,) = config.optimizer.steps_by_scale(1)
    motions = random_motions(key, steps + 1, config.motions)
    weights = Penalties(jnp.float32(config.tv_weight), jnp.float32(config.diversity_weight))
    basis = variable.init(Canvas((side, side)))
    measure = jax.jit(partial(_response, config.layer, config.objective))
    entries = []
    for name, weighting in directions.items():
        wanted = Wanted(basis, jnp.asarray(weighting), motions, jnp.int32(0), weights)
        painted = maximize.paint_responses(lanes, network, wanted, start, rate)
        shown = (np.asarray(variable.decode(basis, array)) for array in (start, painted))
        before, after = (pictures[:, MARGIN:-MARGIN, MARGIN:-MARGIN] for pictures in shown)
        first, reached = (float(measure(network, each, wanted.direction)) for each in (before, after))
        names = _write(config, name, after, folder)
        entries.append(({"unit": name, "start": first, "reached": reached, "pictures": names}, after))
        print(f"{folder / names[0]}: mean response {first:.4g} -> {reached:.4g}", flush=True)
    return entries


def _response(
    layer: str, objective: str, network: Network, pictures: jax.Array, direction: jax.Array
) -> jax.Array:
    return OBJECTIVES[objective](network(pictures, (layer,))[layer], direction).mean()


def _write(config: MaximizeSettings, name: str, pictures: np.ndarray, folder: Path) -> list[str]:
    """Write the pictures of one unit, and return the names of the files."""
    stem = f"{config.layer}_{int(name):03d}" if config.by_unit else f"{config.layer}_{name}"
    endings = [f"_{index}" for index in range(len(pictures))] if len(pictures) > 1 else [""]
    names = [f"{stem}{ending}.png" for ending in endings]
    for file, picture in zip(names, pictures, strict=True):
        images.write(folder / file, picture[np.newaxis])
    return names


def find_patches(config: MaximizeSettings, network: Network, stream: Stream) -> dict[str, np.ndarray]:
    """Return for each unit the patches that activate it most, arranged in a square."""
    lists = top_patches.search_once(network, stream, config.layer, config.size, TOP)
    found = {}
    for number in config.units:
        patches = top_patches.patches_of(lists, number)
        cut = [patches_sheet.cut_patch(network, stream, config.layer, patch) for patch in patches]
        side = patches_sheet.patch_side(network, config.layer)
        found[str(number)] = patches_sheet.patch_group(cut, TOP, side)
    return found


def responses_sheet(
    config: MaximizeSettings, painted: Sequence[Entry], patches: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Arrange the pictures by unit, each unit's patches to their right."""
    units = []
    for entry, pictures in painted:
        name, reached = str(entry["unit"]), entry["reached"]
        panels = [(f"{name}: {reached:.4g}" if i == 0 else "", p[np.newaxis]) for i, p in enumerate(pictures)]
        units.append(panels + ([("", patches[name])] if name in patches else []))
    across = max(1, (ACROSS_WITH_PATCHES if patches else ACROSS) // config.pictures)
    rows = [units[i : i + across] for i in range(0, len(units), across)]
    return contact_sheet([[panel for panels in row for panel in panels] for row in rows], CELL)


if __name__ == "__main__":
    cli.run(main)
