"""What units come to see as a network learns (Zeiler & Fergus 2013, Fig 4).

    python -m experiments.evolution --config=configs/evolution.py --workdir=runs/evolution

Writes sheet.png, a row per unit and a column per checkpoint, each cell the projection of the unit's
strongest activation, cut to its receptive field; and evolution.json with what fired each unit, and where.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax import cli, files, images
from nst_jax.figures.sheets import contact_sheet
from nst_jax.images.streams import Stream
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.vision import evolution
from nst_jax.vision.deconvnet import MID_GRAY
from nst_jax.vision.evolution import EvolutionSettings, Seen
from nst_jax.weights import resolve

CELL = 176  # pixels

Evolution = Mapping[str, Mapping[int, Seen | None]]  # checkpoint -> unit


def main(argv: list[str]) -> int:
    """Look through every checkpoint, and write the sheet and what it shows."""
    settings, folder = cli.parse_experiment(argv, EvolutionSettings, __doc__ or "", "configs/evolution.py")
    cli.use_compilation_cache()
    stream = Stream(settings.data, settings.size, settings.limit)
    seen: Evolution = {name: _look(name, stream, settings) for name in settings.weights}
    rows = [_line(name, unit, of_unit) for name, units in seen.items() for unit, of_unit in units.items()]
    files.write_json(folder / "evolution.json", rows)
    images.write(folder / "sheet.png", _sheet(seen, settings))
    print(f"{folder / 'sheet.png'}: {settings.layer}, {len(settings.units)} units in {len(seen)} checkpoints")
    return 0


def _look(name: str, stream: Stream, settings: EvolutionSettings) -> dict[int, Seen | None]:
    weights = resolve(name, settings.network.arch, settings.needed())
    network = architecture(weights.arch).build(weights, settings.network.pool, "auto", "float32")
    return evolution.see_units(network, stream, settings)


def _line(name: str, unit: int, seen: Seen | None) -> dict[str, Any]:
    found = {"image": seen.image, "activation": seen.activation, "box": seen.box} if seen else None
    return {"weights": name, "unit": unit, "strongest": found}


def _sheet(seen: Evolution, settings: EvolutionSettings) -> np.ndarray:
    labels = {name: Path(name).stem for name in seen}
    if len(set(labels.values())) < len(labels):  # checkpoints of one name in several folders
        labels = {name: name for name in seen}
    rows = [
        [(f"{unit}: {labels[name]}", _cell(units[unit], settings)) for name, units in seen.items()]
        for unit in settings.units
    ]
    return contact_sheet(rows, CELL)


def _cell(seen: Seen | None, settings: EvolutionSettings) -> np.ndarray:
    """The projection, small ones with each pixel as a square; gray where the unit never fired."""
    side = receptive.field_side(settings.geometry(), settings.layer)
    picture = seen.projection if seen else np.full((1, side, side, 3), MID_GRAY, np.float32)
    times = -(-CELL // side)
    return picture.repeat(times, axis=1).repeat(times, axis=2)


if __name__ == "__main__":
    cli.run(main)
