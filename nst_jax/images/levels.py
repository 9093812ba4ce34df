"""Which samples are black and which are white; tone mapping for pictures of high dynamic range."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from absl import logging
from jaxtyping import Float, Float32, Shaped

from nst_jax.errors import UserError
from nst_jax.images.srgb import srgb_encoded

Scaling: TypeAlias = Callable[[np.ndarray], np.ndarray]

# White levels, for types that do not imply one. Not 14 bits: a dark picture of 16 bits may have no more.
_WHOLE_WHITES = (255, 1023, 4095, 65535, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)
_FLOAT_WHITES = (255, 65535)  # of whole numbers that were stored as floats
_OVERSHOOT = 1.5  # by which floats may exceed white, after resampling
_MOST_CLIPPED = 0.01  # the share of the samples that may be above white
_JUDGED = 1_000_000  # samples from which a distribution is judged
_BAND = 10_000_000  # samples converted at a time
_KEY = 0.18  # what the geometric mean of a scene is mapped to
# The brightest over the geometric mean: about 3 for a photo in sRGB, 10 for its linear light.
_LOW_RANGE = 6
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear RGB


def to_unit(
    samples: Shaped[np.ndarray, "h w c"], source: str, stated_white: float | None = None, factor: int = 1
) -> Float32[np.ndarray, "h2 w2 c"]:
    """Scale samples of any real type to [0, 1], and reduce each side by `factor`.

    White is the largest value of the type, unless the file states a white level, or the samples do not come
    near white: then it is guessed, with a warning. Samples below 0 are scaled from their extremes.

    Raises:
        ValueError: some samples are not finite.
        UserError: the samples are not real numbers.
    """
    if samples.dtype.kind not in "buif":
        raise UserError(f"{source}: values of type {samples.dtype} are not a picture")
    scaled = _scaling(samples, source, stated_white)
    rows = max(1, _BAND // max(1, samples[:factor].size)) * factor  # a band at a time, to save memory
    bands = [samples[top : top + rows] for top in range(0, len(samples), rows)]
    return np.concatenate([_block_means(scaled(band), factor) for band in bands])


def _scaling(samples: np.ndarray, source: str, stated_white: float | None) -> Scaling:
    """The function that scales any part of `samples`."""
    lowest, highest = float(samples.min()), float(samples.max())
    is_float = samples.dtype.kind == "f"
    if not max(-lowest, highest) <= np.finfo(np.float32).max:
        raise ValueError("some pixels are not finite numbers")
    if samples.dtype == bool:
        return _linear(0.0, 1.0)
    if lowest < (-highest / 10 if is_float else 0):  # floats may undershoot
        logging.warning(
            "%s: its values go from %.6g to %.6g; taken as black and white", source, lowest, highest
        )
        return _linear(lowest, highest)
    if stated_white is not None and highest <= stated_white:
        if is_float or stated_white < 1:
            return _linear(0.0, max(stated_white, 1.0))
        return _linear(0.0, 2.0 ** int(stated_white).bit_length() - 1)  # the largest of as many bits
    if not is_float:
        return _linear(0.0, _whole_white(samples.dtype, highest, source))
    white = _float_white(samples, highest, source)
    return _linear(0.0, white) if white else _tone_mapping(samples, source)


def _linear(black: float, white: float) -> Scaling:
    def scaled(samples: np.ndarray) -> np.ndarray:
        # In float64: integers of 32 bits have more digits than float32 keeps.
        unit = (samples.astype(np.float64) - black) / max(white - black, 1e-30)
        return np.clip(unit, 0, 1).astype(np.float32)

    return scaled


def _block_means(values: Float32[np.ndarray, "h w c"], factor: int) -> Float32[np.ndarray, "h2 w2 c"]:
    """Means of blocks of `factor` x `factor`; those at the edges may be smaller."""
    for axis in (0, 1) if factor > 1 else ():
        starts = np.arange(0, values.shape[axis], factor)
        counts = np.diff(starts, append=values.shape[axis]).astype(np.float32)
        values = np.add.reduceat(values, starts, axis) / np.expand_dims(counts, (1 - axis, 2))
    return values


def _whole_white(dtype: np.dtype, highest: float, source: str) -> float:
    full = float(np.iinfo(dtype).max)
    if dtype.itemsize == 1 or highest == 0:
        return full
    white = float(min(full, next(scale for scale in _WHOLE_WHITES if highest <= scale)))
    if white != full:
        bits = f"{8 * dtype.itemsize} bits"
        logging.warning("%s: its %s hold at most %.6g; white is taken as %.6g", source, bits, highest, white)
    return white


def _float_white(samples: np.ndarray, highest: float, source: str) -> float:
    """The white level of floats; 0 for a high dynamic range."""
    if highest <= _OVERSHOOT:
        return 1.0
    judged = samples.reshape(-1)[:: max(1, samples.size // _JUDGED)].astype(np.float64)
    above, bright = float((judged > 1).mean()), float(np.quantile(judged, 1 - _MOST_CLIPPED))
    if (judged == np.rint(judged)).all():
        white = float(next((scale for scale in _WHOLE_WHITES if highest <= scale), highest))
    elif above <= _MOST_CLIPPED:
        logging.warning("%s: %.2g %% of its values exceed 1 and are clipped to white", source, 100 * above)
        return 1.0
    else:
        plausible = (s for s in _FLOAT_WHITES if highest <= _OVERSHOOT * s and bright >= s / 4)
        white = float(next(plausible, highest if highest <= _LOW_RANGE * _geometric_mean(judged) else 0))
    if white:
        logging.warning("%s: its floats go up to %.6g; white is taken as %.6g", source, highest, white)
    return white


def _tone_mapping(samples: Float[np.ndarray, "h w c"], source: str) -> Scaling:
    """Map linear light of any range to sRGB; the hue is kept.

    Reinhard et al. 2002, "Photographic tone reproduction for digital images", equations 1, 2 and 4.
    """
    luminance = _luminance(samples)
    white, exposure = float(luminance.max()), _KEY / _geometric_mean(luminance)
    logging.warning(
        "%s: high dynamic range, up to %.4g; tone-mapped as linear light (Reinhard 2002, key %g)",
        *(source, white, _KEY),
    )

    def mapped(samples: np.ndarray) -> np.ndarray:
        relative = _luminance(samples) / white
        gain = exposure * (1 + relative / (exposure * white)) / (1 + exposure * white * relative)
        return srgb_encoded(np.clip(samples * gain[..., np.newaxis], 0, 1)).astype(np.float32)

    return mapped


def _luminance(samples: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w"]:
    light = np.maximum(samples, 0).astype(np.float64)
    return light @ _LUMINANCE if light.shape[-1] == 3 else light.mean(-1)


def _geometric_mean(values: Float[np.ndarray, "*_"]) -> float:
    """The geometric mean; blacks count as a millionth of the brightest."""
    # The logarithm of 0 would take the mean with it.
    return float(np.exp(np.log(np.maximum(values, values.max() * 1e-6)).mean()))
