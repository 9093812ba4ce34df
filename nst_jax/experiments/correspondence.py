"""Do the same object parts have the same effect in different pictures? (Zeiler & Fergus 2013, Table 1)

    python -m nst_jax.experiments.correspondence --config=configs/correspondence.py

Masks each part in every picture, and compares the signs of the resulting feature changes between all pairs of
pictures. Prints the table, with one row per part and one for random masks. Writes correspondence.csv,
correspondence.json (mean, spread and the value of each pair), and sheet.png with the masked pictures.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax import cli, files, images
from nst_jax.figures.sheets import contact_sheet
from nst_jax.images.streams import Box
from nst_jax.vision.probing import correspondence, masks
from nst_jax.vision.probing.correspondence import CorrespondenceSettings
from nst_jax.weights import load_network

Changes = Mapping[tuple[str, str], np.ndarray]  # (part, layer) -> pairs


def main(argv: list[str]) -> int:
    """Measure the correspondence of all parts, and write the table and the sheet."""
    return cli.run_experiment(argv, CorrespondenceSettings, __doc__ or "", "configs/correspondence.py", _run)


def _run(settings: CorrespondenceSettings, folder: Path) -> None:
    pictures = masks.read_masks(settings.masks, settings.size)
    network, weights = load_network(settings.network, settings.layers)
    covered = correspondence.boxes(pictures, settings.draws, settings.seed)
    changes = correspondence.measure_correspondence(network, pictures, covered, settings.layers)
    rows = summary(changes)
    files.write_text(folder / "correspondence.csv", csv_table(rows))
    files.write_json(folder / "correspondence.json", rows)
    images.write(folder / "sheet.png", masked_sheet(pictures, covered))
    print(text_table(rows, settings.layers))
    print(f"{folder / 'sheet.png'}: {len(pictures)} pictures, network {weights.name}")


def summary(changes: Changes) -> list[dict[str, Any]]:
    """Return the mean and standard deviation over the pairs, for each part and layer."""
    return [
        {
            "part": part,
            "layer": layer,
            "mean": float(pairs.mean()),
            "spread": float(pairs.std()),
            "pairs": pairs.tolist(),
        }
        for (part, layer), pairs in changes.items()
    ]


def csv_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return CSV text with one line per part and layer; the column `pairs` is the number of pairs."""
    text = io.StringIO()
    lines = csv.DictWriter(text, ["part", "layer", "mean", "spread", "pairs"], lineterminator="\n")
    lines.writeheader()
    lines.writerows({**row, "pairs": len(row["pairs"])} for row in rows)
    return text.getvalue()


def text_table(rows: Sequence[Mapping[str, Any]], layers: Sequence[str]) -> str:
    """Return the paper's table: a row per part, a column per layer, mean and spread of the sign changes."""
    cells = {(row["part"], row["layer"]): f"{row['mean']:.4f} +- {row['spread']:.4f}" for row in rows}
    parts = list(dict.fromkeys(part for part, _ in cells))
    lines = [f"{'masked':16}" + "".join(f"{layer:>20}" for layer in layers)]
    lines += [f"{part:16}" + "".join(f"{cells[part, layer]:>20}" for layer in layers) for part in parts]
    return "\n".join(lines)


def masked_sheet(
    pictures: Sequence[masks.Marked], covered: Mapping[str, Sequence[Sequence[Box]]]
) -> np.ndarray:
    """Draw a row per picture: unmasked, with each part masked, and with the first of the random masks."""
    return contact_sheet(
        [
            [(marked.name, marked.picture)]
            + [(part, masks.masked(marked, lists[0][index])) for part, lists in covered.items()]
            for index, marked in enumerate(pictures)
        ]
    )


if __name__ == "__main__":
    cli.run(main)
