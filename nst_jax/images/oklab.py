"""The OkLab colour space: lightness L, and A and B for the hue and how strong it is.

Ottosson 2020, https://bottosson.github.io/posts/oklab. Distances correspond to perceived differences.
"""

import numpy as np
from jaxtyping import Float

RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
# The published inverses are rounded.
LAB_TO_LMS, LMS_TO_RGB = np.linalg.inv(LMS_TO_LAB), np.linalg.inv(RGB_TO_LMS)


def to_oklab(linear: Float[np.ndarray, "*_ 3"]) -> Float[np.ndarray, "*_ 3"]:
    """Return the OkLab colours of `linear` RGB."""
    return np.cbrt(linear @ RGB_TO_LMS.T) @ LMS_TO_LAB.T


def from_oklab(lab: Float[np.ndarray, "*_ 3"]) -> Float[np.ndarray, "*_ 3"]:
    """Return the linear RGB of OkLab colours, which may lie outside [0, 1]."""
    return (lab @ LAB_TO_LMS.T) ** 3 @ LMS_TO_RGB.T
