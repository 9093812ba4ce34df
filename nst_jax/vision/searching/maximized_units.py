"""Pictures painted to activate the units that a report shows, as by configs/maximize.py."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image
from tqdm import tqdm

from nst_jax import images
from nst_jax.networks.network import Network
from nst_jax.vision.maximizing.maximize_settings import MARGIN, MaximizeSettings
from nst_jax.vision.maximizing.response_painter import ResponsePainter
from nst_jax.vision.searching.search_report import Report
from nst_jax.vision.searching.search_settings import TopPatchesSettings
from nst_jax.vision.searching.top_patches import empty_lists

FOLDER = "maximized"
ACTIVATION = "activation"  # the key in the text of a picture


class MaximizedUnit(NamedTuple):
    """A picture of a unit, and the unit's largest activation at any position of it."""

    file: str  # relative to the folder of the search
    activation: float


def maximize_units(report: Report, folder: Path) -> dict[tuple[str, int], MaximizedUnit]:
    """Paint a picture for each shown unit, if `settings.maximized`; return them by layer and unit.

    Pictures that an interrupted run has left in `folder` are not painted again.

    Raises:
        UserError: the pictures do not fit into memory, or the folder cannot be written.
    """
    if not report.settings.maximized:
        return {}
    painted = {}
    total = sum(len(report.shown(layer)) for layer in report.settings.layers)
    with tqdm(total=total, desc="maximized", unit=" pictures", dynamic_ncols=True) as bar:
        for layer in report.settings.layers:
            painter = None
            for unit in report.shown(layer):
                file = f"{FOLDER}/{layer}/{unit}.png"
                if not (folder / file).exists():
                    painter = painter or ResponsePainter(report.network, _painting(report.settings, layer))
                    one_hot = np.arange(len(report.lists[layer].image)) == unit
                    found = painter.paint(one_hot.astype(np.float32))
                    images.write(folder / file, found.pictures, {ACTIVATION: repr(found.peak)})
                with Image.open(folder / file) as picture:
                    painted[layer, unit] = MaximizedUnit(file, float(picture.info[ACTIVATION]))
                bar.update()
    return painted


def maximizing_work(network: Network, settings: TopPatchesSettings) -> float:
    """Return the work of the steps of `maximize_units`, in images of the search.

    The operations of both programs are counted, except for the motions of the pictures.
    """
    if not settings.maximized:
        return 0.0
    side = settings.maximized + 2 * MARGIN
    lists = empty_lists(network, settings.layers, settings.size, 1)
    steps = 0.0
    for layer in settings.layers:
        (count,) = _painting(settings, layer).optimizer.steps_by_scale(1)
        gradient = jax.grad(lambda x, f, layer=layer: f(x, (layer,))[layer].sum())
        units = len(settings.shown_of(layer, len(lists[layer].image)))
        steps += units * count * _operations(gradient, network, side)
    return steps / _operations(lambda x, f: f(x, settings.layers), network, settings.size)


def _operations(function: Any, network: Network, side: int) -> float:
    picture = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    cost: Any = jax.jit(function).lower(picture, network).cost_analysis()
    return cost["flops"]


def _painting(settings: TopPatchesSettings, layer: str) -> MaximizeSettings:
    return MaximizeSettings(layer=layer, size=settings.maximized, network=settings.network)
