"""Optical flow between two frames: which position of one shows what a position of the other shows.

A flow of shape `h w 2` holds offsets (rows, columns): what a frame shows at x is at x + flow(x) in the other.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from skimage.color import rgb2gray
from skimage.registration import optical_flow_tvl1

from nst_jax.errors import UserError

Flow = Float[np.ndarray, "h w 2"]
Frame = UInt8[np.ndarray, "h w 3"]
# Of TV-L1, with a median filter before each warp. At half of it, scikit-image's default, a patch a third as
# high as the picture, which moves by three pixels over a textured ground, is given the motion of the ground.
ATTACHMENT = 30
FLO_TAG = 202021.25  # the first number of a Middlebury .flo file
MOST_SIDE = 1 << 16


def tvl1(frame: Frame, other: Frame) -> Flow:
    """Total variation with an L1 data term (Zach, Pock & Bischof 2007), of scikit-image: slow."""
    grays = rgb2gray(frame), rgb2gray(other)
    offsets = optical_flow_tvl1(*grays, attachment=ATTACHMENT, prefilter=True, dtype=np.float32)
    return np.moveaxis(offsets, 0, -1)


def dis(frame: Frame, other: Frame) -> Flow:
    """Dense inverse search (Kroeger et al. 2016), of OpenCV, with its medium preset: fast."""
    import cv2

    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grays = (cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY) for picture in (frame, other))
    return search.calc(*grays, None)[..., ::-1]  # columns come first there


FLOWS: dict[str, Callable[[Frame, Frame], Flow]] = {"tvl1": tvl1, "dis": dis}


def flow_named(name: str) -> str:
    """Return the estimator that `name` stands for: 'auto' is 'dis' where OpenCV is installed, else 'tvl1'.

    Raises:
        UserError: it is 'dis', but OpenCV is not installed.
    """
    installed = importlib.util.find_spec("cv2") is not None
    if name == "dis" and not installed:
        raise UserError("video.flow: dis needs a package: pip install opencv-python-headless; or use tvl1")
    return ("dis" if installed else "tvl1") if name == "auto" else name


def read_flo(path: Path) -> Flow:
    """Return the flow in a Middlebury .flo file (columns and rows as float32, little-endian).

    Raises:
        UserError: it is not such a file, or is damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"video.flow: {path}: cannot be read: {error.strerror}") from error
    if len(content) < 12 or np.frombuffer(content[:4], "<f4")[0] != np.float32(FLO_TAG):
        raise UserError(f"video.flow: {path}: is not a .flo file")
    width, height = (int(side) for side in np.frombuffer(content[4:12], "<i4"))
    if not (0 < width < MOST_SIDE and 0 < height < MOST_SIDE and len(content) == 12 + 8 * width * height):
        raise UserError(f"video.flow: {path}: is damaged: {len(content)} bytes for {width} x {height} pixels")
    return np.frombuffer(content[12:], "<f4").reshape(height, width, 2)[..., ::-1].astype(np.float32)
