"""Activation maximisation: pictures that activate a unit, a channel, a layer or a direction, from noise.

The method of Erhan et al. 2009 with the priors of Olah, Mordvintsev & Schubert 2017 ("Feature visualization",
Distill): a spectrum in decorrelated colours (variables/fourier.py), whose picture is moved a little before
each step (transforms.py).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax.errors import UserError
from nst_jax.losses.terms.tv import total_variation
from nst_jax.networks.network import Network, entering
from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.loop import Look, Loop
from nst_jax.optimizers.method import Method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.optimizers.state import NOT_FINITE, RUNNING, State
from nst_jax.variables.variable import Variable, on_pictures
from nst_jax.vision.maximizing.objectives import OBJECTIVES, leaky, log_response, similarity
from nst_jax.vision.maximizing.transforms import Motion, moved


class Penalties(NamedTuple):
    """What keeps pictures natural and different: weights relative to the logarithm of the response."""

    tv: Float[Array, ""]
    diversity: Float[Array, ""]


class Wanted(NamedTuple):
    """What the loss depends on besides the network and the pictures."""

    basis: Any  # of the variable
    direction: Float[Array, "c"]
    scale: Float[Array, ""]  # of activations of the layer: their root mean square in the initial picture
    motions: Motion  # of the first evaluation, and of each step
    number: Any  # of the motion
    weights: Penalties


def maximizer(layer: str, objective: str, variable: Variable, method: Method) -> Lanes:
    """Return the programs that minimise `response_loss` over `variable`; they compile once per shape."""
    loss = on_pictures(variable, response_loss(layer, objective))

    def at_step(wanted: Wanted, state: State) -> Wanted:
        return wanted._replace(number=jnp.where(state.opening, 0, state.step + 1))

    return Lanes(Optimizer(loss, method, at_step), 1, jax.devices()[:1])


def paint_responses(
    lanes: Lanes,
    network: Network,
    wanted: Wanted,
    start: Float[Array, "1 _ _ 3"],
    learning_rate: float,
    stops: Sequence[int],
) -> Iterator[Float[np.ndarray, "1 _ _ 3"]]:
    """Yield the variable of a `maximizer` after each of the numbers of steps in `stops`, from `start`.

    Raises:
        UserError: the loss became non-finite.
    """

    def running(look: Look) -> bool:
        if look.status[0] == NOT_FINITE:
            raise UserError(
                f"optimizer.learning_rate: {learning_rate} makes the loss non-finite "
                f"after step {look.step[0]}"
            )
        return bool(look.status[0] == RUNNING)

    stacked, starts = jax.tree.map(lambda leaf: leaf[np.newaxis], (wanted, start))
    loop = Loop(lanes, network, stacked, np.asarray(starts), [learning_rate])
    for stop in stops:
        loop.run_to(stop, running)
        yield loop.fetch(loop.state.variable)[0]


def response_loss(
    layer: str, objective: str
) -> Callable[[Network, Wanted, Float[Array, "n h w 3"]], tuple[Array, dict[str, Array]]]:
    """Return the loss and its terms: minus the logarithms of the responses, plus weighted penalties.

    The penalties are the total variation, divided by the number of values so that it does not depend on the
    size, and the similarity of the pictures. Responses are those of the moved pictures.
    """

    def loss(network: Network, wanted: Wanted, still: Array) -> tuple[Array, dict[str, Array]]:
        images = moved(still, Motion(*(part[wanted.number] for part in wanted.motions)))
        before, after = entering(network, layer), layer
        F = network(images, (before, after))
        response = OBJECTIVES[objective](F[after] if before == after else leaky(F[before]), wanted.direction)
        variation = sum(total_variation(image[jnp.newaxis]) for image in still) / still[0].size
        alike = similarity(F[after]) if len(still) > 1 else jnp.zeros(())
        penalty = wanted.weights.tv * variation + wanted.weights.diversity * alike
        terms = {"response": response.mean(), "tv": jnp.asarray(variation), "similarity": alike}
        return penalty - log_response(response, wanted.scale).sum(), terms

    return loss
