"""Many optimisations as one program: each lane is a run of its own, all lanes step together.

`optimize.Optimizer` under `jax.vmap`, but for the line search. Plainly vmapped, L-BFGS would stay right
(a lane whose loop is done keeps its state while the others go on) and grow slow: every step would take as
many evaluations as its slowest lane. Here a lane takes one evaluation at a time and moves on to its next
step when *its* search is done, whatever the others do, so it takes the steps of a single run, up to rounding.
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

from nst_jax import compiler, line_search
from nst_jax.optimize import NOT_FINITE, RUNNING, Optimizer, State

Join = Callable[[Any, Any], Any]


class Lane(NamedTuple):
    """One run between two evaluations."""

    state: State  # after its last whole step; all that going on from there needs
    pace: Float[Array, ""]  # of adam and gd: the lane's learning rate over the optimizer's
    search: Any  # L-BFGS: the line search that leaves from there; None for the other optimisers
    memory: Any  # L-BFGS: its memory once that search has ended
    searching: Bool[Array, ""]  # whether that search has begun; else the next evaluation begins it


class Lanes:
    """The compiled programs of `optimizer` over a leading axis of lanes, split over `devices`.

    What the objective needs comes in two parts: `shared` by all lanes (the network), and each lane's `own`
    (targets, weights), stacked; `join(shared, own)` makes the problem that the objective takes.
    """

    def __init__(self, optimizer: Optimizer, join: Join, devices: Sequence[jax.Device] | None = None):
        """Hold the programs; each compiles once per shape."""
        self.optimizer, self.join = optimizer, join
        self.mesh = Mesh(np.asarray(devices or jax.devices()), ("lanes",))
        self.start = self._program(self._start, (None, 0, 0, 0))
        self.advance = self._program(self._advance, (None, 0, 0, None, None))

    def width(self, lanes: int) -> int:
        """The number of lanes that `lanes` are padded to: a multiple of the devices."""
        return -(-lanes // self.mesh.size) * self.mesh.size

    def place(self, stacked: Any) -> Any:
        """Arrays with a leading axis of lanes, each device holding its share of them."""
        return self._put(stacked, P("lanes"))

    def replicate(self, shared: Any) -> Any:
        """Arrays that every device holds whole."""
        return self._put(shared, P())

    def recover(self, shared: Any, own: Any, lanes: Lane, index: int) -> Lane | None:
        """`lanes` with one that failed recovered by `Optimizer.recover`; None where that is at its end."""
        mine, state = jax.tree.map(lambda leaf: leaf[index], (own, lanes.state))
        # Back to one device: a slice of sharded lanes would run its program on all of them.
        if self.mesh.size > 1:
            shared, mine, state = jax.device_put((shared, mine, state), self.mesh.devices.flat[0])
        recovered = self.optimizer.recover(self.join(shared, mine), state)
        return None if recovered is None else self.put(lanes, {index: recovered})

    def put(self, lanes: Lane, states: Mapping[int, State]) -> Lane:
        """`lanes` of which those whose index is in `states` go on from there."""

        def replaced(leaves: Array, *ones: Any) -> np.ndarray:
            whole = np.array(leaves)
            for index, one in zip(states, ones, strict=True):
                whole[index] = one
            return whole

        state = jax.tree.map(replaced, lanes.state, *states.values())
        searching = jnp.asarray(replaced(lanes.searching, *[False] * len(states)))
        return self.place(lanes._replace(state=state, searching=searching))

    def _put(self, tree: Any, spec: P) -> Any:
        # On one device arrays stay uncommitted, as programs return them: else they would compile twice.
        return jax.device_put(tree, NamedSharding(self.mesh, spec) if self.mesh.size > 1 else None)

    def _program(self, function: Callable[..., Any], axes: tuple[int | None, ...]) -> Any:
        """`function` over lanes; each device loops over its own without waiting for the others."""
        batched = jax.vmap(function, axes)
        if self.mesh.size == 1:
            return compiler.jit(batched)
        specs = tuple(P() if axis is None else P("lanes") for axis in axes)
        return compiler.jit(
            jax.shard_map(batched, mesh=self.mesh, in_specs=specs, out_specs=P("lanes"), check_vma=False)
        )

    def _start(self, shared: Any, own: Any, image: Float[Array, "1 h w 3"], pace: Float[Array, ""]) -> Lane:
        state = self.optimizer._start(self.join(shared, own), image)
        search, memory = (
            self.optimizer.begin_search(state) if self.optimizer.name == "lbfgs" else (None, None)
        )
        return Lane(state, pace, search, memory, searching=jnp.zeros((), bool))

    def _advance(
        self, shared: Any, own: Any, lane: Lane, stop: Int[Array, ""], evaluations: Int[Array, ""]
    ) -> Lane:
        """Go on to the step `stop`, or for so many evaluations, or until a step fails."""
        problem = self.join(shared, own)

        def unfinished(carry: tuple[Lane, Array]) -> Array:
            state = carry[0].state
            return (state.step < stop) & (state.status == RUNNING) & (carry[1] < evaluations)

        def body(carry: tuple[Lane, Array]) -> tuple[Lane, Array]:
            return self._evaluate(problem, carry[0]), carry[1] + 1

        return lax.while_loop(unfinished, body, (lane, jnp.zeros((), jnp.int32)))[0]

    def _evaluate(self, problem: Any, lane: Lane) -> Lane:
        """One evaluation: a step of the line search, and of the run where that ends the search."""
        if self.optimizer.name != "lbfgs":
            paced = lane.state._replace(rate=lane.pace * lane.state.rate)
            stepped = self.optimizer._step(problem, paced)
            return lane._replace(state=stepped._replace(rate=lane.state.rate))
        fresh = self.optimizer.begin_search(lane.state)
        search, memory = _where(lane.searching, (lane.search, lane.memory), fresh)
        search = line_search.evaluate(search, partial(self.optimizer.objective, problem))
        stepped = self.optimizer.end_search(lane.state, search, memory)
        ended = ~line_search.unfinished(search)
        state = _where(ended, self.optimizer.judge(stepped, lane.state), lane.state)
        return Lane(state, lane.pace, search, memory, ~ended)


def freeze(lanes: Lane, frozen: np.ndarray) -> Lane:
    """Mark the lanes where `frozen`: they take no more steps."""
    status = jnp.where(jnp.asarray(frozen), NOT_FINITE, lanes.state.status)
    return lanes._replace(state=lanes.state._replace(status=status))


def _where(condition: Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
