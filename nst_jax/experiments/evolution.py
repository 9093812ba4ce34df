"""Evolution of features during training (Zeiler & Fergus 2013, Fig 4).

    python -m nst_jax.experiments.evolution --config=configs/evolution.py --workdir=runs/evolution

Writes sheet.png, with a row per unit and a column per checkpoint. Each cell is the projection of the unit's
strongest activation, cropped to its receptive field. evolution.json holds the image and position of each.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax import cli, files, images
from nst_jax.figures.sheets import contact_sheet
from nst_jax.images.streams import Stream
from nst_jax.networks import receptive
from nst_jax.networks.convnet import build_network
from nst_jax.vision.deconvnet import MID_GRAY
from nst_jax.vision.probing import evolution
from nst_jax.vision.probing.evolution import EvolutionSettings, UnitView
from nst_jax.weights import resolve

CELL = 176  # pixels

Evolution = Mapping[str, Mapping[int, UnitView | None]]  # checkpoint -> unit


def main(argv: list[str]) -> int:
    """Search every checkpoint, and write the sheet and evolution.json."""
    return cli.run_experiment(argv, EvolutionSettings, __doc__ or "", "configs/evolution.py", _run)


def _run(settings: EvolutionSettings, folder: Path) -> None:
    stream = Stream(settings.data, settings.size, settings.limit)
    by_checkpoint = {name: _view_units(name, stream, settings) for name in settings.weights}
    rows = [_row(name, unit, view) for name, views in by_checkpoint.items() for unit, view in views.items()]
    files.write_json(folder / "evolution.json", rows)
    images.write(folder / "sheet.png", _sheet(by_checkpoint, settings))
    summary = f"{settings.layer}, {len(settings.units)} units in {len(by_checkpoint)} checkpoints"
    print(f"{folder / 'sheet.png'}: {summary}")


def _view_units(name: str, stream: Stream, settings: EvolutionSettings) -> dict[int, UnitView | None]:
    weights = resolve(name, settings.network.arch, settings.needed())
    network = build_network(weights, pool=settings.network.pool)
    return evolution.see_units(network, stream, settings)


def _row(name: str, unit: int, view: UnitView | None) -> dict[str, Any]:
    strongest = {"image": view.image, "activation": view.activation, "box": view.box} if view else None
    return {"weights": name, "unit": unit, "strongest": strongest}


def _sheet(by_checkpoint: Evolution, settings: EvolutionSettings) -> np.ndarray:
    labels = {name: Path(name).stem for name in by_checkpoint}
    if len(set(labels.values())) < len(labels):  # files of the same name in different folders
        labels = {name: name for name in by_checkpoint}
    rows = [
        [(f"{unit}: {labels[name]}", _cell(views[unit], settings)) for name, views in by_checkpoint.items()]
        for unit in settings.units
    ]
    return contact_sheet(rows, CELL)


def _cell(view: UnitView | None, settings: EvolutionSettings) -> np.ndarray:
    """Return the projection, enlarged with square pixels if it is small; gray if the unit never fired."""
    side = receptive.field_side(settings.geometry(), settings.layer)
    picture = view.projection if view else np.full((1, side, side, 3), MID_GRAY, np.float32)
    factor = -(-CELL // side)
    return picture.repeat(factor, axis=1).repeat(factor, axis=2)


if __name__ == "__main__":
    cli.run(main)
