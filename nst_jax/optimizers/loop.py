"""The one run loop: chunks of compiled steps, with a look from the host in between."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax.optimizers.lanes import Lanes, freeze
from nst_jax.optimizers.state import RUNNING, State

# Chunks double until one takes about this long: short enough for a display, long enough to cost nothing.
CHUNK_SECONDS = 0.5
MOST_EVALUATIONS = 4096  # in one chunk


class Look(NamedTuple):
    """What the host sees between two chunks, an entry per lane."""

    step: np.ndarray
    evaluations: np.ndarray
    value: np.ndarray
    status: np.ndarray


Watch = Callable[[Look], bool]


class Loop:
    """Runs under way together, at one size, from their first evaluation on."""

    def __init__(
        self, lanes: Lanes, shared: Any, data: Any, images: np.ndarray, learning_rates: Sequence[float]
    ):
        """Evaluate the objective once for each lane: `data`, `images` and `learning_rates` are stacked.

        `shared` is as `lanes.replicate` gave it; `learning_rates` are those of adam and gd.
        """
        self._lanes, self._shared, self._data = lanes, shared, lanes.place(data)
        self._learning_rates = learning_rates
        rates = lanes.place(np.asarray(learning_rates, np.float32))
        self._running = lanes.start(shared, self._data, lanes.place(images), rates)
        # Lanes that take no more steps: frozen, or failed for good, as their status then says.
        self.resting = np.zeros(lanes.width, bool)
        self._evaluations, self._stop = 1, 0  # of a chunk; where it ends

    @property
    def state(self) -> State:
        """The state of all lanes, stacked, on the device."""
        return self._running.state

    @property
    def data(self) -> Any:
        """The lanes' data as it lies on the device."""
        return self._data

    def count_from(self, step: int, evaluations: Any) -> None:
        """Number the next steps from `step` on and add `evaluations`, those of a coarser scale."""
        state = self.state._replace(
            step=jnp.full_like(self.state.step, step), evaluations=self.state.evaluations + evaluations
        )
        self._running = self._running._replace(state=self._lanes.place(state))

    def carry_on(self, states: Mapping[int, State]) -> None:
        """Let the lanes whose index is in `states` go on from there."""
        self._running = self._lanes.put(self._running, states)

    def freeze(self, lanes: np.ndarray) -> None:
        """Let the lanes where `lanes` take no step."""
        if not lanes.any():
            return
        self.resting |= lanes
        self._running = self._lanes.place(freeze(self._running, self.resting))

    def run_to(self, stop: int, watch: Watch) -> bool:
        """Bring every lane that can to the step `stop`.

        `watch` looks after every chunk and ends the work by returning False: then the searches under way are
        finished, so that each lane stands after a whole step, and False is returned.
        """
        self._stop = stop
        look = self.look()
        while not self._arrived(look, stop):
            began = time.monotonic()
            self._advance(self._evaluations)
            look = self.look()
            if time.monotonic() - began < CHUNK_SECONDS / 2:
                self._evaluations = min(2 * self._evaluations, MOST_EVALUATIONS)
            for lane in np.flatnonzero((look.status != RUNNING) & ~self.resting):
                self._restart(int(lane))
            if not watch(look):
                self.settle()
                return False
        return True

    def settle(self) -> None:
        """Finish the searches under way: only then does `state` hold whole steps."""
        if not self._lanes.alone:
            self._advance(0, settle=True)

    def look(self) -> Look:
        """Where each lane stands; waits for the device."""
        state = self.state
        return Look(*jax.device_get((state.step, state.evaluations, state.value, state.status)))

    def _arrived(self, look: Look, stop: int) -> bool:
        return bool(np.all((look.step >= stop) & (look.status == RUNNING) | self.resting))

    def _advance(self, evaluations: int, settle: bool = False) -> None:
        how_far = jnp.int32(self._stop), jnp.int32(evaluations), jnp.asarray(settle)
        self._running = self._lanes.advance(self._shared, self._data, self._running, *how_far)

    def _restart(self, lane: int) -> None:
        """Go on with a lane whose step failed, or let it rest."""
        restarted = self._lanes.restart(
            self._shared, self._data, self._running, lane, self._learning_rates[lane]
        )
        if restarted is None:
            self.resting[lane] = True
        else:
            self._running = restarted
