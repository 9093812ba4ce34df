"""Concepts of a layer: directions found in a sample of its positions, then searched for in all pictures.

The first pass draws positions, whose activations are factorised (nmf.py). The second one measures how much
of each concept is at each position of each picture, and keeps the strongest as for units (top_patches.py).
Both take constant memory, and resume from a checkpoint with the same result.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from nst_jax.errors import UserError
from nst_jax.images.streams import Stream
from nst_jax.networks.network import Network
from nst_jax.optimizers import compiler
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.concepts.nmf import explained, nmf, weights_of
from nst_jax.vision.concepts.position_sample import NO_TICKET, PositionSample, draw, nothing_drawn
from nst_jax.vision.one_pass import AHEAD
from nst_jax.vision.searching.top_patches import NO_IMAGE, Strongest, merge, nothing_yet, numbers, strongest


class Survey(NamedTuple):
    """What the pictures hold of each concept."""

    directions: Float[Array, "concepts channels"]  # of length 1
    lists: Strongest  # the strongest position in each picture, by concept
    explained: Float[Array, "concepts"]  # of `energy`, see `nmf.explained`
    energy: Float[Array, ""]  # sum of all squared activations

    @property
    def shares(self) -> Float[np.ndarray, "concepts"]:
        """The share of `energy` that each concept explains."""
        return np.asarray(self.explained) / np.asarray(self.energy)


class ConceptProgress(NamedTuple):
    """The state of a pass, from which it can resume."""

    state: Any  # a PositionSample in the first pass, a Survey in the second
    position: int  # index of the next image in the stream
    images: int  # number of images seen so far
    seconds: float
    skipped: tuple[str, ...]  # images that could not be read, with the reasons


class ConceptPass:
    """A pass over the stream, of which `now` returns the state."""

    def __init__(
        self,
        stream: Stream,
        batch: int,
        step: Callable[[Any, Any, Any], tuple[Any, Array]],
        progress: ConceptProgress,
    ):
        """Continue from `progress` by `step(state, pixels, images)`, see `draw` and `survey`."""
        self._stream, self._batch, self._step, self._progress = stream, batch, step, progress
        self._began = time.monotonic() - progress.seconds

    def positions(self, end: int) -> Iterator[int]:
        """Go on up to `end`, batch by batch; yield the position after each."""
        in_flight = deque[Array]()
        for batch in self._stream.batches(self._batch, self.position, end):
            progress = self._progress
            state, done = self._step(progress.state, jnp.asarray(batch.pixels), numbers(batch))
            self._progress = progress._replace(
                state=state,
                position=batch.frames[-1].index + 1,
                images=progress.images + len(batch.frames),
            )
            # The host prepares the next batch while the device computes this one.
            in_flight.append(done)
            if len(in_flight) > AHEAD:
                jax.block_until_ready(in_flight.popleft())
            yield self.position
        self._progress = self._progress._replace(position=end)  # skips unreadable images at the end
        yield end

    @property
    def position(self) -> int:
        """Index of the next image in the stream."""
        return self._progress.position

    def now(self) -> ConceptProgress:
        """Wait for the device, and return a copy of the state."""
        return self._progress._replace(
            state=jax.device_get(self._progress.state),
            seconds=time.monotonic() - self._began,
            skipped=(*self._progress.skipped, *self._stream.skipped),
        )


# Donated: the lists and sums are updated in place.
@compiler.jit_at_first_call(donate_argnums=1, static_argnames="layer")
def survey(
    network: Network, found: Survey, pixels: UInt8[Array, "b s s 3"], images: Int[Array, "b"], layer: str
) -> tuple[Survey, Array]:
    """Search a batch too; return the survey, and a value by which a caller can wait for the step."""
    F = network(pixels.astype(jnp.float32) / 255, (layer,))[layer]
    F = jnp.where(images[:, None, None, None] == NO_IMAGE, 0, F)
    U = weights_of(F, found.directions)
    rows, weights = F.reshape(-1, F.shape[-1]), U.reshape(-1, U.shape[-1])
    # Sums in float32: after 80,000 batches, they are off by 3e-6 of themselves.
    surveyed = Survey(
        found.directions,
        merge(found.lists, strongest(U, images)),
        found.explained + explained(rows, weights, found.directions),
        found.energy + jnp.square(rows).sum(),
    )
    return surveyed, surveyed.energy + 0  # not the donated buffer itself


def find_concepts(
    network: Network,
    stream: Stream,
    settings: ConceptSettings,
    run: Callable[[ConceptPass], tuple[ConceptProgress, int]],
    progress: ConceptProgress | None = None,
) -> tuple[ConceptProgress, int]:
    """Run both passes by `run`, from `progress`; return the state of the last one, and its exit status.

    If the status is 0, the state has a `Survey`.

    Raises:
        UserError: see `directions_of`, or no picture can be read.
    """
    layer, of = settings.layer, partial(ConceptPass, stream, settings.batch)
    if progress is None:
        empty = nothing_drawn(network, layer, settings.size, settings.positions)
        progress = ConceptProgress(empty, 0, 0, 0.0, ())
    if isinstance(progress.state, PositionSample):
        key = jax.random.key(settings.seed)
        drawn, exit_status = run(of(partial(draw, network, key=key, layer=layer), progress))
        if exit_status:
            return drawn, exit_status
        W = jnp.asarray(directions_of(drawn.state, settings))
        zeros = jnp.zeros(len(W)), jnp.zeros(())
        progress = ConceptProgress(
            Survey(W, nothing_yet(len(W), settings.top), *zeros), 0, 0, drawn.seconds, ()
        )
    return run(of(partial(survey, network, layer=layer), progress))


def directions_of(sample: PositionSample, settings: ConceptSettings) -> Float[np.ndarray, "k channels"]:
    """Return the directions of the concepts in a sample.

    Raises:
        UserError: its activations are negative or all 0, or there are fewer than concepts.
    """
    A = np.asarray(sample.activation)[np.asarray(sample.ticket) != NO_TICKET]
    require_positions(settings, len(A))
    if A.min() < 0:
        raise UserError(f"layer: {settings.layer} has negative activations; choose one after its ReLU")
    if not A.any():
        raise UserError(f"layer: {settings.layer} is 0 everywhere in {settings.data!r}; it has no concepts")
    return np.asarray(nmf(A, settings.concepts).W)


def require_positions(settings: ConceptSettings, positions: int) -> None:
    """Check that there are as many positions as concepts.

    Raises:
        UserError: there are fewer.
    """
    if positions < settings.concepts:
        raise UserError(
            f"concepts: {settings.concepts} are more than the {positions} positions of {settings.layer} "
            f"in {settings.data!r}; give fewer, or more pictures"
        )
