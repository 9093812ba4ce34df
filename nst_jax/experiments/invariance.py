"""Invariance of features to shifts, scaling and rotation of the picture (Zeiler & Fergus 2013, Fig 5).

    python -m nst_jax.experiments.invariance --config=configs/invariance.py --workdir=runs/invariance

Writes invariance.csv, with one line per picture and transform: the Euclidean distance between the features of
the transformed and the original picture at the low and the high layer, and P(true class) if `classes` are
given. Also writes sheet.png with examples of the transforms and the curves.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nst_jax import cli, files, images
from nst_jax.figures import plots
from nst_jax.figures.sheets import contact_sheet
from nst_jax.vision import framing
from nst_jax.vision.probing import invariance
from nst_jax.vision.probing.invariance import InvarianceSettings, Transform
from nst_jax.weights import load_network

EXAMPLES = 4  # transformed pictures at the start of each row
UNITS = {"shift": "pixels down", "scale": "factor", "rotation": "degrees counterclockwise"}
Measured = Mapping[str, Mapping[str, np.ndarray]]  # kind -> image -> "amounts columns"


def main(argv: list[str]) -> int:
    """Measure every picture under every transform, and write the table and the sheet."""
    return cli.run_experiment(argv, InvarianceSettings, __doc__ or "", "configs/invariance.py", _run)


def _run(settings: InvarianceSettings, folder: Path) -> None:
    pictures = {name: _picture(name, settings.size) for name in settings.images}
    network, weights = load_network(settings.network, settings.layers())
    targets = dict(zip(settings.images, invariance.targets(network, settings), strict=True))
    measured = {
        kind: {
            name: invariance.measure_invariance(
                network, targets[name][0], picture, list(transforms.values()), settings
            )
            for name, picture in pictures.items()
        }
        for kind, transforms in settings.transforms().items()
    }
    files.write_text(folder / "invariance.csv", distances_table(settings, measured))
    titles = {name: ": ".join(filter(None, (name, label))) for name, (_, label) in targets.items()}
    images.write(
        folder / "sheet.png", curves_sheet(settings, measured, next(iter(pictures.values())), titles)
    )
    print(f"{folder / 'sheet.png'}: {len(pictures)} pictures, network {weights.name}")


def _picture(name: str, size: int) -> np.ndarray:
    picture = images.read(name)
    return framing.framed(picture, framing.middle(*picture.shape[1:3]), size)


def distances_table(settings: InvarianceSettings, measured: Measured) -> str:
    """Return CSV text with one line per transform, image and amount."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["transform", "image", "amount", *settings.columns()])
    for kind, transforms in settings.transforms().items():
        for name, lines in measured[kind].items():
            for amount, line in zip(transforms, lines, strict=True):
                rows.writerow([kind, name, amount, *(f"{value:.6g}" for value in line)])
    return text.getvalue()


def curves_sheet(
    settings: InvarianceSettings, measured: Measured, picture: np.ndarray, titles: Mapping[str, str]
) -> np.ndarray:
    """Draw a row per kind of transform: examples on one picture, then the curves of each column.

    `titles` name the curve of each image.
    """
    rows = []
    for kind, transforms in settings.transforms().items():
        row = _examples(kind, transforms, picture, settings.padding)
        for column, title in enumerate(settings.columns()):
            curves = {
                titles[name]: list(zip(transforms, lines[:, column].tolist(), strict=True))
                for name, lines in measured[kind].items()
            }
            row.append((title, plots.as_picture(plots.line_plot(curves, UNITS[kind]))))
        rows.append(row)
    return contact_sheet(rows, plots.HEIGHT)


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
