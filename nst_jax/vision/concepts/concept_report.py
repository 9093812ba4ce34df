"""What is told of concepts, as data and as pictures: for the command, and for Python."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from nst_jax.images.streams import Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network
from nst_jax.vision.concepts.concept_importance import Importance, importance
from nst_jax.vision.concepts.concept_pictures import paint_directions, show_patches
from nst_jax.vision.concepts.concept_search import Survey
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.concepts.concepts_sheet import concept_rows, concepts_sheet, maps_sheet


class ConceptReport(NamedTuple):
    """Concepts in the order of their share of the sampled positions."""

    record: dict[str, Any]  # the contents of concepts.json
    sheet: Float[np.ndarray, "1 _ _ 3"]
    maps: Float[np.ndarray, "1 _ _ 3"]
    directions: Float[np.ndarray, "concepts channels"]
    shares: Float[np.ndarray, "concepts"]


def report_concepts(
    network: Network,
    stream: Stream,
    settings: ConceptSettings,
    found: Survey,
    classifier: Classifier | None = None,
    names: Sequence[str] = (),
) -> ConceptReport:
    """Measure what is important, read the pictures of the patches, and maximise a picture for each concept.

    Raises:
        UserError: a picture of the search is missing, or a maximised picture does not fit into memory.
    """
    W = np.asarray(found.directions)
    scored = importance(network, classifier, stream, settings, jnp.asarray(W)) if classifier else None
    shown = show_patches(network, stream, settings, found)
    painted = paint_directions(network, settings, W) if settings.steps else []
    rows = concept_rows(found, shown, scored, painted)
    record = {
        "layer": settings.layer,
        "explained": float(found.shares.sum()),
        "importance": _scores(settings, scored, names) if scored else None,
        "concepts": rows,
    }
    sheet = concepts_sheet(network, settings, rows, shown, painted)
    return ConceptReport(record, sheet, maps_sheet(rows, shown), W, found.shares)


def _scores(settings: ConceptSettings, scored: Importance, names: Sequence[str]) -> dict[str, Any]:
    """What importance is about: the class, and how much of its score the concepts alone keep."""
    labels, counts = np.unique(scored.label, return_counts=True)
    return {
        "target": settings.target,
        "pictures": len(scored.label),
        "classes": {names[label]: int(count) for label, count in zip(labels, counts, strict=True)},
        "score": float(scored.score.mean()),
        "score_of_concepts": float(scored.of_concepts.mean()),
    }
