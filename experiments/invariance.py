"""What shifting, scaling and turning pictures does to their features (Zeiler & Fergus 2013, Fig 5).

    python -m experiments.invariance --config=configs/invariance.py --workdir=runs/invariance

Writes invariance.csv, a line per picture and transform: the Euclidean distance of its features at the low
and at the high layer to the unchanged picture's, and P(true class) where `classes` are given; and sheet.png
with the transforms and the curves.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from absl import flags

from nst_jax import chart, cli, fields, files, images, report, stylize
from nst_jax.vision import framing, invariance
from nst_jax.vision.invariance import Settings, Transform

EXAMPLES = 4  # transformed pictures at the head of each row
UNITS = {"shift": "pixels down", "scale": "factor", "rotation": "degrees counterclockwise"}
Measured = Mapping[str, Mapping[str, np.ndarray]]  # kind -> image -> "amounts columns"


def main(argv: list[str]) -> int:
    """Measure every picture under every transform, and write the table and the sheet."""
    values = flags.FlagValues()
    cli.define_config(values, argv)
    flags.DEFINE_string("workdir", "runs/invariance", "where the results go", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    cli.use_compilation_cache()
    settings, folder = fields.from_config(Settings, cli.config_value(values)), Path(values.workdir)
    pictures = {name: _picture(name, settings.size) for name in settings.images}
    network, weights = stylize.load_network(settings.network, settings.needed())
    targets = dict(zip(settings.images, invariance.targets(network, settings), strict=True))
    measured = {
        kind: {
            name: invariance.measure(network, targets[name], picture, list(transforms.values()), settings)
            for name, picture in pictures.items()
        }
        for kind, transforms in settings.transforms().items()
    }
    files.write_bytes(folder / "invariance.csv", table(settings, measured).encode())
    images.write(folder / "sheet.png", sheet(settings, measured, next(iter(pictures.values()))))
    print(f"{folder / 'sheet.png'}: {len(pictures)} pictures, network {weights.name}")
    return 0


def _picture(name: str, size: int) -> np.ndarray:
    picture = images.read(name)
    return framing.framed(picture, framing.middle(*picture.shape[1:3]), size)


def table(settings: Settings, measured: Measured) -> str:
    """CSV text: a line per transform, image and amount."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["transform", "image", "amount", *settings.columns()])
    for kind, transforms in settings.transforms().items():
        for name, lines in measured[kind].items():
            for amount, line in zip(transforms, lines, strict=True):
                rows.writerow([kind, name, amount, *(f"{value:.6g}" for value in line)])
    return text.getvalue()


def sheet(settings: Settings, measured: Measured, picture: np.ndarray) -> np.ndarray:
    """A row for each kind of transform: examples of it on one picture, then each column's curves."""
    rows = []
    for kind, transforms in settings.transforms().items():
        row = _examples(kind, transforms, picture, settings.padding)
        for column, title in enumerate(settings.columns()):
            curves = {
                name: list(zip(transforms, lines[:, column].tolist(), strict=True))
                for name, lines in measured[kind].items()
            }
            row.append((title, chart.chart(curves, UNITS[kind])))
        rows.append(row)
    return report.contact_sheet(rows, chart.HEIGHT)


def _examples(
    kind: str, transforms: Mapping[float, Transform], picture: np.ndarray, padding: str
) -> list[tuple[str, np.ndarray]]:
    amounts = list(transforms)
    chosen = [amounts[i] for i in np.linspace(0, len(amounts) - 1, EXAMPLES).round().astype(int)]
    return [
        (f"{kind} {amount:g}", np.asarray(invariance.warp(picture, transforms[amount], padding)))
        for amount in chosen
    ]


if __name__ == "__main__":
    cli.run(main)
