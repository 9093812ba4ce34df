"""Sensitivity of a network to occlusion of parts of the picture (Zeiler & Fergus 2013, Fig 7).

    python -m nst_jax.experiments.occlusion --config=configs/occlusion.py --workdir=runs/occlusion

Writes sheet.png: (a) the picture, with the outline of the square where the activity of the map is lowest;
(b) the summed activity of the map by position of the square; (c) the projection of the map from the whole
picture; and, if the weights include a classifier, (d) the probability of the correct class and (e) the most
probable class. occlusion.csv holds the values, one line per position (row and column of the square's centre,
in pixels), and maps.npz the arrays. config.json and run.json record the settings and the machine.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from nst_jax import cli, files, images
from nst_jax.errors import UserError
from nst_jax.networks.classifier import Classifier, ClassifierWeights
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.runs.machine import environment, peak_memory_bytes
from nst_jax.vision import deconvnet, framing
from nst_jax.vision.activations import require_activations
from nst_jax.vision.classes import classifier_behind
from nst_jax.vision.labels import AUTO, class_names
from nst_jax.vision.probing import occlusion, occlusion_report
from nst_jax.vision.probing.occlusion import MOST_PROBABLE, OcclusionSettings
from nst_jax.weights import load_network


def main(argv: list[str]) -> int:
    """Slide the square over the picture, and write the sheet and the values."""
    return cli.run_experiment(argv, OcclusionSettings, __doc__ or "", "configs/occlusion.py", _run)


def _run(settings: OcclusionSettings, folder: Path) -> None:
    began = time.monotonic()
    picture = images.read(settings.image)
    picture = framing.framed(picture, framing.middle(*picture.shape[1:3]), settings.size)
    network, weights = load_network(settings.network, (settings.layer,))
    require_activations(network, (settings.layer,), settings.size, settings.batch)
    classifier, class_weights = _classifier(settings, network)
    names = class_names(settings.labels, class_weights.classes) if class_weights else ()
    image = jnp.asarray(picture)
    intact = occlusion.look(network, classifier, image, settings.layer)
    unit, label = intact.chosen_unit(settings.unit), intact.chosen_label(settings.label)
    maps = occlusion.slide(network, classifier, image, settings, unit, label)
    projection = np.asarray(deconvnet.project_map(network, image, settings.layer, jnp.array([unit])))
    sheet = occlusion_report.occlusion_sheet(settings, picture, maps, projection, unit, label, names)
    images.write(folder / "sheet.png", sheet)
    files.write_text(folder / "occlusion.csv", occlusion_report.occlusion_table(settings, maps))
    files.write_bytes(folder / "maps.npz", occlusion_report.arrays(settings, maps, projection))
    files.write_json(folder / "config.json", dataclasses.asdict(settings))
    record = {
        "status": "done",
        "unit": unit,
        "label": label if classifier else None,
        "class": names[label] if classifier else None,
        "whole_picture": intact.figures(unit, label),
        "wall_seconds": round(time.monotonic() - began, 3),
    }
    files.write_json(folder / "run.json", record | _environment(weights, class_weights))
    seen = f", {names[label]} with probability {intact.probabilities[label]:.2f}" if names else ""
    print(f"{folder / 'sheet.png'}: {settings.layer}, unit {unit}{seen}, network {weights.name}")


def _classifier(
    settings: OcclusionSettings, network: Network
) -> tuple[Classifier, ClassifierWeights] | tuple[None, None]:
    """Load the classifier of the network; it is optional unless `label` or `labels` is set."""
    try:
        return classifier_behind(network, settings.network, settings.size)
    except UserError as reason:
        if settings.label != MOST_PROBABLE or settings.labels != AUTO:
            raise
        print(f"skipping maps d and e: {reason}")
        return None, None


def _environment(weights: Weights, class_weights: ClassifierWeights | None) -> dict[str, Any]:
    return {
        "network": {"name": weights.name, "arch": weights.arch, "sha256": weights.sha256},
        "classifier": class_weights and {"name": class_weights.name, "sha256": class_weights.sha256},
        "peak_memory_bytes": peak_memory_bytes(),
        **environment(),
    }


if __name__ == "__main__":
    cli.run(main)
