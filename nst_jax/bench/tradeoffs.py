"""Trade-off curves: the distance to the style against that to the content, over content weights."""

from collections.abc import Sequence

import numpy as np

Curve = Sequence[tuple[float, float]]  # (distance to the content, distance to the style) in any order


def log_ratio(curve: Curve, other: Curve) -> float | None:
    """Return the mean of ln(style / other's style) over the range of content that both curves cover.

    This is the area between the curves, on a logarithmic scale of style and per unit of content: -0.1 says
    that at the same distance to the photo, `curve` is 10 % nearer to the painting. Between points, logarithms
    are interpolated linearly. None if the curves share no range.
    """
    (content, style), (other_content, other_style) = _sorted(curve), _sorted(other)
    low, high = max(content[0], other_content[0]), min(content[-1], other_content[-1])
    if not low < high:
        return None
    knots = np.unique([low, high, *content, *other_content])
    knots = knots[(low <= knots) & (knots <= high)]
    difference = np.interp(knots, content, style) - np.interp(knots, other_content, other_style)
    return float(np.trapezoid(difference, knots) / (high - low))


def _sorted(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """The contents in rising order, and the logarithms of the styles."""
    content, style = np.array(sorted(curve), float).T
    return content, np.log(style)
