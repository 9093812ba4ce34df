"""Pictures as spectra in decorrelated colours: the variable of activation maximisation.

Olah, Mordvintsev & Schubert 2017 ("Feature visualization", Distill), "Preconditioning": in this basis, a step
of gradient descent changes all frequencies and colours by what is usual for natural pictures.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Square root of the colour covariance of natural pictures, from the code of Olah et al., divided by the norm
# of its longest column. The columns are lightness, blue to yellow, and green to magenta.
COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOURS /= np.linalg.norm(COLOURS, axis=0).max()


def picture(
    spectrum: Float[Array, "n h w 3"],
    contrast: float | Float[Array, ""],
    finest: float | Float[Array, ""] = 0.0,
) -> Float[Array, "n h w 3"]:
    """Convert Hartley spectra, which are real, to pictures in [0,1] RGB.

    White noise of variance 1 becomes noise with a 1/f spectrum, in which details smaller than about `finest`
    pixels are suppressed; before colours and the sigmoid, its standard deviation is `contrast`.
    """
    height, width = spectrum.shape[1:3]
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
    # Frequency 0, the mean of the picture, is scaled like the lowest other frequency.
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width)).astype(np.float32)
    scale = jnp.exp(-jnp.square(finest * frequency)) / frequency
    scale /= jnp.sqrt(jnp.square(scale).mean())
    values = hartley(spectrum * scale[:, :, None])
    return jax.nn.sigmoid(contrast * values @ COLOURS.T)


def hartley(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Apply the discrete Hartley transform, a real counterpart of Fourier's, which is its own inverse."""
    transformed = jnp.fft.fft2(x, axes=(1, 2), norm="ortho")
    return transformed.real - transformed.imag
