"""Painting of jobs together: through all scales, each recorded into its own folder and resumed from it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nst_jax import images
from nst_jax.config.stages import stages_of
from nst_jax.devices import processes
from nst_jax.errors import UserError
from nst_jax.optimizers.loop import Look, Loop, Watch
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.state import NOT_FINITE, STALLED, restore
from nst_jax.runs.checkpoint import Checkpoint
from nst_jax.runs.folder import RunFolder
from nst_jax.runs.recorder import Recorder
from nst_jax.transfer.job import Job, Outcome, run_record
from nst_jax.transfer.result import result_image, warn_of_stalls
from nst_jax.transfer.schedule import stage_ends, stops
from nst_jax.transfer.stage_session import StageSession


def paint(
    session: StageSession,
    jobs: Sequence[Job],
    folders: Sequence[RunFolder],
    watch: Watch,
    saved: Sequence[Checkpoint | None] | None = None,
) -> list[Outcome]:
    """Optimise up to `session.width` jobs together, and write each one's records and result to its folder.

    A job with a checkpoint in `saved` resumes from it; all these checkpoints must be at the same stage.
    `watch` is called between chunks of steps with the progress of each job, and stops the run by returning
    False. A job whose loss remains non-finite ends as 'diverged' with its best image, and one whose loss no
    step has lowered as 'stalled'; the others continue.

    Raises:
        UserError: a folder cannot be written, in which case it tries to save the pictures so far, or a
            checkpoint does not match its job.
    """
    checkpoints = {lane: checkpoint for lane, checkpoint in enumerate(saved or []) if checkpoint}
    batch = JobBatch(session, jobs, folders, watch, checkpoints)
    first = max((checkpoint.stage for checkpoint in checkpoints.values()), default=0)
    if first >= len(batch.stages):
        raise UserError(
            f"--resume: the checkpoint is at stage {first + 1}, but the run has {len(batch.stages)} stages"
        )
    for _ in batch.stops(first):
        pass
    return batch.finish()


class StageResult(NamedTuple):
    """What a stage passes on to the next one, with an entry per lane."""

    images: np.ndarray
    evaluations: jax.Array
    memory: Any  # of the method, if the next scale needs it


class JobBatch:
    """Jobs that are painted together."""

    def __init__(
        self,
        session: StageSession,
        jobs: Sequence[Job],
        folders: Sequence[RunFolder],
        watch: Watch,
        saved: dict[int, Checkpoint],
    ):
        """Create or reopen the folders; `saved` holds checkpoints to resume from, by index of the job."""
        self.session, self.jobs, self.folders = session, jobs, folders
        self.watch, self.saved, self.interrupted = watch, saved, False
        self.config, self.method = session.config, find_method(session.config.optimizer)
        self.stages, self.ends = stages_of(self.config), stage_ends(self.config)
        # Copies of the last job fill up the width; they take no steps.
        self.padded = [*jobs, *[jobs[-1]] * (session.width - len(jobs))]
        identities, reported = [job.identity() for job in jobs], [session.reported(job) for job in jobs]
        self.recorder = Recorder(folders, identities, reported, saved)
        self.outcomes: dict[int, Outcome] = {}
        # Whether a step has lowered a lane's loss; so it is taken to be before a checkpoint of a later stage.
        self.gained = np.full(session.width, any(checkpoint.stage for checkpoint in saved.values()))
        self.previous: StageResult | None = None
        self.loop: Loop

    def stops(self, first: int = 0) -> Iterator[int]:
        """Run all stages from the number `first`, until `watch` stops them; yield as `stops_of_stage`."""
        for stage in self.stages[first:]:
            yield from self.stops_of_stage(stage.number)
            if self.interrupted:
                return

    def stops_of_stage(self, index: int) -> Iterator[int]:
        """Run the stage `index`; yield the number of every step that is logged, after it."""
        self.stage = self.stages[index]
        self._begin()
        try:
            yield from self._advance()
            self._note_gains()
        except UserError as error:  # the disk is full, or the folder has become unwritable
            raise self._rescued(error) from error
        state = self.loop.state
        shown = self.loop.fetch(self.method.picture(state))
        pictures = [self._unfinished(lane, shown[lane]) for lane in range(self.session.width)]
        memory = self.loop.fetch(state.memory) if self.method.carried else None
        self.previous = StageResult(np.stack(pictures), state.evaluations, memory)

    def picture(self, lane: int) -> np.ndarray:
        """Return the current picture of a job."""
        shown = self.loop.fetch(self.method.picture(self.loop.state))
        return self.session.finish(self.jobs[lane], self._unfinished(lane, shown[lane]))

    def finish(self) -> list[Outcome]:
        """Save the result of every job that has not ended yet."""
        for lane in range(len(self.jobs)):
            if lane not in self.outcomes:
                ended = "done" if self.gained[lane] else "stalled"
                self._finish_lane(lane, "interrupted" if self.interrupted else ended)
        return [self.outcomes[lane] for lane in range(len(self.jobs))]

    def _advance(self) -> Iterator[int]:
        """Run to the end of the stage, or until `watch` stops it; yield as `stops_of_stage`."""
        last = self.ends[self.stage.number]
        for stop in stops(self.config, self.stage.number):
            if not self.loop.run_to(stop, self._after_chunk):
                self.interrupted = True
                self._checkpoint()
                break
            if stop % self.config.log_every == 0 or stop == last:
                self._log(stop)
            if stop and stop % self.config.snapshot_every == 0:
                self._save_snapshots(stop)
            if stop % self.config.log_every == 0 or stop == last:
                yield stop

    def _begin(self) -> None:
        """Start every lane at this stage, or resume it from its checkpoint."""
        scale, index = self.stage.scale, self.stage.number
        self.starts = np.stack([self._initial_picture(lane, scale) for lane in range(self.session.width)])
        saved = {lane: list(checkpoint.leaves) for lane, checkpoint in self.saved.items()}
        for lane, leaves in saved.items() if self.session.keeps_start else ():
            self.starts[lane] = leaves.pop()
        self.loop = self.session.begin(self.padded, self.stage, self.starts)
        evaluations = 0 if self.previous is None else self.previous.evaluations
        if self.previous is not None and self.method.carried:
            self.loop.keep(self.previous.memory, self.method.carried)
        self.loop.count_from(self.ends[index - 1] if index else 0, evaluations)
        if self.saved:
            like = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), self.loop.fetched_shapes()
            )
            states = {lane: restore(leaves, like) for lane, leaves in saved.items()}
            self.loop.carry_on(states)
            for lane, state in states.items():
                self.recorder.rewind(lane, int(state.step))
            self.saved = {}
        self.loop.freeze(
            np.array([lane >= len(self.jobs) or lane in self.outcomes for lane in range(self.session.width)])
        )

    def _note_gains(self) -> None:
        """Note which lanes have gained something so far, and say where one took fewer steps."""
        look, last = self.loop.look(), self.ends[self.stage.number]
        self._end_diverged(look)
        self.gained |= (look.step > last - self.stage.steps) | (look.value == 0)
        warn_of_stalls(self.folders, self.loop.resting & (look.status == STALLED), look.step, last)

    def _unfinished(self, lane: int, image: Any) -> np.ndarray:
        """Return the picture that an optimised `image` of a lane stands for."""
        return self.session.picture(self.padded[lane], self.stage, np.asarray(image))

    def _rescued(self, error: UserError) -> UserError:
        """Try to save the pictures so far; return the error to raise, which says whether that succeeded."""
        self.interrupted = True
        try:
            self.finish()
        except UserError:
            return error
        return UserError(f"{error}; the picture so far is saved as result.png")

    def _initial_picture(self, lane: int, scale: float) -> np.ndarray:
        """Return the initial image of a lane at the first stage, else the result of the previous stage."""
        if self.previous is None:
            return self.padded[lane].initial_image(scale)
        return images.resize(self.previous.images[lane], *self.padded[lane].size_at(scale))

    def _after_chunk(self, look: Look) -> bool:
        """Save diverged jobs, and a checkpoint if one is due; return False if the run should stop."""
        self._end_diverged(look)
        if not self.watch(Look(*(entries[: len(self.jobs)] for entries in look))):
            return False
        if processes.broadcast(self.recorder.checkpoint_due):
            self._checkpoint()
        return True

    def _end_diverged(self, look: Look) -> None:
        for lane in np.flatnonzero(self.loop.resting & (look.status == NOT_FINITE)):
            if lane < len(self.jobs) and lane not in self.outcomes:
                self._log_lanes({int(lane): int(look.step[lane])}, look)
                self._finish_lane(int(lane), "diverged")

    def _checkpoint(self) -> None:
        """Save a checkpoint of every job that has not ended."""
        self.loop.settle()
        leaves = self.loop.fetch(jax.tree.leaves(self.loop.state))
        active = [lane for lane in range(len(self.jobs)) if lane not in self.outcomes]
        parts = [*leaves, self.starts] if self.session.keeps_start else leaves
        by_lane = {lane: [np.asarray(part[lane]) for part in parts] for lane in active}
        self.recorder.checkpoint(by_lane, self.stage.number)

    def _log(self, stop: int) -> None:
        """Log every job that is at step `stop` or takes no more steps."""
        look = self.loop.look()
        steps = {
            lane: int(look.step[lane])
            for lane in range(len(self.jobs))
            if lane not in self.outcomes and (look.step[lane] == stop or self.loop.resting[lane])
        }
        self._log_lanes(steps, look)

    def _log_lanes(self, steps: Mapping[int, int], look: Look) -> None:
        """Log the lanes in `steps`, a lane's current step by lane, unless that step is logged already."""
        if runs := self.recorder.unlogged(steps):
            terms = jax.device_get(self.loop.state.terms)
            self.recorder.log(runs, look.step, look.evaluations, self.stage.scale, terms)

    def _save_snapshots(self, stop: int) -> None:
        look = self.loop.look()
        for lane in range(len(self.jobs)):
            if look.step[lane] == stop:
                self.recorder.draw(lane, stop, self.picture(lane))

    def _finish_lane(self, lane: int, status: str) -> None:
        """Write the result of a lane with its final status."""
        job, look = self.jobs[lane], self.loop.look()
        state, name = self.loop.state, self.folders[lane].path.name
        shown = self.loop.fetch(self.method.picture(state))
        image, which = result_image(self.loop.fetch(state._replace(memory=None)), shown, lane, status, name)
        steps, evaluations = int(look.step[lane]), int(look.evaluations[lane])
        picture = self.session.finish(job, self._unfinished(lane, image))
        outcome = Outcome(picture, status, steps, evaluations, self.recorder.seconds())
        record = run_record(job, outcome) | {"picture": which, "painted_together": len(self.jobs)}
        self.recorder.finish(lane, outcome.image, record)
        self.outcomes[lane] = outcome
