"""What units of a network respond to, from Python."""

from collections.abc import Sequence
from typing import Any

from absl import logging
from PIL import Image

from nst_jax.config.named import read_config
from nst_jax.config.overriding import override
from nst_jax.errors import UserError
from nst_jax.images.writing import to_bytes
from nst_jax.vision.searching.patches_drawn import read_pictures
from nst_jax.vision.searching.patches_report import tiles_of
from nst_jax.vision.searching.patches_sheet import units_sheet
from nst_jax.vision.searching.search import SearchPass
from nst_jax.vision.searching.search_file import start
from nst_jax.vision.searching.search_inputs import search_inputs
from nst_jax.vision.searching.search_report import Report
from nst_jax.vision.searching.search_settings import top_patches_settings

# Fields of what only the command writes, besides the sheet.
OF_THE_COMMAND = ("quantiles", "sample", "export", "photos", "maximized", "labels", "checkpoint_seconds")


def top_patches(
    layer: str, units: Sequence[int] = (), data: str = "sample:", config: str = "top_patches", **fields: Any
) -> Image.Image:
    """Return a sheet of the patches of `data` that activate each unit most, beside their projections.

    `units` are numbers of units of `layer`, by default 24 evenly spaced ones. `data` is `folder:PATH`,
    `tfds:NAME:SPLIT`, or `sample:` for the bundled photographs. Other `fields` are those of
    configs/top_patches.py, with two underscores for nested ones; those that concern the command alone, such
    as `export`, have no effect, which is logged. After Zeiler & Fergus 2013, Fig 2.

    Raises:
        UserError: a field is unknown or invalid, no picture can be read, or the layer lacks a unit.
    """
    if "layers" in fields:
        raise UserError("layers: nst_jax.top_patches draws one layer, its first argument")
    changes = {name.replace("__", "."): value for name, value in fields.items()}
    changes |= {"layers": (layer,), "data": data, **({"units": list(units)} if units else {})}
    changes["quantiles"] = ()
    settings = top_patches_settings(override(read_config(config), changes))
    if idle := [name for name in OF_THE_COMMAND if name in fields]:
        logging.warning("%s: no effect on the sheet, but on nst_jax.experiments.top_patches", ", ".join(idle))
    stream, network, weights, classifier, names = search_inputs(settings)
    searched = SearchPass(network, stream, settings, start(network, settings, len(stream)), classifier)
    for _ in searched.positions(len(stream)):
        pass
    report = Report(settings, network, stream, searched.now().lists, weights.name, names)
    return Image.fromarray(to_bytes(units_sheet(tiles_of(report, layer, read_pictures(report)))[0]))
