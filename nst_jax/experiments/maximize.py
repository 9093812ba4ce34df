"""Activation maximisation: pictures that activate units, found by optimisation from noise.

    python -m nst_jax.experiments.maximize --config=configs/maximize.py --workdir=runs/maximize
    python -m nst_jax.experiments.maximize --config=configs/maximize.py:phase --config.layer=conv4_1

Writes the pictures of each unit, all of them combined as sheet.png, and maximize.json with the mean response
to the initial noise and to the pictures, and the largest response at any position. With
`--config.data=folder:PHOTOS`, the sheet shows the patches of these photographs that activate each unit most
beside its picture, and how much larger the largest response to the picture is than that to the top patch.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from PIL import Image

from nst_jax import cli, files, images
from nst_jax.figures.sheets import contact_sheet
from nst_jax.images.streams import Stream
from nst_jax.images.writing import to_bytes
from nst_jax.networks.network import Network, entering
from nst_jax.vision.maximizing.maximize_settings import MaximizeSettings
from nst_jax.vision.maximizing.response_painter import ResponsePainter, UnitPictures, over_white, width
from nst_jax.vision.searching import patches_sheet, top_patches
from nst_jax.weights import load_network

ACROSS, ACROSS_WITH_PATCHES = 6, 4  # units per row of the sheet
TOP = 9  # patches of each unit
CELL = 200  # height of a row of the sheet, pixels

Units = list[tuple[dict[str, Any], UnitPictures]]  # entries of maximize.json


def main(argv: list[str]) -> int:
    """Paint the pictures of each unit, and write them, sheet.png and maximize.json."""
    return cli.run_experiment(argv, MaximizeSettings, __doc__ or "", "configs/maximize.py", _run)


def _run(config: MaximizeSettings, folder: Path) -> None:
    network, weights = load_network(config.network, (config.layer,))
    if entering(network, config.layer) == config.layer:
        logging.info("layer: %s has no ReLU; its output itself is maximised", config.layer)
    directions = config.directions(width(network, config.layer))
    stream = Stream(config.data, config.size, config.limit) if config.data else None
    if stream:
        stream.require_readable()  # before anything is written
    painted = _paint_all(config, network, directions, folder)
    patches = _compare(config, network, stream, [entry for entry, _ in painted]) if stream else {}
    images.write(folder / "sheet.png", responses_sheet(config, painted, patches))
    record = {
        "network": {"name": weights.name, "arch": weights.arch, "sha256": weights.sha256},
        "config": dataclasses.asdict(config),
        "units": [entry for entry, _ in painted],
    }
    files.write_json(folder / "maximize.json", record)
    silent = sum(never_fires(entry) for entry, _ in painted)
    never = f", {silent} of which never fire" if silent else ""
    print(f"{folder / 'sheet.png'}: {len(painted)} x {config.layer}{never}, network {weights.name}")


def _paint_all(
    config: MaximizeSettings, network: Network, directions: Mapping[str, np.ndarray], folder: Path
) -> Units:
    """Paint what `directions` activate, and write each picture at once."""
    painter = ResponsePainter(network, config)
    units = []
    for name, direction in directions.items():
        painted = painter.paint(direction)
        names = _write(config, name, painted, folder)
        values = {"start": painted.start, "reached": painted.reached, "peak": painted.peak}
        units.append(({"unit": name, **values, "pictures": names}, painted))
        print(f"{folder / names[0]}: mean response {painted.start:.4g} -> {painted.reached:.4g}", flush=True)
        if never_fires(units[-1][0]):
            logging.warning("%s: unit %s never fires: its picture leaves it silent", config.layer, name)
    return units


def never_fires(entry: Mapping[str, Any]) -> bool:
    """Whether the pictures of a unit leave it silent at every position."""
    return max(entry["peak"], entry["reached"]) <= 0


def _write(config: MaximizeSettings, name: str, painted: UnitPictures, folder: Path) -> list[str]:
    """Write the pictures of one unit, and return the names of the files."""
    stem = f"{config.layer}_{int(name):03d}" if config.by_unit else f"{config.layer}_{name}"
    endings = [f"_{index}" for index in range(config.pictures)] if config.pictures > 1 else [""]
    for index, ending in enumerate(endings):
        images.write(folder / f"{stem}{ending}.png", painted.pictures[index : index + 1])
        if painted.opacity is not None:
            picture = Image.fromarray(to_bytes(painted.pictures[index]))
            picture.putalpha(Image.fromarray(np.uint8(np.rint(255 * painted.opacity[index, :, :, 0]))))
            with files.atomic(folder / f"{stem}{ending}_transparent.png") as temporary:
                picture.save(temporary, format="PNG")
    return [f"{stem}{ending}.png" for ending in endings]


def _compare(
    config: MaximizeSettings, network: Network, stream: Stream, entries: Sequence[dict[str, Any]]
) -> dict[str, np.ndarray]:
    """Return the patches that activate each unit most, arranged in a square, and add to its entry how much.

    `ratio` is that of the largest response to the pictures to the response to the top patch.
    """
    lists = top_patches.search_once(network, stream, config.layer, config.size, TOP)
    patches = {}
    for entry in entries:
        top = top_patches.patches_of(lists, int(entry["unit"]))
        cut = [patches_sheet.cut_patch(network, stream, config.layer, patch) for patch in top]
        side = patches_sheet.patch_side(network, config.layer)
        patches[entry["unit"]] = patches_sheet.patch_group(cut, TOP, side)
        entry["top_patch"] = top[0].activation if top else 0.0
        entry["ratio"] = entry["peak"] / top[0].activation if top else None
    return patches


def responses_sheet(
    config: MaximizeSettings, painted: Units, patches: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Arrange the pictures by unit, each unit's patches to their right."""
    units = []
    for entry, (pictures, opacity, *_) in painted:
        shown = pictures if opacity is None else over_white(pictures, opacity)
        labels = [_label(entry), *[""] * (len(shown) - 1)]
        panels = [(label, p[np.newaxis]) for label, p in zip(labels, shown, strict=True)]
        units.append(panels + ([("", patches[entry["unit"]])] if entry["unit"] in patches else []))
    across = max(1, (ACROSS_WITH_PATCHES if patches else ACROSS) // config.pictures)
    rows = [units[i : i + across] for i in range(0, len(units), across)]
    return contact_sheet([[panel for panels in row for panel in panels] for row in rows], CELL)


def _label(entry: Mapping[str, Any]) -> str:
    if never_fires(entry):
        return f"{entry['unit']}: never fires"
    ratio = f", {entry['ratio']:.1f} x top patch" if entry.get("ratio") else ""
    return f"{entry['unit']}: {entry['reached']:.4g}{ratio}"


if __name__ == "__main__":
    cli.run(main)
