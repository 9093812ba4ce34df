"""Pictures of units, one after another, by programs that are compiled once."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax.images.streams import Stream
from nst_jax.networks.network import Network
from nst_jax.optimizers.methods import find_method
from nst_jax.variables.fourier import fourier
from nst_jax.variables.phase import natural_magnitude, phase
from nst_jax.variables.variable import Canvas, Variable
from nst_jax.vision.activations import require_activations
from nst_jax.vision.maximizing import maximize
from nst_jax.vision.maximizing.maximize import Penalties, Wanted
from nst_jax.vision.maximizing.maximize_settings import MARGIN, MaximizeSettings
from nst_jax.vision.maximizing.objectives import OBJECTIVES
from nst_jax.vision.maximizing.transforms import random_motions

BATCH = 16  # photographs decoded together
MOST_PHOTOGRAPHS = 1000  # the mean of their spectra hardly changes with more
SENSED_EVERY = 10  # steps between two evaluations of the gradients that transparency accumulates
OPAQUE = 90  # percentile of the accumulated gradients from which on a picture is opaque


class UnitPictures(NamedTuple):
    """Pictures of the same unit or direction, and its responses, which are of activations after the ReLU."""

    pictures: Float[np.ndarray, "n h w 3"]
    opacity: Float[np.ndarray, "n h w 1"] | None  # None without `transparency`
    start: float  # the mean response to the initial pictures
    reached: float  # and to these
    peak: float  # the largest response at any position of these; a unit whose peak is 0 never fires


class ResponsePainter:
    """Maximises the response of directions of one layer, as `MaximizeSettings` say."""

    def __init__(self, network: Network, config: MaximizeSettings):
        """Set up the programs, for which the photographs of `config.spectrum` may be read.

        Raises:
            UserError: the pictures do not fit into memory, or no photograph can be read.
        """
        side = config.size + 2 * MARGIN
        require_activations(network, (config.layer,), side, config.pictures, gradient=True)
        self._network, self._config = network, config
        self._variable = _variable(config, side)
        self._basis = self._variable.init(Canvas((side, side)))
        self._lanes = maximize.maximizer(
            config.layer, config.objective, self._variable, find_method(config.optimizer)
        )
        noise, motions = jax.random.split(jax.random.key(config.seed))
        self._start = self._random_start(noise, side)
        (self._steps,) = config.optimizer.steps_by_scale(1)
        self._motions = random_motions(motions, self._steps + 1, config.motions)
        measure = jax.jit(partial(_measured, config.layer, config.objective))
        self._measure = partial(measure, network)
        *_, scale = self._measure(self._pictures(self._start), jnp.zeros(width(network, config.layer)))
        # A layer that is silent at the start has no scale of its own.
        self._scale = jnp.where(scale > 0, scale, 1)
        loss = jax.grad(maximize.response_loss(config.layer, config.objective), 2, has_aux=True)
        self._gradient = jax.jit(lambda network, wanted, pictures: loss(network, wanted, pictures)[0])

    def paint(self, direction: Float[np.ndarray, "c"]) -> UnitPictures:
        """Paint what activates a `direction` of the layer.

        Raises:
            UserError: the loss became non-finite.
        """
        config = self._config
        weights = Penalties(jnp.float32(config.tv_weight), jnp.float32(config.diversity_weight))
        wanted = Wanted(
            self._basis, jnp.asarray(direction), self._scale, self._motions, jnp.int32(0), weights
        )
        stops = range(0, self._steps, SENSED_EVERY) if config.transparency else ()
        descent = maximize.paint_responses(
            self._lanes,
            self._network,
            wanted,
            self._start,
            config.optimizer.learning_rate,
            [*stops, self._steps],
        )
        sensed: Array | float = 0.0
        for stop, found in zip([*stops, self._steps], descent, strict=True):
            if config.transparency:
                at_stop = wanted._replace(number=jnp.int32(stop))
                sensed += jnp.abs(self._gradient(self._network, at_stop, self._decoded(found)))
        (first, *_), (reached, peak, _) = (
            self._measure(self._pictures(array), wanted.direction) for array in (self._start, found)
        )
        opacity = _opacity(np.asarray(_cropped(jnp.asarray(sensed)))) if config.transparency else None
        pictures = np.asarray(self._pictures(found))
        return UnitPictures(pictures, opacity, float(first), float(reached), float(peak))

    def _random_start(self, key: Array, side: int) -> Float[Array, "1 rows _ 3"]:
        """White noise in the variable, of all pictures one below the other: the optimiser holds one array."""
        picture = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
        _, rows, columns, _ = jax.eval_shape(self._variable.encode, self._basis, picture).shape
        noise = jax.random.normal(key, (self._config.pictures, rows, columns, 3))
        # Phases are standardised, so that the deviation of their noise is of no account.
        deviation = self._config.start if self._config.variable == "fourier" else 1.0
        return deviation * noise.reshape(1, -1, columns, 3)

    def _decoded(self, array: Array | np.ndarray) -> Float[Array, "n _ _ 3"]:
        return self._variable.decode(self._basis, jnp.asarray(array))

    def _pictures(self, array: Array | np.ndarray) -> Float[Array, "n h w 3"]:
        return _cropped(self._decoded(array))


def width(network: Network, layer: str) -> int:
    """Return the number of units of a layer."""
    picture = jax.ShapeDtypeStruct((1, 512, 512, 3), jnp.float32)
    return jax.eval_shape(lambda x: network(x, (layer,))[layer], picture).shape[-1]


def over_white(pictures: Float[np.ndarray, "n h w 3"], opacity: Float[np.ndarray, "n h w 1"]) -> np.ndarray:
    """Return pictures over a white background."""
    return opacity * pictures + (1 - opacity)


def _variable(config: MaximizeSettings, side: int) -> Variable:
    if config.variable == "fourier":
        return fourier(config.contrast, config.finest)
    batches = Stream(config.spectrum, side, MOST_PHOTOGRAPHS).batches(BATCH)
    photographs = (square for batch in batches for square in batch.pixels[: len(batch.frames)])
    return phase(natural_magnitude(square / 255 for square in photographs))


def _measured(
    layer: str, objective: str, network: Network, pictures: Array, direction: Array
) -> tuple[Array, Array, Array]:
    """Return the mean and the largest response of `direction`, and the root mean square of the layer."""
    names: Sequence[str] = (maximize.entering(network, layer), layer)
    F = network(pictures, names)
    response = OBJECTIVES[objective](F[layer], direction).mean()
    along = F[layer] @ direction
    return response, along.max(), jnp.sqrt(jnp.square(F[names[0]]).mean())


def _opacity(sensed: Float[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n h w 1"]:
    """Return how much of each pixel to show: the sum of absolute gradients there, relative to `OPAQUE`."""
    summed = sensed.sum(-1, keepdims=True)
    opaque = np.percentile(summed, OPAQUE, axis=(1, 2), keepdims=True)
    return np.clip(summed / np.maximum(opaque, np.finfo(np.float32).tiny), 0, 1)


def _cropped(pictures: Array) -> Array:
    return pictures[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
