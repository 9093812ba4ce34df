"""A single optimisation whose image is split by rows over devices, with everything of its size."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from nst_jax.devices.split import Split
from nst_jax.devices.strips import AXIS
from nst_jax.optimizers import compiler
from nst_jax.optimizers.lanes import Lane, Lanes
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.optimizers.state import State


class SplitLane(Lanes):
    """The programs of `optimizer` for one lane over the devices of `split`.

    On the devices, images end with rows of zeros, see `Split`; on the host, they do not. So a state can be
    fetched here and placed on any other number of devices.
    """

    def __init__(self, optimizer: Optimizer, split: Split, shape: tuple[int, ...], bfloat16: bool = False):
        """Set up programs for images of `shape`, (1, height, width, 3); for `bfloat16` see `Lanes`."""
        self.split = split
        self._entries = math.prod(shape)
        super().__init__(optimizer, 1, list(split.mesh.devices.flat[:1]), bfloat16)

    def place(self, stacked: Any) -> Any:
        """Divide images and whatever else has as many entries; other arrays stay or are copied to all."""
        return jax.tree.map(self._placed, stacked)

    def replicate(self, shared: Any) -> Any:
        """Copy arrays to every device."""
        return jax.tree.map(lambda leaf: self.split.place(leaf, P()), shared)

    def put(self, lanes: Lane, states: Mapping[int, State]) -> Lane:
        """Replace the state by that of lane 0."""
        del lanes
        return Lane(self.place(jax.tree.map(lambda leaf: leaf[np.newaxis], states[0])))

    def fetch(self, tree: Any) -> Any:
        """Copy arrays to the host, without the rows below the images."""
        return jax.tree.map(self._fetched, tree)

    def fetched_shapes(self, tree: Any) -> Any:
        """The shapes that `fetch` would return."""
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(self._shape(leaf.shape, on_host=True), leaf.dtype), tree
        )

    def abstract(self, tree: Any) -> Any:
        """The shapes of arrays, with how they would be divided; those that have a sharding keep it."""
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                leaf.shape, leaf.dtype, sharding=leaf.sharding or self._sharding(leaf.shape)
            ),
            tree,
        )

    def _program(self, function: Callable[..., Any], axes: tuple[int | None, ...], **options: Any) -> Any:
        single = self.over_lanes(function, axes)

        def divided(*arguments: Any) -> Any:
            result = single(*arguments)
            return jax.tree.map(
                lambda leaf: jax.lax.with_sharding_constraint(leaf, self._sharding(leaf.shape)), result
            )

        return compiler.jit(divided, self._bfloat16, **options)

    def _placed(self, leaf: Any) -> jax.Array:
        if isinstance(leaf, jax.Array) and len(leaf.sharding.device_set) == self.split.mesh.size:
            is_image = self._rows_axis(leaf.shape, self.split.padded) is not None
            return jax.device_put(leaf, self._sharding(leaf.shape)) if is_image else leaf
        leaf = np.asarray(leaf)
        if (axis := self._rows_axis(leaf.shape, self.split.height)) is not None:
            rows = leaf.reshape(*leaf.shape[:axis], self.split.height, -1)
            below = [(0, 0)] * rows.ndim
            below[axis] = (0, self.split.padded - self.split.height)
            leaf = np.pad(rows, below).reshape(self._shape(leaf.shape, on_host=False))
        return self.split.place(leaf, self._sharding(leaf.shape).spec)

    def _fetched(self, leaf: jax.Array) -> np.ndarray:
        whole = leaf if leaf.is_fully_addressable or leaf.is_fully_replicated else _gathered(leaf)
        host = np.asarray(whole)
        if (axis := self._rows_axis(leaf.shape, self.split.padded)) is None:
            return host
        rows = host.reshape(*leaf.shape[:axis], self.split.padded, -1)
        rows = rows[(slice(None),) * axis + (slice(self.split.height),)]
        # Files of arrays cannot hold a view.
        return np.ascontiguousarray(rows).reshape(self._shape(leaf.shape, on_host=True))

    def _sharding(self, shape: tuple[int, ...]) -> NamedSharding:
        axis = self._rows_axis(shape, self.split.padded)
        spec = P() if axis is None else P(*[None] * axis, AXIS)
        return NamedSharding(self.split.mesh, spec)

    def _shape(self, shape: tuple[int, ...], on_host: bool) -> tuple[int, ...]:
        """The shape of an array on the host or on the devices, from that on the other side."""
        heights = (self.split.padded, self.split.height)
        before, after = heights if on_host else heights[::-1]
        axis = self._rows_axis(shape, before)
        if axis is None:
            return shape
        return *shape[:axis], shape[axis] * after // before, *shape[axis + 1 :]

    def _rows_axis(self, shape: tuple[int, ...], height: int) -> int | None:
        """The axis of the rows of images of `height`, which may be joined with columns and colours, or None.

        It is the last axis from which on the array has as many entries as an image.
        """
        entries = self._entries // self.split.height * height
        for axis in reversed(range(len(shape))):
            if math.prod(shape[axis:]) == entries:
                return axis
        return None


def _gathered(leaf: jax.Array) -> np.ndarray:
    """An array whose parts are in several processes; all of them must ask at the same time."""
    return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))
