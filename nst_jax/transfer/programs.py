"""The programs that minimise a loss for the jobs of a group."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax

from nst_jax.devices.split import Split
from nst_jax.optimizers import compiler
from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.optimizers.split_lane import SplitLane
from nst_jax.optimizers.state import LossFunction, State
from nst_jax.transfer import memory
from nst_jax.transfer.job import Job


class Programs:
    """The programs of one loss, by the shape of the picture.

    Lanes of whole pictures share one object, whose programs compile once per shape. For a picture on several
    devices, the programs themselves depend on its rows.
    """

    def __init__(
        self,
        loss: LossFunction,
        jobs: Sequence[Job],
        width: int | None,
        shapes: Callable[[], tuple[Any, Any]],
        split: Split | None = None,
        at_step: Callable[[Any, State], Any] = lambda data, state: data,
    ):
        """Set up lanes for `jobs`, at most `width` together; for the default see `memory.affordable_lanes`.

        Jobs are divided evenly into batches: with a `width` of 4, five jobs are painted as three and two.
        `shapes` returns those of the data and the variable of the first job at full size. With a `split`, all
        devices are needed for one picture. For `at_step` see `Optimizer`.
        """
        self._network, self._shapes, self._split = jobs[0].network, shapes, split
        self._optimizer = Optimizer(loss, find_method(jobs[0].config.optimizer), at_step)
        if split:
            width = 1
        elif width is None:
            width = memory.affordable_lanes(lambda: self.lane_bytes) if len(jobs) > 1 else 1
        # A last batch that is nearly empty would take as long as a full one.
        batches = -(-len(jobs) // width)
        devices = jax.devices() if len(jobs) > 1 else jax.devices()[:1]
        self._bfloat16 = compiler.holds_bfloat16(self._network)
        self._whole = Lanes(self._optimizer, -(-len(jobs) // batches), devices, self._bfloat16)
        self._divided: dict[tuple[int, ...], Lanes] = {}

    @property
    def compilations(self) -> int:
        """Number of step programs compiled so far: one per shape."""
        return sum(lanes.advance.count for lanes in (self._whole, *self._divided.values()))

    def at(self, shape: tuple[int, ...]) -> Lanes:
        """The programs for pictures of `shape`."""
        if self._split is None:
            return self._whole
        if shape not in self._divided:
            split, method = self._split.of_height(shape[1]), self._optimizer.method
            method = method.split_over(split) if method.split_over else method
            optimizer = Optimizer(self._optimizer.objective, method, self._optimizer.at_step)
            self._divided[shape] = SplitLane(optimizer, split, shape, self._bfloat16)
        return self._divided[shape]

    @functools.cached_property  # it compiles
    def lane_bytes(self) -> int:
        """Memory of one lane at full size, in bytes."""
        return memory.lane_bytes(self._optimizer, self._network, *self._shapes())

    def step_bytes(self, shape: tuple[int, ...], network: Any, data: Any, variable: Any) -> int:
        """Memory of the step program for one picture of `shape`, in bytes; on a CPU, of all its devices."""
        # On a CPU, the devices of a split are threads that share its memory.
        one = memory.advance_bytes(self.at(shape), network, data, variable)
        return one * self._split.in_process if self._split and jax.default_backend() == "cpu" else one
