"""Many optimisations in one program: each lane is an independent run, and all lanes advance together.

A plain vmap of the step is correct but slow: every step waits for the slowest line search. Here a lane takes
one evaluation at a time and starts its next step as soon as *its own* search has ended, so it takes the same
steps as a single run, up to rounding. A single lane does not need this, and runs like `Optimizer`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Float, Int

from nst_jax.optimizers import compiler
from nst_jax.optimizers.optimizer import Optimizer, unfinished_before
from nst_jax.optimizers.state import FROZEN, State, VariableArray, select


class Lane(NamedTuple):
    """One run between two evaluations."""

    state: State  # after the last complete step; the memory is already that of the search in progress
    search: Any = None  # the search that starts there; None for a single lane
    searching: Any = None  # Bool[Array, ""]: whether that search is in progress


class Lanes:
    """The programs of `optimizer` over a leading axis of lanes, which is sharded over the devices.

    `shared` is common to all lanes and replicated; the `data` of the lanes are stacked.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lanes: int,
        devices: Sequence[jax.Device] | None = None,
        bfloat16: bool = False,
    ):
        """Set up programs for `lanes` lanes; `width` rounds them up to a multiple of the devices.

        `bfloat16` is passed to `nst_jax.optimizers.compiler`.
        """
        self.optimizer, self._bfloat16 = optimizer, bfloat16
        self.mesh = Mesh(np.asarray(devices or jax.devices()), ("lanes",))
        self.width = -(-lanes // self.mesh.size) * self.mesh.size
        self.alone = self.width == 1
        self.start = self._program(self._start, (None, 0, 0, 0))
        # The lanes are donated: their buffers are reused for the result.
        self.advance = self._program(self._advance, (None, 0, 0, None, None, None), donate_argnums=2)

    def place(self, stacked: Any) -> Any:
        """Shard arrays over the devices along the leading axis of lanes."""
        return self._put(stacked, P("lanes"))

    def place_variables(self, variables: np.ndarray) -> jax.Array:
        """Place stacked variables."""
        return self.place(variables)

    def place_state(self, state: State) -> State:
        """Place stacked states, of which NumPy arrays are from the host."""
        return self.place(state)

    def replicate(self, shared: Any) -> Any:
        """Copy arrays to every device."""
        return self._put(shared, P())

    def fetch(self, tree: Any) -> Any:
        """Copy arrays to the host."""
        return jax.device_get(tree)

    def fetched_shapes(self, tree: Any) -> Any:
        """The shapes that `fetch` would return."""
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)

    def abstract(self, lane: Lane) -> Lane:
        """The shapes of stacked lanes, with where they would be placed."""
        return lane

    def restart(self, shared: Any, data: Any, lanes: Lane, index: int, learning_rate: float) -> Lane | None:
        """Restart the failed lane `index` with `Optimizer.restart`; None if the method gives up."""
        lane_data, state = jax.tree.map(lambda leaf: leaf[index], (data, lanes.state))
        # Move to one device: with a slice of sharded arrays, the program would run on all devices.
        if self.mesh.size > 1:
            shared, lane_data, state = jax.device_put((shared, lane_data, state), self.mesh.devices.flat[0])
        restarted = self.optimizer.restart(shared, lane_data, state, learning_rate)
        return None if restarted is None else self.put(lanes, {index: restarted})

    def put(self, lanes: Lane, states: Mapping[int, State]) -> Lane:
        """Replace the states of the lanes in `states`, by index; their searches start anew."""
        if self.alone:
            return Lane(jax.tree.map(lambda leaf: jnp.asarray(leaf)[jnp.newaxis], states[0]))

        def replaced(leaves: Array, *ones: Any) -> np.ndarray:
            whole = np.array(leaves)
            for index, one in zip(states, ones, strict=True):
                whole[index] = one
            return whole

        state = jax.tree.map(replaced, lanes.state, *states.values())
        searching = replaced(lanes.searching, *[False] * len(states))
        return self.place(lanes._replace(state=state, searching=searching))

    def _put(self, tree: Any, spec: P) -> Any:
        # On one device, keep arrays uncommitted like the outputs of programs; else those would compile twice.
        return jax.device_put(tree, NamedSharding(self.mesh, spec) if self.mesh.size > 1 else None)

    def over_lanes(self, function: Callable[..., Any], axes: tuple[int | None, ...]) -> Callable[..., Any]:
        """Map `function` over the lanes, the leading axis of the arguments whose entry in `axes` is 0."""
        return _over_one(function, axes) if self.alone else jax.vmap(function, axes)

    def _program(self, function: Callable[..., Any], axes: tuple[int | None, ...], **options: Any) -> Any:
        """Compile `function` over lanes; each device loops over its own, independently of the others."""
        batched, identity = self.over_lanes(function, axes), None
        if self.mesh.size > 1:
            specs = tuple(P() if axis is None else P("lanes") for axis in axes)
            batched = jax.shard_map(
                batched, mesh=self.mesh, in_specs=specs, out_specs=P("lanes"), check_vma=False
            )
        else:
            optimizer = self.optimizer
            parts = (optimizer.objective, optimizer.method, optimizer.at_step)
            identity = (function.__qualname__, self.width, parts)
        return compiler.kept(batched, identity, self._bfloat16, **options)

    def _start(self, shared: Any, data: Any, variable: VariableArray, rate: Float[Array, ""]) -> Lane:
        state = self.optimizer.first_state(shared, data, variable, rate)
        if self.alone:
            return Lane(state)
        return Lane(state, self.optimizer.begin(state)[0], jnp.zeros((), bool))

    def _advance(
        self,
        shared: Any,
        data: Any,
        lane: Lane,
        stop: Int[Array, ""],
        evaluations: Int[Array, ""],
        settle: Bool[Array, ""],
    ) -> Lane:
        """Advance to the step `stop`, or for `evaluations` evaluations, or until a step fails.

        With `settle`, a search in progress is finished even if that takes more evaluations.
        """
        if self.alone:
            return Lane(self.optimizer.take_steps(shared, data, lane.state, stop, evaluations))

        def unfinished(carry: tuple[Lane, Array]) -> Array:
            lane, count = carry
            allowed = (count < evaluations) | (settle & lane.searching)
            return unfinished_before(lane.state, stop) & allowed

        def body(carry: tuple[Lane, Array]) -> tuple[Lane, Array]:
            return self._evaluate(shared, data, carry[0]), carry[1] + 1

        return lax.while_loop(unfinished, body, (lane, jnp.zeros((), jnp.int32)))[0]

    def _evaluate(self, shared: Any, data: Any, lane: Lane) -> Lane:
        """Advance the lane's search by one evaluation, and take the step if that ends the search."""
        method, state = self.optimizer.method, lane.state
        search, memory = select(lane.searching, (lane.search, state.memory), self.optimizer.begin(state))
        at_step = self.optimizer.at_step(data, state)
        search = method.evaluate(search, partial(self.optimizer.evaluate, shared, at_step))
        ended = ~method.unfinished(search)
        state = state._replace(memory=memory, evaluations=state.evaluations + 1)
        judged = self.optimizer.judge(search, state, state.evaluations)
        # The memory is the same in both: it is left out of the select, which would copy it.
        selected = select(ended, judged._replace(memory=None), state._replace(memory=None))
        return Lane(selected._replace(memory=memory), search, ~ended)


def freeze(lanes: Lane, frozen: np.ndarray) -> Lane:
    """Mark the lanes where `frozen` is True; they take no more steps."""
    status = jnp.where(jnp.asarray(frozen), FROZEN, lanes.state.status)
    return lanes._replace(state=lanes.state._replace(status=status))


def _over_one(function: Callable[..., Any], axes: tuple[int | None, ...]) -> Callable[..., Any]:
    """Like `jax.vmap` over a single lane, without its cost: the leading axis is removed and restored."""

    def call(*arguments: Any) -> Any:
        single = [
            argument if axis is None else jax.tree.map(lambda leaf: jnp.squeeze(leaf, 0), argument)
            for argument, axis in zip(arguments, axes, strict=True)
        ]
        return jax.tree.map(lambda leaf: leaf[jnp.newaxis], function(*single))

    return call
