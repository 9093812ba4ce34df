"""Line plots, as pictures for sheets."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from nst_jax.figures.lettering import drawable, font_file

XY = tuple[float | int, float | int]

SIZE = (5.6, 3.2)  # inches
DPI = 100  # of raster images
HEIGHT = round(SIZE[1] * DPI)  # of raster images, pixels


def line_plot(series: Mapping[str, Sequence[XY]], across: str, up: str = "", marker: str = "") -> Any:
    """Return a matplotlib figure with one line per named series, and a legend; `marker` is at each point."""
    from matplotlib.figure import Figure  # imported here: it takes half a second, and few commands plot
    from matplotlib.font_manager import FontProperties

    figure = Figure(SIZE, DPI, layout="constrained")
    axes = figure.add_subplot(xlabel=across, ylabel=up)
    for name, points in series.items():
        # matplotlib reads $ as mathematics and hides labels that begin with an underscore.
        label = " " + drawable(name).replace("$", r"\$")
        axes.plot(
            *zip(*points, strict=True) if points else ((), ()), label=label, linewidth=1.5, marker=marker
        )
    axes.set_ylim(bottom=0)
    axes.grid(color="#dddddd")
    legend = axes.legend(fontsize="small", ncols=math.ceil(len(series) / 12))
    for name, text in zip(series, legend.get_texts(), strict=True):
        if not name.isascii() and (file := font_file(name)):
            text.set_fontproperties(FontProperties(fname=file, size="small"))
    return figure


def as_picture(figure: Any) -> Float[np.ndarray, "1 h w 3"]:
    """Return the figure as a raster image, `HEIGHT` pixels high."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), np.float32)[np.newaxis, :, :, :3] / 255
