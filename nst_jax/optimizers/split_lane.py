"""A single optimisation whose image is split by rows over devices, with everything that has its rows."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from nst_jax.devices.exchange import AXIS
from nst_jax.devices.split import Split
from nst_jax.optimizers import compiler
from nst_jax.optimizers.lanes import Lane, Lanes
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.optimizers.state import State

WHOLE = -1  # for an axis of rows: there is none, and all devices have the whole array


class SplitLane(Lanes):
    """The programs of `optimizer` for one lane over the devices of `split`.

    On the devices, images end with rows of zeros, see `Split`; on the host, they do not. So a state can be
    fetched here and placed on any other number of devices.
    """

    def __init__(self, optimizer: Optimizer, split: Split, shape: tuple[int, ...], bfloat16: bool = False):
        """Set up programs for images of `shape`, (1, height, width, 3); for `bfloat16` see `Lanes`."""
        self.split = split
        self._shardings = jax.tree.map(self._sharding, _row_axes(optimizer, (1, split.padded, *shape[2:])))
        super().__init__(optimizer, 1, list(split.mesh.devices.flat[:1]), bfloat16)

    def place(self, stacked: Any) -> Any:
        """Copy arrays to all devices, unless they are there already."""
        devices = self._sharding(WHOLE).device_set

        def placed(leaf: Any) -> jax.Array:
            there = isinstance(leaf, jax.Array) and leaf.sharding.device_set == devices
            return leaf if there else self.split.place(leaf, P())

        return jax.tree.map(placed, stacked)

    def place_variables(self, variables: np.ndarray) -> jax.Array:
        """Divide a stacked variable."""
        return self._placed(variables, self._shardings.variable)

    def place_state(self, state: State) -> State:
        """Divide images and whatever else of a stacked state has rows; NumPy arrays are from the host."""
        return self._over_state(self._placed, state)

    def replicate(self, shared: Any) -> Any:
        """Copy arrays to every device."""
        return jax.tree.map(lambda leaf: self.split.place(leaf, P()), shared)

    def put(self, lanes: Lane, states: Mapping[int, State]) -> Lane:
        """Replace the state by that of lane 0."""
        del lanes
        return Lane(self.place_state(jax.tree.map(lambda leaf: leaf[np.newaxis], states[0])))

    def fetch(self, tree: Any) -> Any:
        """Copy arrays to the host, without the rows below the images."""
        return jax.tree.map(self._fetched, tree)

    def fetched_shapes(self, tree: Any) -> Any:
        """The shapes that `fetch` would return."""

        def shape(leaf: jax.Array) -> jax.ShapeDtypeStruct:
            return jax.eval_shape(partial(self._cropped, axis=_rows_axis(leaf.sharding)), leaf)

        return jax.tree.map(shape, tree)

    def abstract(self, lane: Lane) -> Lane:
        """The shapes of a lane, with how they would be divided."""

        def divided(leaf: Any, sharding: NamedSharding) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

        return Lane(self._over_state(divided, lane.state))

    def _program(self, function: Callable[..., Any], axes: tuple[int | None, ...], **options: Any) -> Any:
        shardings = Lane(self._shardings)
        single = self.over_lanes(function, axes)
        return compiler.kept(single, None, self._bfloat16, out_shardings=shardings, **options)

    def _over_state(self, function: Callable[[Any, NamedSharding], Any], state: State) -> State:
        """Map `function` over the arrays of a state and their shardings."""
        return jax.tree.map(
            lambda sharding, part: jax.tree.map(lambda leaf: function(leaf, sharding), part),
            self._shardings,
            state,
        )

    def _placed(self, leaf: Any, sharding: NamedSharding) -> jax.Array:
        """An array of a state on the devices; one from the host lacks the rows below the image."""
        axis = _rows_axis(sharding)
        if axis is not None and not isinstance(leaf, jax.Array):
            rows = leaf.reshape(*leaf.shape[:axis], self.split.height, -1)
            below = [(0, 0)] * rows.ndim
            below[axis] = (0, self.split.padded - self.split.height)
            # Rows may be joined with columns and colours in one axis, as in the history.
            leaf = np.pad(rows, below).reshape(*leaf.shape[:axis], -1, *leaf.shape[axis + 1 :])
        return self.split.place(leaf, sharding.spec)

    def _fetched(self, leaf: jax.Array) -> np.ndarray:
        whole = leaf
        if not (leaf.is_fully_addressable or leaf.is_fully_replicated):
            # Its parts are in several processes, all of which must ask at the same time.
            whole = multihost_utils.process_allgather(leaf, tiled=True)
        # Files of arrays cannot hold a view.
        return np.ascontiguousarray(self._cropped(np.asarray(whole), _rows_axis(leaf.sharding)))

    def _cropped(self, whole: Any, axis: int | None) -> Any:
        """An array without the rows below the image."""
        if axis is None:
            return whole
        rows = whole.reshape(*whole.shape[:axis], self.split.padded, -1)
        rows = rows[(slice(None),) * axis + (slice(self.split.height),)]
        return rows.reshape(*whole.shape[:axis], -1, *whole.shape[axis + 1 :])

    def _sharding(self, axis: int) -> NamedSharding:
        """That of stacked arrays, the rows of each of which are on its `axis`."""
        return NamedSharding(self.split.mesh, P() if axis == WHOLE else P(None, *[None] * axis, AXIS))


def _row_axes(optimizer: Optimizer, shape: tuple[int, ...]) -> State:
    """The axis of the rows in each part of a state, or `WHOLE`; they may be joined with columns and colours.

    It is the one that grows with the rows of the image.
    """

    def memory(rows: int) -> Any:
        image = jax.ShapeDtypeStruct((shape[0], rows, *shape[2:]), jnp.float32)
        return jax.eval_shape(optimizer.method.init, image)

    def grown(one: Any, two: Any) -> int:
        return next(
            (axis for axis, (a, b) in enumerate(zip(one.shape, two.shape, strict=True)) if a < b), WHOLE
        )

    axes: dict[str, Any] = dict.fromkeys(State._fields, WHOLE)
    axes |= dict.fromkeys(("variable", "grad", "best_variable"), 1)
    return State(**axes | {"memory": jax.tree.map(grown, memory(shape[1]), memory(2 * shape[1]))})


def _rows_axis(sharding: Any) -> int | None:
    """The axis that is divided among the devices."""
    spec = tuple(sharding.spec) if isinstance(sharding, NamedSharding) else ()
    return spec.index(AXIS) if AXIS in spec else None
