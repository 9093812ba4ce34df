"""Many jobs as few programs: those that agree in shape and network are painted together, lane by lane.

Within a group may differ: pictures of the same shape, layers and their weights, alpha, beta, tv, init, seed.
Each result is the single run's up to rounding.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import images, memory, objective, stylize
from nst_jax.lanes import Lanes, freeze
from nst_jax.objective import Problem
from nst_jax.optimize import CHUNK_SECONDS, NOT_FINITE, RUNNING, Optimizer, State
from nst_jax.record import metrics_line, stops
from nst_jax.run_folder import RunFolder
from nst_jax.stylize import Job, Outcome

MOST_EVALUATIONS = 4096  # between two looks

Watch = Callable[[np.ndarray], bool]


def group(jobs: Sequence[Job]) -> list[list[int]]:
    """The indices of `jobs` in groups that one program can paint, in order of their first."""
    groups: dict[Any, list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault(_key(job), []).append(index)
    return list(groups.values())


def _key(job: Job) -> Any:
    config = job.config
    rate = None if config.optimizer.name == "lbfgs" else config.optimizer.learning_rate
    return (
        (job.weights.sha256, job.weights.arch, job.weights.preprocessing, config.network.pool),
        tuple(stylize.shape_at(job, scale) for scale in config.scales),
        (config.optimizer.name, config.optimizer.steps, rate, config.scales, config.content_loss),
        (config.log_every, config.snapshot_every),
    )


class Painter:
    """Paints jobs of one group, up to `width` at a time, with one program per scale."""

    def __init__(self, jobs: Sequence[Job], width: int | None = None):
        """Take the union of the jobs' layers; `width` is chosen from the memory at hand where it is None."""
        self.config = config = jobs[0].config
        # Every lane computes the layers of all jobs: a weight of 0 turns off those that are not its own.
        self.content_layers = sorted({layer for job in jobs for layer in job.config.active_content()})
        self.style_layers = sorted({layer for job in jobs for layer in job.config.active_style()})
        optimizer = Optimizer(objective.total, config.optimizer.name, config.optimizer.learning_rate)
        self.lanes = Lanes(optimizer, self.join)
        self.network = self.lanes.replicate(jobs[0].network)
        self.terms = jax.jit(jax.vmap(self._terms, (None, 0, 0)))
        if width is None:
            width = self._affordable(jobs[0]) if len(jobs) > 1 else 1
        self.width = self.lanes.width(min(len(jobs), width))

    @property
    def compilations(self) -> int:
        """How many step programs were compiled: one per scale."""
        return self.lanes.advance._cache_size()

    def paint(self, jobs: Sequence[Job], folders: Sequence[RunFolder], watch: Watch) -> list[Outcome]:
        """Optimise up to `width` jobs together, recording each into its folder as a single run would.

        `watch` gets the steps that each has taken now and then, and ends the work by returning False. A job
        whose loss stays not finite ends as 'diverged' with its best image; the others go on.

        Raises:
            UserError: a folder cannot be written.
        """
        batch = _Batch(self, jobs, folders, watch)
        for scale in range(len(self.config.scales)):
            if not batch.optimize(scale):
                break
        return batch.finish()

    def join(self, network: Any, own: Any) -> Problem:
        """The problem of one lane."""
        content, style, weights = own
        return Problem(network, content, style, weights, self.config.content_loss)

    def own(self, job: Job, scale: float) -> Any:
        """Targets and weights of `job` for all layers of the group: its problem without the network."""
        problem = stylize.problem_at(job, scale)
        image = jax.ShapeDtypeStruct(stylize.shape_at(job, scale), jnp.float32)
        layers = tuple({*self.content_layers, *self.style_layers})
        shapes = jax.eval_shape(lambda network, x: network(x, layers), job.network, image)
        F = {layer: shapes[layer].shape for layer in self.content_layers}
        G = {layer: 2 * shapes[layer].shape[-1:] for layer in self.style_layers}
        weights = problem.weights._replace(
            content=_filled(problem.weights.content, dict.fromkeys(F, ())),
            style=_filled(problem.weights.style, dict.fromkeys(G, ())),
        )
        return _filled(problem.content, F), _filled(problem.style, G), weights

    def _terms(self, network: Any, own: Any, image: jax.Array) -> dict[str, jax.Array]:
        return objective.terms(self.join(network, own), image)

    def _affordable(self, job: Job) -> int:
        own = self.own(job, 1.0)
        image = jax.ShapeDtypeStruct(stylize.shape_at(job, 1.0), jnp.float32)
        problem = self.join(job.network, own)
        return memory.affordable_lanes(self.lanes.optimizer._start, problem, image, job.network)


class _Batch:
    """Jobs under way together."""

    def __init__(self, painter: Painter, jobs: Sequence[Job], folders: Sequence[RunFolder], watch: Watch):
        self.painter, self.jobs, self.folders, self.watch = painter, jobs, folders, watch
        self.config = painter.config
        self.network = painter.network
        # The last job stands in for those that are lacking; its copies take no step.
        self.padded = [*jobs, *[jobs[-1]] * (painter.width - len(jobs))]
        self.resting = np.arange(painter.width) >= len(jobs)
        self.diverged: dict[int, tuple[State, float]] = {}
        self.logged = [-1] * len(jobs)
        self.interrupted = False
        self.began = time.monotonic()
        self.evaluations = 1  # of a chunk; grows until one takes CHUNK_SECONDS
        self.state: State | None = None
        for folder in folders:
            folder.metrics.rewind(-1) if folder.begun() else folder.begin()

    def optimize(self, index: int) -> bool:
        """Go through the scale of that index; False when the work was ended."""
        scale = self.config.scales[index]
        own = [self.painter.own(job, scale) for job in self.padded]
        self.own = self.painter.lanes.place(jax.tree.map(lambda *leaves: jnp.stack(leaves), *own))
        pictures = [self._image(lane, scale) for lane in range(self.painter.width)]
        self.lanes = self._started(np.stack(pictures), index * self.config.optimizer.steps)
        if index == 0:
            self._log(scale)
        for stop in stops(self.config, index):
            if not self._advance(stop):
                self.interrupted = True
                break
            if stop % self.config.log_every == 0 or stop % self.config.optimizer.steps == 0:
                self._log(scale)
            if stop % self.config.snapshot_every == 0:
                self._draw(stop)
        self.state = self.lanes.state
        return not self.interrupted

    def finish(self) -> list[Outcome]:
        """Save every job's result."""
        outcomes, states = [], jax.device_get(self.lanes.state)
        for lane, (job, folder) in enumerate(zip(self.jobs, self.folders, strict=True)):
            status = "interrupted" if self.interrupted else "done"
            state, seconds = _lane(states, lane), time.monotonic() - self.began
            if lane in self.diverged:
                status, (state, seconds) = "diverged", self.diverged[lane]
            image = np.asarray(state.image if status == "done" else state.best_image)
            outcome = Outcome(image, status, int(state.step), int(state.evaluations), seconds)
            folder.save_result(image, stylize.record(job, outcome) | {"painted_together": len(self.jobs)})
            outcomes.append(outcome)
        return outcomes

    def _image(self, lane: int, scale: float) -> np.ndarray:
        """Where a lane begins at `scale`: its initial image, or the result of the scale before."""
        if self.state is None:
            return stylize.initial_image(self.padded[lane], scale)
        height, width = stylize.shape_at(self.padded[lane], scale)[1:3]
        return images.resize(np.asarray(self.state.image[lane]), height, width)

    def _started(self, pictures: np.ndarray, step: int) -> Any:
        """Fresh lanes that go on counting from the scale before; those that diverged stay where they are."""
        before = 0 if self.state is None else self.state.evaluations
        self.resting[: len(self.jobs)] = [lane in self.diverged for lane in range(len(self.jobs))]
        lanes = self.painter.lanes.start(self.network, self.own, self.painter.lanes.place(pictures))
        state = lanes.state._replace(
            step=jnp.full_like(lanes.state.step, step), evaluations=lanes.state.evaluations + before
        )
        return self.painter.lanes.place(freeze(lanes._replace(state=state), self.resting))

    def _advance(self, stop: int) -> bool:
        """Bring every lane that can to the step `stop`, with a look in between; False when told to end."""
        while True:
            began = time.monotonic()
            self.lanes = self.painter.lanes.advance(
                self.network, self.own, self.lanes, jnp.int32(stop), jnp.int32(self.evaluations)
            )
            steps, status = jax.device_get((self.lanes.state.step, self.lanes.state.status))
            if time.monotonic() - began < CHUNK_SECONDS / 2:
                self.evaluations = min(2 * self.evaluations, MOST_EVALUATIONS)
            for lane in np.flatnonzero((status != RUNNING) & ~self.resting):
                self._recover(int(lane))
            if not self.watch(steps[: len(self.jobs)]):
                return False
            if np.all((steps >= stop) & (status == RUNNING) | self.resting):
                return True

    def _recover(self, lane: int) -> None:
        """Go on with a lane that failed, or let it rest, noting whether it diverged."""
        recovered = self.painter.lanes.recover(self.network, self.own, self.lanes, lane)
        if recovered is not None:
            self.lanes = recovered
            return
        self.resting[lane] = True
        state = jax.device_get(_lane(self.lanes.state, lane))
        if int(state.status) == NOT_FINITE:
            self.diverged[lane] = state, time.monotonic() - self.began

    def _log(self, scale: float) -> None:
        """A line of metrics for every lane that has moved since the last one, with its own layers only."""
        state = self.lanes.state
        terms = jax.device_get(self.painter.terms(self.network, self.own, state.image))
        steps, evaluations = jax.device_get((state.step, state.evaluations))
        for lane, job in enumerate(self.jobs):
            if int(steps[lane]) == self.logged[lane] or lane in self.diverged:
                continue
            self.logged[lane] = int(steps[lane])
            active = {f"content/{layer}" for layer in job.config.active_content()}
            active |= {f"style/{layer}" for layer in job.config.active_style()}
            mine = {k: float(v[lane]) for k, v in terms.items() if "/" not in k or k in active}
            seconds = time.monotonic() - self.began
            line = metrics_line(self.logged[lane], int(evaluations[lane]), seconds, scale, mine)
            self.folders[lane].metrics.write(line)

    def _draw(self, step: int) -> None:
        for lane, folder in enumerate(self.folders):
            if int(self.lanes.state.step[lane]) == step:
                folder.save_snapshot(step, np.asarray(self.lanes.state.image[lane]))


def _filled(held: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> dict[str, jax.Array]:
    return {layer: held.get(layer, jnp.zeros(shape, jnp.float32)) for layer, shape in shapes.items()}


def _lane(states: State, lane: int) -> State:
    return jax.tree.map(lambda leaf: leaf[lane], states)
