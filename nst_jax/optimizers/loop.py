"""The run loop: chunks of compiled steps, with a look at the progress after each chunk."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax.devices import processes
from nst_jax.optimizers.lanes import Lanes, freeze
from nst_jax.optimizers.state import RUNNING, State

# Chunks double until one takes about this long: short enough for a progress bar, and long against their
# overhead. On a CPU, each chunk has its working memory mapped anew, which takes a tenth of an evaluation.
CHUNK_SECONDS = 2.0
MOST_EVALUATIONS = 4096  # in one chunk


class Look(NamedTuple):
    """The progress that the host sees between two chunks, one entry per lane."""

    step: np.ndarray
    evaluations: np.ndarray
    value: np.ndarray
    status: np.ndarray


Watch = Callable[[Look], bool]  # called after each chunk; returning False ends the run


class Loop:
    """Runs that advance together, at one size."""

    def __init__(
        self, lanes: Lanes, shared: Any, data: Any, variables: np.ndarray, learning_rates: Sequence[float]
    ):
        """Place the lanes; `data`, `variables` and `learning_rates` have an entry per lane.

        `shared` is a result of `lanes.replicate`; `learning_rates` are for adam and gd.
        """
        self._lanes, self._shared, self._data = lanes, shared, lanes.place(data)
        self._learning_rates = learning_rates
        rates = lanes.place(np.asarray(learning_rates, np.float32))
        self._running = lanes.start(shared, self._data, lanes.place_variables(variables), rates)
        # Lanes that take no more steps: frozen, or failed without recovery (`State.status` tells which).
        self.resting = np.zeros(lanes.width, bool)
        self._evaluations, self._stop = 1, 0  # of a chunk: its length, and the step at which it ends

    @property
    def state(self) -> State:
        """The state of all lanes, stacked, on the device."""
        return self._running.state

    def fetch(self, tree: Any) -> Any:
        """Copy a part of the state to the host, without what a device adds to a picture."""
        return self._lanes.fetch(tree)

    def fetched_shapes(self) -> State:
        """The shapes of the state on the host."""
        return self._lanes.fetched_shapes(self.state)

    def count_from(self, step: int, evaluations: Any) -> None:
        """Continue the counts of a coarser scale: set the step to `step`, and add its `evaluations`."""
        state = self.state._replace(
            step=jnp.full_like(self.state.step, step), evaluations=self.state.evaluations + evaluations
        )
        self._running = self._running._replace(state=self._lanes.place(state))

    def keep(self, last: Any, carried: Callable[[Any, Any], Any]) -> None:
        """Let lanes begin with what `carried` makes of their `last` memory and the new one, on the host."""
        memory = jax.device_get(carried(last, self.fetch(self.state.memory)))
        state = self.state._replace(memory=memory)
        self._running = self._running._replace(state=self._lanes.place_state(state))

    def carry_on(self, states: Mapping[int, State]) -> None:
        """Continue the lanes in `states`, by index, from these states."""
        self._running = self._lanes.put(self._running, states)

    def freeze(self, lanes: np.ndarray) -> None:
        """Stop the lanes where `lanes` is True: they take no more steps."""
        if not lanes.any():
            return
        self.resting |= lanes
        self._running = self._lanes.place(freeze(self._running, self.resting))

    def run_to(self, stop: int, watch: Watch) -> bool:
        """Advance every lane to the step `stop`, unless it fails or is frozen; 0 is the first evaluation.

        `watch` is called after each chunk. If it returns False, the searches in progress are finished, so
        that each lane ends after a complete step, and `run_to` returns False.
        """
        self._stop = stop
        look = self.look()
        while not np.all(
            self.resting | (look.step >= stop) & (look.status == RUNNING) & np.isfinite(look.value)
        ):
            began = time.monotonic()
            self._advance(self._evaluations)
            look = self.look()
            # All processes must run chunks of the same length; their clocks differ.
            if processes.broadcast(time.monotonic() - began < CHUNK_SECONDS / 2):
                self._evaluations = min(2 * self._evaluations, MOST_EVALUATIONS)
            # A failed lane stands still until it is restarted, so `stop` would never be reached.
            for lane in np.flatnonzero((look.status != RUNNING) & ~self.resting):
                self._restart(int(lane))
            if not watch(look):
                self.settle()
                return False
        return True

    def first_values(self) -> np.ndarray:
        """Return the loss of each lane's initial variable, which is evaluated if it has not been yet."""
        self.run_to(0, lambda look: True)
        return self.look().value

    def settle(self) -> None:
        """Finish the searches in progress, so that `state` is at a complete step for every lane."""
        if not self._lanes.alone:
            self._advance(0, settle=True)

    def look(self) -> Look:
        """The progress of each lane; waits for the device."""
        state = self.state
        return Look(*jax.device_get((state.step, state.evaluations, state.value, state.status)))

    def _advance(self, evaluations: int, settle: bool = False) -> None:
        # Explicit, so that tests can forbid all other transfers.
        limits = jax.device_put((np.int32(self._stop), np.int32(evaluations), np.bool_(settle)))
        self._running = self._lanes.advance(self._shared, self._data, self._running, *limits)

    def _restart(self, lane: int) -> None:
        """Restart a lane whose step failed, or mark it as resting if the method gives up."""
        restarted = self._lanes.restart(
            self._shared, self._data, self._running, lane, self._learning_rates[lane]
        )
        if restarted is None:
            self.resting[lane] = True
        else:
            self._running = restarted
