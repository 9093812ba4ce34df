"""What units of a network respond to, from Python."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from PIL import Image

from nst_jax.config.named import read_config
from nst_jax.config.overriding import override
from nst_jax.errors import UserError
from nst_jax.images.streams import Stream
from nst_jax.images.writing import to_bytes
from nst_jax.vision.patches_report import draw
from nst_jax.vision.patches_sheet import units_sheet
from nst_jax.vision.search_report import Report
from nst_jax.vision.search_settings import top_patches_settings
from nst_jax.vision.top_patches import empty_lists, numbers, step
from nst_jax.weights import load_network


def top_patches(
    layer: str, units: Sequence[int] = (), data: str = "sample:", config: str = "top_patches", **fields: Any
) -> Image.Image:
    """Return a sheet of the patches of `data` that activate each unit most, beside their projections.

    `units` are numbers of units of `layer`, by default 24 evenly spaced ones. `data` is `folder:PATH`,
    `tfds:NAME:SPLIT`, or `sample:` for the bundled photographs. Other `fields` are those of
    configs/top_patches.py, with two underscores for nested ones; those on quantiles and export concern the
    command alone. After Zeiler & Fergus 2013, Fig 2.

    Raises:
        UserError: a field is unknown or invalid, no picture can be read, or the layer lacks a unit.
    """
    changes = {name.replace("__", "."): value for name, value in fields.items()}
    changes |= {"layers": (layer,), "data": data, **({"units": list(units)} if units else {})}
    settings = top_patches_settings(override(read_config(config), changes))
    network, weights = load_network(settings.network, settings.layers)
    lists = empty_lists(network, settings.layers, settings.size, settings.top)
    settings.units_of(layer, len(lists[layer].image))  # raises if a unit does not exist
    stream = Stream(
        settings.data, settings.size, settings.limit, settings.shuffle, settings.seed, settings.workers
    )
    count = 0
    for batch in stream.batches(settings.batch):
        lists, _ = step(network, lists, jnp.asarray(batch.pixels), numbers(batch))
        count += len(batch.frames)
    if not count:
        raise UserError(f"data: {data!r} has no readable picture")
    tiles = draw(Report(settings, network, stream, jax.device_get(lists), weights.name), layer)
    return Image.fromarray(to_bytes(units_sheet(tiles)[0]))
