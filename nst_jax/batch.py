"""Jobs under way together, each recorded into a folder of its own and resumed from it as a single run is."""

import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import images, stylize
from nst_jax.lanes import Lane, freeze
from nst_jax.optimize import CHUNK_SECONDS, NOT_FINITE, RUNNING, State, restore
from nst_jax.painter import Painter
from nst_jax.record import CHECKPOINT_SPACING, metrics_line, stops
from nst_jax.run_folder import Checkpoint, RunFolder
from nst_jax.stylize import Job, Outcome

MOST_EVALUATIONS = 4096  # between two looks

Watch = Callable[[np.ndarray], bool]


def paint(
    painter: Painter,
    jobs: Sequence[Job],
    folders: Sequence[RunFolder],
    watch: Watch,
    saved: Sequence[Checkpoint | None] | None = None,
) -> list[Outcome]:
    """Optimise up to `painter.width` jobs together, recording each into its folder as a single run would.

    A job goes on from its checkpoint in `saved`; those that have one must be at the same scale. `watch` gets
    the steps that each has taken now and then, and ends the work by returning False. A job whose loss stays
    not finite ends as 'diverged' with its best image; the others go on.

    Raises:
        UserError: a folder cannot be written.
    """
    batch = _Batch(painter, jobs, folders, watch, saved or [None] * len(jobs))
    first = max((checkpoint.scale for checkpoint in batch.saved.values()), default=0)
    for scale in range(first, len(painter.config.scales)):
        if not batch.optimize(scale):
            break
    return batch.finish()


class _Batch:
    """Jobs under way together."""

    def __init__(
        self,
        painter: Painter,
        jobs: Sequence[Job],
        folders: Sequence[RunFolder],
        watch: Watch,
        saved: Sequence[Checkpoint | None],
    ):
        self.painter, self.jobs, self.folders, self.watch = painter, jobs, folders, watch
        self.config, self.network = painter.config, painter.network
        # The last job stands in for those that are lacking; its copies take no step.
        self.padded = [*jobs, *[jobs[-1]] * (painter.width - len(jobs))]
        self.identities = [job.identity() for job in jobs]
        self.saved = {lane: checkpoint for lane, checkpoint in enumerate(saved) if checkpoint}
        self.outcomes: dict[int, Outcome] = {}
        self.logged = [-1] * len(jobs)
        self.interrupted = False
        self.scale = 0
        self.began = time.monotonic() - max((held.seconds for held in self.saved.values()), default=0.0)
        self.next_checkpoint = time.monotonic()
        self.evaluations = 1  # of a chunk; grows until one takes CHUNK_SECONDS
        self.before: State | None = None  # of all lanes, at the end of the last scale
        for lane, folder in enumerate(folders):
            if not folder.begun():
                folder.begin()
            elif lane not in self.saved:
                folder.metrics.rewind(-1)

    def optimize(self, index: int) -> bool:
        """Go through the scale of that index; False when the work was ended."""
        self.scale = index
        scale, steps = self.config.scales[index], self.config.optimizer.steps
        own = [self.painter.own(job, scale) for job in self.padded]
        self.own = self.painter.lanes.place(jax.tree.map(lambda *leaves: jnp.stack(leaves), *own))
        pictures = [self._image(lane, scale) for lane in range(self.painter.width)]
        self.lanes = self._started(np.stack(pictures), index * steps)
        if index == 0:
            self._log(0)
        reached = min(np.asarray(self.lanes.state.step)[~self.resting], default=0)
        for stop in stops(self.config, index):
            if stop < reached:
                continue
            if not self._advance(stop):
                self.interrupted = True
                self._checkpoint()
                break
            if stop % self.config.log_every == 0 or stop % steps == 0:
                self._log(stop)
            if stop % self.config.snapshot_every == 0:
                self._draw(stop)
        self.before = self.lanes.state
        return not self.interrupted

    def finish(self) -> list[Outcome]:
        """Save the result of every job that has not ended yet."""
        states = jax.device_get(self.lanes.state)
        for lane in range(len(self.jobs)):
            if lane not in self.outcomes:
                self._end(lane, "interrupted" if self.interrupted else "done", _lane(states, lane))
        return [self.outcomes[lane] for lane in range(len(self.jobs))]

    def _image(self, lane: int, scale: float) -> np.ndarray:
        """Where a lane begins at `scale`: its initial image, or the result of the scale before."""
        if self.before is None:
            return stylize.initial_image(self.padded[lane], scale)
        height, width = stylize.shape_at(self.padded[lane], scale)[1:3]
        return images.resize(np.asarray(self.before.image[lane]), height, width)

    def _started(self, pictures: np.ndarray, step: int) -> Lane:
        """Fresh lanes that go on counting from the scale before, or what was saved of them.

        Those that diverged stay where they are.
        """
        evaluations = 0 if self.before is None else self.before.evaluations
        paces = np.asarray([self.painter.pace(job) for job in self.padded], np.float32)
        place = self.painter.lanes.place
        lanes = self.painter.lanes.start(self.network, self.own, place(pictures), place(paces))
        state = lanes.state._replace(
            step=jnp.full_like(lanes.state.step, step), evaluations=lanes.state.evaluations + evaluations
        )
        lanes = lanes._replace(state=state)
        if self.saved:
            lanes = self._restored(lanes)
        self.resting = np.array([i >= len(self.jobs) or i in self.outcomes for i in range(len(self.padded))])
        return place(freeze(lanes, self.resting))

    def _restored(self, lanes: Lane) -> Lane:
        """`lanes` of which those that were saved go on from there, their metrics too."""
        states = {}
        for lane, checkpoint in self.saved.items():
            states[lane] = restore(checkpoint.leaves, _lane(lanes.state, lane))
            self.logged[lane] = self.folders[lane].metrics.rewind(int(states[lane].step))
        self.saved = {}
        return self.painter.lanes.put(lanes, states)

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
            if time.monotonic() >= self.next_checkpoint:
                self._checkpoint()
            if np.all((steps >= stop) & (status == RUNNING) | self.resting):
                return True

    def _recover(self, lane: int) -> None:
        """Go on with a lane that failed, or let it rest; one that diverged has ended."""
        recovered = self.painter.lanes.recover(self.network, self.own, self.lanes, lane)
        if recovered is not None:
            self.lanes = recovered
            return
        self.resting[lane] = True
        state = jax.device_get(_lane(self.lanes.state, lane))
        if int(state.status) == NOT_FINITE:
            self._end(lane, "diverged", state)

    def _end(self, lane: int, status: str, state: State) -> None:
        """Save the result of a lane."""
        image = np.asarray(state.image if status == "done" else state.best_image)
        seconds = time.monotonic() - self.began
        outcome = Outcome(image, status, int(state.step), int(state.evaluations), seconds)
        about = stylize.record(self.jobs[lane], outcome) | {"painted_together": len(self.jobs)}
        self.folders[lane].save_result(image, about)
        self.outcomes[lane] = outcome

    def _checkpoint(self) -> None:
        """Save where every lane stands that has not ended, each into its own folder."""
        began = time.monotonic()
        leaves = jax.device_get(jax.tree.leaves(self.lanes.state))
        for lane, (folder, identity) in enumerate(zip(self.folders, self.identities, strict=True)):
            if lane not in self.outcomes:
                mine = [np.asarray(leaf[lane]) for leaf in leaves]
                folder.save_checkpoint(Checkpoint(mine, self.scale, began - self.began), identity)
        now = time.monotonic()
        self.next_checkpoint = now + CHECKPOINT_SPACING * (now - began)

    def _log(self, stop: int) -> None:
        """A line of metrics for every lane that has come to the step `stop` or rests before it."""
        state, scale = self.lanes.state, self.config.scales[self.scale]
        terms = jax.device_get(self.painter.terms(self.network, self.own, state.image))
        steps, evaluations = jax.device_get((state.step, state.evaluations))
        for lane, job in enumerate(self.jobs):
            here = int(steps[lane]) == stop or self.resting[lane]
            if int(steps[lane]) == self.logged[lane] or lane in self.outcomes or not here:
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


def _lane(states: State, lane: int) -> State:
    return jax.tree.map(lambda leaf: leaf[lane], states)
