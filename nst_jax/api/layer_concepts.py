"""Concepts of a layer, from Python."""

import dataclasses
from functools import partial
from typing import Any

import numpy as np
from absl import logging
from PIL import Image

from nst_jax.api.results import png_bytes
from nst_jax.config import fields as settings_fields
from nst_jax.config.named import read_config
from nst_jax.config.overriding import override
from nst_jax.images.writing import to_bytes
from nst_jax.vision.concepts.concept_inputs import concept_inputs
from nst_jax.vision.concepts.concept_report import report_concepts
from nst_jax.vision.concepts.concept_search import ConceptPass, ConceptProgress, find_concepts
from nst_jax.vision.concepts.concept_settings import ConceptSettings


@dataclasses.dataclass(frozen=True, repr=False)
class Concepts:
    """Concepts of a layer; a notebook shows their sheet.

    `directions` has a row of length 1 for each concept and a column for each channel; `shares` are those of
    the squared activation that each explains. `record` is what concepts.json of the command holds: the
    patches of each concept, and its importance if there is a `target`. `maps` has more pictures that are
    bright where each concept is.
    """

    directions: np.ndarray
    shares: np.ndarray
    sheet: Image.Image
    maps: Image.Image
    record: dict[str, Any]

    def __repr__(self) -> str:
        return f"Concepts({len(self.shares)} of {self.record['layer']}, {self.shares.sum():.0%} explained)"

    def _repr_png_(self) -> bytes:
        return png_bytes(self.sheet)


def concepts(layer: str, data: str = "sample:", config: str = "concepts", **fields: Any) -> Concepts:
    """Return the concepts of `layer` in pictures: directions of which its activations are sums.

    `data` is `folder:PATH`, `tfds:NAME:SPLIT`, or `sample:` for the bundled photographs. Other `fields` are
    those of configs/concepts.py, with two underscores for nested ones: `concepts` is their number, and
    `target="class:285"` measures how important they are for a class. After Fel et al. 2023, "CRAFT".

    Raises:
        UserError: a field is unknown or invalid, no picture can be read, or there are fewer channels or
            positions than concepts.
    """
    changes = {name.replace("__", "."): value for name, value in fields.items()}
    values = override(read_config(config), {**changes, "layer": layer, "data": data})
    settings = settings_fields.from_config(ConceptSettings, values)
    if "checkpoint_seconds" in fields:
        logging.warning("checkpoint_seconds: no effect, but on nst_jax.experiments.concepts")
    stream, network, _, classifier, names = concept_inputs(settings)
    found, _ = find_concepts(network, stream, settings, partial(_to_the_end, len(stream)))
    report = report_concepts(network, stream, settings, found.state, classifier, names)
    sheet, maps = (Image.fromarray(to_bytes(picture[0])) for picture in (report.sheet, report.maps))
    return Concepts(report.directions, report.shares, sheet, maps, report.record)


def _to_the_end(images: int, running: ConceptPass) -> tuple[ConceptProgress, int]:
    for _ in running.positions(images):
        pass
    return running.now(), 0
