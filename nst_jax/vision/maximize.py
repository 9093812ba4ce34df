"""Activation maximisation: pictures that activate a unit, a channel, a layer or a direction, from noise.

The method of Erhan et al. 2009 with the priors of Olah, Mordvintsev & Schubert 2017 ("Feature visualization",
Distill): a spectrum in decorrelated colours (fourier.py), moved a little before each step (transforms.py).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from nst_jax.errors import UserError
from nst_jax.losses.terms.tv import total_variation
from nst_jax.networks.network import Network
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.optimizers.state import NOT_FINITE
from nst_jax.vision.fourier import picture
from nst_jax.vision.objectives import OBJECTIVES, log_response, similarity
from nst_jax.vision.transforms import Motion, MotionRange, moved, random_motions

MOST_EVALUATIONS = 100  # limit per step; only a line search takes more than one


class Regularisation(NamedTuple):
    """What keeps pictures natural: weights of penalties, and the scales of `fourier.picture`."""

    tv: Float[Array, ""]  # weights are relative to the logarithm of the response
    diversity: Float[Array, ""]
    contrast: Float[Array, ""]
    finest: Float[Array, ""]  # pixels


class Wanted(NamedTuple):
    """The inputs of the loss of one step, besides the network and the spectra."""

    direction: Float[Array, "c"]
    motion: Motion
    weights: Regularisation


class Painted(NamedTuple):
    """Pictures before and after the optimisation."""

    noise: Float[np.ndarray, "n h w 3"]
    pictures: Float[np.ndarray, "n h w 3"]


def paint_responses(
    optimizer: Optimizer,
    network: Network,
    direction: Float[Array, "c"],
    weights: Regularisation,
    spectra: Float[Array, "n s s 3"],
    within: MotionRange,
    learning_rate: float,
    steps: int,
    key: PRNGKeyArray,
) -> Painted:
    """Optimise `spectra` together; `optimizer` minimises `response_loss` for as many pictures.

    Raises:
        UserError: the loss became non-finite.
    """
    motions = random_motions(key, steps + 1, within)
    stacked = spectra.reshape(1, -1, *spectra.shape[2:])  # the optimiser holds one array
    first = Wanted(direction, Motion(*(part[0] for part in motions)), weights)
    state = optimizer.start(network, first, stacked, jnp.float32(learning_rate))
    for step in range(steps + 1):
        wanted = first._replace(motion=Motion(*(part[step] for part in motions)))
        state = optimizer.advance(network, wanted, state, jnp.int32(step), jnp.int32(MOST_EVALUATIONS))
    if int(state.status) == NOT_FINITE:
        raise UserError(
            f"optimizer.learning_rate: {learning_rate} makes the loss non-finite after step {int(state.step)}"
        )
    final = state.image.reshape(spectra.shape)
    return Painted(
        *(np.asarray(picture(each, weights.contrast, weights.finest)) for each in (spectra, final))
    )


def response_loss(
    layer: str, objective: str, pictures: int = 1
) -> Callable[[Network, Wanted, Float[Array, "1 rows w 3"]], tuple[Array, dict[str, Array]]]:
    """Return the loss and its terms: minus the logarithms of the responses, plus weighted penalties.

    The penalties are the total variation, divided by the number of values so that it does not depend on the
    size, and the similarity of the pictures. Responses are those of the moved pictures, which are stacked
    along the rows of the argument.
    """

    def loss(network: Network, wanted: Wanted, stacked: Array) -> tuple[Array, dict[str, Array]]:
        spectra = stacked.reshape(pictures, -1, *stacked.shape[2:])
        still = picture(spectra, wanted.weights.contrast, wanted.weights.finest)
        images = moved(still, wanted.motion)
        F = network(images, (layer,))[layer]
        response = OBJECTIVES[objective](F, wanted.direction)
        variation = sum(total_variation(image[jnp.newaxis]) for image in still) / still[0].size
        alike = similarity(F) if pictures > 1 else jnp.zeros(())
        penalty = wanted.weights.tv * variation + wanted.weights.diversity * alike
        terms = {"response": response.mean(), "tv": jnp.asarray(variation), "similarity": alike}
        return penalty - log_response(response).sum(), terms

    return loss
