"""The report of concepts: a sheet, a sheet of maps, and rows for concepts.json."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from nst_jax.figures.sheets import contact_sheet
from nst_jax.networks.network import Network
from nst_jax.vision.concepts.concept_importance import Importance
from nst_jax.vision.concepts.concept_pictures import Shown
from nst_jax.vision.concepts.concept_search import Survey
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.maximizing.response_painter import UnitPictures
from nst_jax.vision.searching.patches_sheet import patch_group, patch_side

HEIGHT, MAP_HEIGHT = 270, 180  # of the pictures on the sheets, pixels
MAPS = 4  # on the sheet, the others are on the sheet of maps
CHANNELS = 5  # the strongest of a direction, in a row of concepts.json


def concept_rows(
    found: Survey,
    shown: Sequence[Sequence[Shown]],
    scored: Importance | None = None,
    painted: Sequence[UnitPictures] = (),
) -> list[dict[str, Any]]:
    """Return what concepts.json says of each concept."""
    rows = []
    for concept, (direction, share) in enumerate(zip(found.directions, found.shares, strict=True)):
        strongest = np.argsort(-direction, kind="stable")[:CHANNELS].tolist()
        row: dict[str, Any] = {
            "concept": concept,
            "share": float(share),
            "channels": [{"channel": each, "weight": float(direction[each])} for each in strongest],
        }
        if scored:
            row["gradient"] = float(scored.gradient[:, concept].mean())
            row["sobol"] = None if scored.sobol is None else float(scored.sobol[:, concept].mean())
        if painted:
            row["maximized"] = {"start": painted[concept].start, "reached": painted[concept].reached}
        row["patches"] = [
            {
                "image": each.frame.name,
                "activation": each.patch.activation,
                "row": each.patch.row,
                "column": each.patch.column,
                "box": list(each.frame.to_source(each.box)),
            }
            for each in shown[concept]
        ]
        rows.append(row)
    return rows


def concepts_sheet(
    network: Network,
    settings: ConceptSettings,
    rows: Sequence[dict[str, Any]],
    shown: Sequence[Sequence[Shown]],
    painted: Sequence[UnitPictures] = (),
) -> Float[np.ndarray, "1 _ _ 3"]:
    """Arrange a row for each concept: its patches, its maximised picture, and pictures bright where it is."""
    side = min(patch_side(network, settings.layer), settings.size)
    lines = []
    for row, its in zip(rows, shown, strict=True):
        concept = row["concept"]
        group = patch_group([each.cut for each in its], settings.top, side)
        line = [(f"{concept}: {row['share']:.1%} of the activation", group)]
        if painted:
            line.append(("maximised", painted[concept].pictures[:1]))
        line += [("", each.lit) for each in its[:MAPS]]
        if "gradient" in row and its:
            line[-min(MAPS, len(its))] = (_importance(row), its[0].lit)
        lines.append(line)
    return contact_sheet(lines, HEIGHT)


def maps_sheet(rows: Sequence[dict[str, Any]], shown: Sequence[Sequence[Shown]]) -> np.ndarray:
    """Arrange all pictures of each concept, bright where it is, in a row."""
    firing = [(row["concept"], its) for row, its in zip(rows, shown, strict=True) if its]
    lines = [[("" if i else f"{concept}", each.lit) for i, each in enumerate(its)] for concept, its in firing]
    return contact_sheet(lines, MAP_HEIGHT)


def _importance(row: dict[str, Any]) -> str:
    sobol = "" if row["sobol"] is None else f", Sobol {row['sobol']:.2f}"
    return f"gradient {row['gradient']:.3g}{sobol}"
