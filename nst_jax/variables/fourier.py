"""Spectra in decorrelated colours.

Olah, Mordvintsev & Schubert 2017 ("Feature visualization", Distill), "Preconditioning": in this basis, a step
of gradient descent changes all frequencies and colours by what is usual for natural pictures.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax.variables.variable import Canvas, Variable

# Square root of the colour covariance of natural pictures, from the code of Olah et al., divided by the norm
# of its longest column. The columns are lightness, blue to yellow, and green to magenta.
COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOURS /= np.linalg.norm(COLOURS, axis=0).max()
DARKEST = 1e-3  # what is darker is encoded as this, and white likewise: the sigmoid reaches neither 0 nor 1
SMALLEST_SCALE = 1e-3  # frequencies below are suppressed, and not encoded


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FourierBasis:
    """The scales of a spectrum."""

    contrast: Any  # standard deviation before the sigmoid, for a spectrum of white noise of variance 1
    finest: Any  # pixels: details that are smaller are suppressed; 0 for no limit
    height: int = dataclasses.field(metadata={"static": True})  # of a picture, pixels
    width: int = dataclasses.field(metadata={"static": True})


def fourier(contrast: float = 1.0, finest: float = 0.0) -> Variable:
    """The variable of one picture, or of several of the same size, whose spectra lie one below the other."""

    def init(canvas: Canvas) -> FourierBasis:
        return FourierBasis(jnp.float32(contrast), jnp.float32(finest), *canvas.size)

    return Variable(init, to_spectrum, from_spectrum)


def from_spectrum(basis: FourierBasis, spectrum: Float[Any, "1 rows w 3"]) -> Float[Array, "n h w 3"]:
    """Convert Hartley spectra, which are real, to pictures in [0,1] RGB.

    White noise becomes noise with a 1/f spectrum.
    """
    spectra = spectrum.reshape(-1, basis.height, basis.width, 3)
    values = hartley(spectra * _scale(basis)[:, :, None])
    return jax.nn.sigmoid(basis.contrast * values @ COLOURS.T)


def to_spectrum(basis: FourierBasis, pictures: Float[Any, "n h w 3"]) -> Float[Array, "1 rows w 3"]:
    """Return the spectra of pictures, but for the details that `from_spectrum` suppresses."""
    values = decorrelated(pictures) / basis.contrast
    scale = _scale(basis)[:, :, None]
    spectra = jnp.where(scale > SMALLEST_SCALE, hartley(values) / scale, 0)
    return spectra.reshape(1, -1, basis.width, 3)


def decorrelated(pictures: Float[Any, "*n h w 3"]) -> Float[Array, "*n h w 3"]:
    """Return [0,1] RGB pictures before the sigmoid, in components that natural pictures do not correlate."""
    clipped = jnp.clip(pictures, DARKEST, 1 - DARKEST)
    return jnp.log(clipped / (1 - clipped)) @ np.linalg.inv(COLOURS.T)


def hartley(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Apply the discrete Hartley transform, a real counterpart of Fourier's, which is its own inverse."""
    transformed = jnp.fft.fft2(x, axes=(1, 2), norm="ortho")
    return transformed.real - transformed.imag


def _scale(basis: FourierBasis) -> Float[Array, "h w"]:
    """The amplitude of each frequency: 1/f, with a root mean square of 1."""
    rows, columns = jnp.fft.fftfreq(basis.height)[:, None], jnp.fft.fftfreq(basis.width)
    # Frequency 0, the mean of the picture, is scaled like the lowest other frequency.
    lowest = 1 / max(basis.height, basis.width)
    frequency = jnp.maximum(jnp.hypot(rows, columns), lowest)  # not in NumPy: a constant of a picture's size
    scale = jnp.exp(-jnp.square(basis.finest * frequency)) / frequency
    return scale / jnp.sqrt(jnp.square(scale).mean())
