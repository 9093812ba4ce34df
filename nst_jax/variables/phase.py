"""Phases of a spectrum whose magnitude is that of natural photographs.

MACO (Fel et al. 2023, arXiv 2306.06805), section 4: an optimiser that can change only the phases cannot add
the high frequencies that fool a network, so that no other regularisation is needed. Colours are decorrelated
as in fourier.py.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax.errors import UserError
from nst_jax.variables.fourier import COLOURS, decorrelated
from nst_jax.variables.variable import Canvas, Variable


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PhaseBasis:
    """The magnitudes of a real spectrum, "h w//2+1 3", and the number of columns, which they do not tell."""

    magnitude: Any
    width: int = dataclasses.field(metadata={"static": True})


def phase(magnitude: Float[Any, "h _ 3"]) -> Variable:
    """The variable of pictures of one size, with the spectral `magnitude` of `natural_magnitude`.

    Phases of several pictures lie one below the other.
    """

    def init(canvas: Canvas) -> PhaseBasis:
        height, width = canvas.size
        if magnitude.shape[:2] != (height, width // 2 + 1):
            raise UserError(f"spectrum: magnitudes {magnitude.shape} are not of a {height} x {width} picture")
        return PhaseBasis(jnp.asarray(magnitude, jnp.float32), width)

    return Variable(init, to_phases, from_phases)


def natural_magnitude(pictures: Iterable[Float[Any, "h w 3"]]) -> Float[np.ndarray, "h _ 3"]:
    """Return the mean magnitude of the spectra of photographs of the same size, in decorrelated colours."""
    total: Any = 0.0
    for number, picture in enumerate(pictures, 1):
        spectrum = np.fft.rfft2(decorrelated(picture), axes=(0, 1))
        total = total + (np.abs(spectrum) - total) / number  # the mean so far
    return np.asarray(total, np.float32)


def from_phases(basis: PhaseBasis, phases: Float[Any, "1 rows f 3"]) -> Float[Array, "n h w 3"]:
    """Convert phases, in radians once standardised, to pictures in [0,1] RGB."""
    height = basis.magnitude.shape[0]
    angles = _standardized(phases.reshape(-1, height, *phases.shape[2:]))
    spectra = basis.magnitude * jnp.exp(1j * angles)
    values = jnp.fft.irfft2(spectra, s=(height, basis.width), axes=(1, 2))
    return jax.nn.sigmoid(_standardized(values) @ COLOURS.T)


def to_phases(basis: PhaseBasis, pictures: Float[Any, "n h w 3"]) -> Float[Array, "1 rows f 3"]:
    """Return the phases of pictures, in (-pi, pi]; `from_phases` replaces their magnitudes and spread."""
    angles = jnp.angle(jnp.fft.rfft2(decorrelated(pictures), axes=(1, 2)))
    return angles.reshape(1, -1, *angles.shape[2:])


def _standardized(x: Float[Any, "n h w 3"]) -> Float[Array, "n h w 3"]:
    """Each picture with mean 0 and variance 1."""
    centred = x - x.mean((1, 2, 3), keepdims=True)
    return centred / (jnp.sqrt(jnp.square(centred).mean((1, 2, 3), keepdims=True)) + 1e-6)
