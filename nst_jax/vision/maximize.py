"""What a unit wants: a picture that makes it fire, found by optimisation, with none to begin from.

Activation maximisation after Erhan et al. 2009, with the priors of Olah, Mordvintsev & Schubert 2017
("Feature visualization", Distill): the variable is not the pixels but their spectrum, scaled by 1/f as
natural pictures' are, in colours that are uncorrelated in natural pictures; and the picture is shifted at
random before each step, so that it cannot come to serve the pooling's grid instead of the unit.
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

# The square root of the colours' covariance in natural pictures, as in Olah et al.'s code: columns are light,
# blue to yellow, green to magenta. Divided by its longest column.
COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOURS /= np.linalg.norm(COLOURS, axis=0).max()
CONTRAST = 3.0  # multiplies colours before the sigmoid; a spectrum of ones then fills most of [0,1]
START_CONTRAST = 0.5  # of the noise begun from: enough for most units to fire somewhere
# Added to activations, whose scale is about 100, before their logarithm is taken.
SILENCE = 1e-3
MOST_EVALUATIONS = 100  # of a step, whose line search is the only one to take more than one


class UnitTarget(NamedTuple):
    """What the objective of one step depends on besides the network and the picture."""

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
    """The initial picture of noise and the one after `steps`; `optimizer` minimises `unit_objective(layer)`.

    Shifts are uniform within `jitter` pixels either way, around the picture's ends.

    Raises:
        UserError: the loss stopped being finite.
    """
    noise, shifts = jax.random.split(jax.random.key(seed))
    spectrum = START_CONTRAST * jax.random.normal(noise, (1, size, size, 3))
    first, *others = jax.random.randint(shifts, (steps + 1, 2), -jitter, jitter + 1)
    state = optimizer.start(network, target._replace(shift=first), spectrum, jnp.float32(learning_rate))
    for step, shift in enumerate(others, 1):
        shifted = target._replace(shift=shift)
        state = optimizer.advance(network, shifted, state, jnp.int32(step), jnp.int32(MOST_EVALUATIONS))
    if int(state.status) == NOT_FINITE:
        raise UserError(
            f"optimizer.learning_rate: {learning_rate} makes the loss not finite after step {int(state.step)}"
        )
    return np.asarray(picture(spectrum)), np.asarray(picture(state.image))


def unit_objective(layer: str) -> Callable[[Network, UnitTarget, Array], Array]:
    """Minus the logarithm of the unit's mean activation over all positions, plus weighted total variation.

    The logarithm lets one `tv_weight` serve all units, whatever their scale. Total variation is the mean
    square, `total_variation` over the number of values, so that it does not depend on the size.
    """

    def loss(network: Network, target: UnitTarget, spectrum: Float[Array, "1 h w 3"]) -> Float[Array, ""]:
        image = jnp.roll(picture(spectrum), target.shift, (1, 2))
        variation = total_variation(image) / image.size
        mean = mean_activation(network, image, layer, target.unit)
        return target.tv_weight * variation - jnp.log(mean + SILENCE)

    return loss


def mean_activation(
    network: Network, image: Float[Array, "1 h w 3"], layer: str, unit: Int[Array, ""]
) -> Float[Array, ""]:
    """The mean of one unit's map."""
    return network(image, (layer,))[layer][..., unit].mean()


def picture(spectrum: Float[Array, "1 h w 3"]) -> Float[Array, "1 h w 3"]:
    """A real spectrum, a cosine and sine of each frequency in one number, as a picture in [0,1] RGB.

    White noise of variance 1 becomes noise of amplitudes 1/f and, before colours and the sigmoid, variance 1.
    """
    height, width = spectrum.shape[1:3]
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
    # The mean of the picture, at frequency 0, is scaled as the lowest frequency is.
    scale = 1 / np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    scale /= np.sqrt(np.square(scale).mean())
    values = hartley(spectrum * scale.astype(np.float32)[:, :, None])
    return jax.nn.sigmoid(CONTRAST * values @ COLOURS.T)


def hartley(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """The discrete Hartley transform of rows and columns, its own inverse: Fourier's, but real."""
    transformed = jnp.fft.fft2(x, axes=(1, 2), norm="ortho")
    return transformed.real - transformed.imag
