"""Jobs under way together: through the scales, each recorded into a folder of its own and resumed from it."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from nst_jax import images
from nst_jax.config import Config
from nst_jax.optimizers.loop import Look, Loop, Watch
from nst_jax.optimizers.state import NOT_FINITE, restore
from nst_jax.runs.checkpoint import Checkpoint
from nst_jax.runs.folder import RunFolder
from nst_jax.runs.recorder import Recorder
from nst_jax.transfer.finish import finish
from nst_jax.transfer.job import Job, Outcome, run_record
from nst_jax.transfer.session import Session


def paint(
    session: Session,
    jobs: Sequence[Job],
    folders: Sequence[RunFolder],
    watch: Watch,
    saved: Sequence[Checkpoint | None] | None = None,
) -> list[Outcome]:
    """Optimise up to `session.width` jobs together, each recorded into its folder; results are saved.

    A job goes on from its checkpoint in `saved`; all that have one must be at the same scale. `watch` sees
    now and then where each job stands, and ends the work by returning False. A job whose loss stays not
    finite ends as 'diverged' with its best image; the others go on.

    Raises:
        UserError: a folder cannot be written, or a checkpoint does not fit.
    """
    held = {lane: checkpoint for lane, checkpoint in enumerate(saved or []) if checkpoint}
    painting = Painting(session, jobs, folders, watch, held)
    first = max((checkpoint.scale for checkpoint in held.values()), default=0)
    for scale in range(first, len(session.config.scales)):
        if not painting.paint_scale(scale):
            break
    return painting.finish()


class Ended(NamedTuple):
    """What the next scale needs of the one before, an entry per lane."""

    images: np.ndarray
    evaluations: jax.Array


class Painting:
    """Jobs under way together."""

    def __init__(
        self,
        session: Session,
        jobs: Sequence[Job],
        folders: Sequence[RunFolder],
        watch: Watch,
        saved: dict[int, Checkpoint],
    ):
        """Begin or reopen the folders; the jobs in `saved`, by number, go on from there."""
        self.session, self.jobs, self.watch, self.saved = session, jobs, watch, saved
        self.config = session.config
        # The last job fills up the width; its copies take no step.
        self.padded = [*jobs, *[jobs[-1]] * (session.width - len(jobs))]
        identities, reported = [job.identity() for job in jobs], [_reported(job.config) for job in jobs]
        self.recorder = Recorder(folders, identities, reported, saved)
        self.outcomes: dict[int, Outcome] = {}
        self.interrupted = False
        self.before: Ended | None = None
        self.loop: Loop

    def paint_scale(self, index: int) -> bool:
        """Go through the scale of that index; False if `watch` ended the work."""
        self.scale, steps = index, self.config.optimizer.steps
        self._begin()
        if index == 0:
            self._log(0)
        for stop in stops(self.config, index):
            if not self.loop.run_to(stop, self._look):
                self.interrupted = True
                self._checkpoint()
                break
            if stop % self.config.log_every == 0 or stop % steps == 0:
                self._log(stop)
            if stop % self.config.snapshot_every == 0:
                self._draw(stop)
        state = self.loop.state
        self.before = Ended(np.asarray(state.image), state.evaluations)
        return not self.interrupted

    def finish(self) -> list[Outcome]:
        """Save the result of every job that has not ended yet."""
        for lane in range(len(self.jobs)):
            if lane not in self.outcomes:
                self._end(lane, "interrupted" if self.interrupted else "done")
        return [self.outcomes[lane] for lane in range(len(self.jobs))]

    def _begin(self) -> None:
        """Start every lane at this scale, or where its checkpoint says."""
        scale = self.config.scales[self.scale]
        pictures = np.stack([self._picture(lane, scale) for lane in range(self.session.width)])
        self.loop = self.session.begin(self.padded, scale, pictures)
        evaluations = 0 if self.before is None else self.before.evaluations
        self.loop.count_from(self.scale * self.config.optimizer.steps, evaluations)
        if self.saved:
            like = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), self.loop.state
            )
            states = {lane: restore(held.leaves, like) for lane, held in self.saved.items()}
            self.loop.carry_on(states)
            for lane, state in states.items():
                self.recorder.rewind(lane, int(state.step))
            self.saved = {}
        self.loop.freeze(
            np.array([lane >= len(self.jobs) or lane in self.outcomes for lane in range(self.session.width)])
        )

    def _picture(self, lane: int, scale: float) -> np.ndarray:
        """Where a lane begins at `scale`: its initial image, or the result of the scale before."""
        if self.before is None:
            return self.padded[lane].initial_image(scale)
        height, width = self.padded[lane].sizes_at(scale)[0]
        return images.resize(self.before.images[lane], height, width)

    def _look(self, look: Look) -> bool:
        """Save what has ended, and a checkpoint if one is due; False if the work should end."""
        for lane in np.flatnonzero(self.loop.resting & (look.status == NOT_FINITE)):
            if lane < len(self.jobs) and lane not in self.outcomes:
                self._end(int(lane), "diverged")
        runs = slice(len(self.jobs))
        if not self.watch(Look(*(entries[runs] for entries in look))):
            return False
        if self.recorder.checkpoint_due:
            self._checkpoint()
        return True

    def _checkpoint(self) -> None:
        """Save where every job stands that has not ended."""
        self.loop.settle()
        leaves = jax.device_get(jax.tree.leaves(self.loop.state))
        waiting = [lane for lane in range(len(self.jobs)) if lane not in self.outcomes]
        self.recorder.checkpoint(
            {lane: [np.asarray(leaf[lane]) for leaf in leaves] for lane in waiting}, self.scale
        )

    def _log(self, stop: int) -> None:
        """Log every job that has come to the step `stop` or rests before it."""
        look = self.loop.look()
        here = {
            lane: int(look.step[lane])
            for lane in range(len(self.jobs))
            if lane not in self.outcomes and (look.step[lane] == stop or self.loop.resting[lane])
        }
        if runs := self.recorder.unlogged(here):
            terms = self.session.terms(self.loop)
            scale = self.config.scales[self.scale]
            self.recorder.log(runs, look.step, look.evaluations, scale, terms)

    def _draw(self, stop: int) -> None:
        look = self.loop.look()
        for lane, job in enumerate(self.jobs):
            if look.step[lane] == stop:
                self.recorder.draw(lane, stop, finish(job, np.asarray(self.loop.state.image[lane])))

    def _end(self, lane: int, status: str) -> None:
        """Save the result of a lane."""
        state, job, look = self.loop.state, self.jobs[lane], self.loop.look()
        image = np.asarray((state.image if status == "done" else state.best_image)[lane])
        steps, evaluations = int(look.step[lane]), int(look.evaluations[lane])
        outcome = Outcome(finish(job, image), status, steps, evaluations, self.recorder.seconds())
        about = run_record(job, outcome) | {"painted_together": len(self.jobs)}
        self.recorder.finish(lane, outcome.image, about)
        self.outcomes[lane] = outcome


def stops(config: Config, scale: int) -> list[int]:
    """The steps of the scale of that index at which there is something to log, to draw, or to end."""
    steps = config.optimizer.steps
    return [
        step
        for step in range(scale * steps + 1, (scale + 1) * steps + 1)
        if step % steps == 0 or step % config.log_every == 0 or step % config.snapshot_every == 0
    ]


def _reported(config: Config) -> set[str]:
    """The layers' terms that a run of `config` logs."""
    content = {f"content/{layer}" for layer in config.active_content()}
    return content | {f"style/{layer}" for layer in config.active_style()}
