"""Activation maximisation: a picture that activates a unit, found by optimisation from noise.

The method of Erhan et al. 2009 with the priors of Olah, Mordvintsev & Schubert 2017 ("Feature visualization",
Distill). The optimised variable is the spectrum of the picture, scaled by 1/f as in natural pictures, in
colour channels that are uncorrelated in natural pictures. A random shift before each step keeps the picture
from adapting to the grid of the pooling layers.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nst_jax.errors import UserError
from nst_jax.losses.variation import total_variation
from nst_jax.networks.network import Network
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.optimizers.state import NOT_FINITE

# Square root of the colour covariance of natural pictures, from the code of Olah et al., divided by the norm
# of its longest column. The columns are lightness, blue to yellow, and green to magenta.
COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOURS /= np.linalg.norm(COLOURS, axis=0).max()
CONTRAST = 3.0  # factor before the sigmoid; with it, noise of unit variance covers most of [0,1]
START_CONTRAST = 0.5  # of the initial noise: enough for most units to fire somewhere
# Added to activations, whose scale is about 100, before taking their logarithm.
LOG_OFFSET = 1e-3
MOST_EVALUATIONS = 100  # limit per step; only a line search takes more than one


class UnitTarget(NamedTuple):
    """The inputs of the objective of one step, besides the network and the picture."""

    unit: Int[Array, ""]
    shift: Int[Array, "2"]  # rows and columns
    tv_weight: Float[Array, ""]


def maximize(
    optimizer: Optimizer,
    network: Network,
    target: UnitTarget,
    learning_rate: float,
    size: int,
    steps: int,
    jitter: int,
    seed: int,
) -> tuple[Float[np.ndarray, "1 h w 3"], Float[np.ndarray, "1 h w 3"]]:
    """Return the initial noise and the picture after `steps`; `optimizer` minimises `unit_objective(layer)`.

    Shifts are uniform in [-jitter, jitter] pixels and wrap around at the borders.

    Raises:
        UserError: the loss became non-finite.
    """
    noise, shifts = jax.random.split(jax.random.key(seed))
    spectrum = START_CONTRAST * jax.random.normal(noise, (1, size, size, 3))
    state = optimizer.start(network, target, spectrum, jnp.float32(learning_rate))
    for step, shift in enumerate(jax.random.randint(shifts, (steps + 1, 2), -jitter, jitter + 1)):
        shifted = target._replace(shift=shift)
        state = optimizer.advance(network, shifted, state, jnp.int32(step), jnp.int32(MOST_EVALUATIONS))
    if int(state.status) == NOT_FINITE:
        raise UserError(
            f"optimizer.learning_rate: {learning_rate} makes the loss non-finite after step {int(state.step)}"
        )
    return np.asarray(picture(spectrum)), np.asarray(picture(state.image))


def unit_objective(layer: str) -> Callable[[Network, UnitTarget, Array], tuple[Array, dict[str, Array]]]:
    """Return the loss and its terms: the unit's mean activation, and weighted total variation.

    The loss is minus the log of the activation, a mean over all positions, plus `tv_weight` times the
    variation. The logarithm makes one weight suit all units, whatever their scale. The variation is divided
    by the number of values, so that it does not depend on the size.
    """

    def loss(
        network: Network, target: UnitTarget, spectrum: Float[Array, "1 h w 3"]
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        image = jnp.roll(picture(spectrum), target.shift, (1, 2))
        variation = total_variation(image) / image.size
        mean = mean_activation(network, image, layer, target.unit)
        value = target.tv_weight * variation - jnp.log(mean + LOG_OFFSET)
        return value, {"activation": mean, "tv": variation}

    return loss


def mean_activation(
    network: Network, image: Float[Array, "1 h w 3"], layer: str, unit: Int[Array, ""]
) -> Float[Array, ""]:
    """Return the mean over the map of one unit."""
    return network(image, (layer,))[layer][..., unit].mean()


def picture(spectrum: Float[Array, "1 h w 3"]) -> Float[Array, "1 h w 3"]:
    """Convert a Hartley spectrum, which is real, to a picture in [0,1] RGB.

    White noise of variance 1 becomes noise with a 1/f spectrum; before colours and the sigmoid, its variance
    is 1.
    """
    height, width = spectrum.shape[1:3]
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
    # Frequency 0, the mean of the picture, is scaled like the lowest other frequency.
    scale = 1 / np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    scale /= np.sqrt(np.square(scale).mean())
    values = hartley(spectrum * scale.astype(np.float32)[:, :, None])
    return jax.nn.sigmoid(CONTRAST * values @ COLOURS.T)


def hartley(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Apply the discrete Hartley transform, a real counterpart of Fourier's, which is its own inverse."""
    transformed = jnp.fft.fft2(x, axes=(1, 2), norm="ortho")
    return transformed.real - transformed.imag
