"""One stage of jobs that are painted together: its steps, and what is recorded of them."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nst_jax import images
from nst_jax.config.stages import Stage, stages_of
from nst_jax.devices import processes
from nst_jax.errors import UserError
from nst_jax.optimizers.loop import Look, Watch
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.state import NOT_FINITE, STALLED, restore
from nst_jax.runs.checkpoint import Checkpoint
from nst_jax.runs.folder import RunFolder
from nst_jax.runs.recorder import Recorder
from nst_jax.transfer.job import Job, Outcome, run_record
from nst_jax.transfer.result import result_image, warn_of_stalls
from nst_jax.transfer.stage_session import StageSession


class JobBatch:
    """Jobs that are painted together, and what has become of each through all stages."""

    def __init__(
        self,
        session: StageSession,
        jobs: Sequence[Job],
        folders: Sequence[RunFolder],
        watch: Watch,
        saved: Mapping[int, Checkpoint],
    ):
        """Create or reopen the folders; `saved` holds checkpoints to resume from, by index of the job."""
        self.session, self.jobs, self.folders, self.watch = session, jobs, folders, watch
        self.saved = saved
        self.stages = stages_of(session.config)
        # The last step of each stage, counted through all of them.
        self.ends = tuple(itertools.accumulate(stage.steps for stage in self.stages))
        # Copies of the last job fill up the width; they take no steps.
        self.padded = [*jobs, *[jobs[-1]] * (session.width - len(jobs))]
        identities, reported = [job.identity() for job in jobs], [session.reported(job) for job in jobs]
        self.recorder = Recorder(folders, identities, reported, saved)
        self.outcomes: dict[int, Outcome] = {}
        # Whether a step has lowered a lane's loss; so it is taken to be before a checkpoint of a later stage.
        self.gained = np.full(session.width, any(checkpoint.stage for checkpoint in saved.values()))

    def active(self) -> list[int]:
        """The jobs that have not ended yet."""
        return [lane for lane in range(len(self.jobs)) if lane not in self.outcomes]


class StageResult(NamedTuple):
    """What a stage passes on to the next one, with an entry per lane."""

    images: np.ndarray
    evaluations: jax.Array
    memory: Any  # of the method, if the next scale needs it


class StageRun:
    """A stage of a batch in progress."""

    def __init__(
        self,
        batch: JobBatch,
        stage: Stage,
        previous: StageResult | None,
        saved: Mapping[int, Checkpoint],
    ):
        """Start every lane from what the previous stage has left, or from its checkpoint in `saved`."""
        self.batch, self.stage, self.interrupted = batch, stage, False
        self._config, self._session = batch.session.config, batch.session
        self._method, self._last = find_method(self._config.optimizer), batch.ends[stage.number]
        if previous is None:
            starts = [job.initial_image(stage.scale) for job in batch.padded]
        else:
            sizes = [job.size_at(stage.scale) for job in batch.padded]
            starts = [images.resize(one, *size) for one, size in zip(previous.images, sizes, strict=True)]
        self._starts = np.stack(starts)
        leaves = {lane: list(checkpoint.leaves) for lane, checkpoint in saved.items()}
        for lane in leaves if self._session.keeps_start else ():
            self._starts[lane] = leaves[lane].pop()
        self.loop = self._session.begin(batch.padded, stage, self._starts)
        if previous and self._method.carried:
            self.loop.keep(previous.memory, self._method.carried)
        self.loop.count_from(self._last - stage.steps, previous.evaluations if previous else 0)
        if saved:
            like = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), self.loop.fetched_shapes()
            )
            states = {lane: restore(leaves[lane], like) for lane in leaves}
            self.loop.carry_on(states)
            for lane, state in states.items():
                batch.recorder.rewind(lane, int(state.step))
        # Lanes that have ended stay in the program: another width would be another program.
        self.loop.freeze(~np.isin(np.arange(self._session.width), batch.active()))

    def stops(self) -> Iterator[int]:
        """Run to the end of the stage, or until `watch` stops it; yield every step that is logged, after it.

        Raises:
            UserError: a folder cannot be written; the message says whether the pictures so far are saved.
        """
        try:
            yield from self._advance()
            look = self.loop.look()
            self._end_diverged(look)
            self.batch.gained |= (look.step > self._last - self.stage.steps) | (look.value == 0)
            stalled = self.loop.resting & (look.status == STALLED)
            warn_of_stalls(self.batch.folders, stalled, look.step, self._last)
        except UserError as error:  # the disk is full, or the folder has become unwritable
            self.interrupted = True
            try:
                self.finish()
            except UserError:
                raise error from None
            raise UserError(f"{error}; the picture so far is saved as result.png") from error

    def result(self) -> StageResult:
        """Return what the next stage begins with."""
        state = self.loop.state
        shown = self.loop.fetch(self._method.picture(state))
        pictures = [self._unfinished(lane, shown[lane]) for lane in range(self._session.width)]
        memory = self.loop.fetch(state.memory) if self._method.carried else None
        return StageResult(np.stack(pictures), state.evaluations, memory)

    def picture(self, lane: int) -> np.ndarray:
        """Return the current picture of a job."""
        shown = self.loop.fetch(self._method.picture(self.loop.state))
        return self._session.finish(self.batch.jobs[lane], self._unfinished(lane, shown[lane]))

    def finish(self) -> None:
        """Save the result of every job that has not ended yet."""
        for lane in self.batch.active():
            ended = "done" if self.batch.gained[lane] else "stalled"
            self._finish_lane(lane, "interrupted" if self.interrupted else ended)

    def _advance(self) -> Iterator[int]:
        before = self._last - self.stage.steps
        # Step 0 is the initial image; a later stage begins with a picture that has been logged.
        for stop in range(before + 1 if self.stage.number else 0, self._last + 1):
            logged = stop % self._config.log_every == 0 or stop == self._last
            if not logged and stop % self._config.snapshot_every:
                continue
            if not self.loop.run_to(stop, self._after_chunk):
                self.interrupted = True
                self._checkpoint()
                return
            look = self.loop.look()
            if logged:  # every job that is there, or takes no more steps
                there = (look.step == stop) | self.loop.resting
                self._log({lane: int(look.step[lane]) for lane in self.batch.active() if there[lane]}, look)
            for lane in range(len(self.batch.jobs)):
                if stop and stop % self._config.snapshot_every == 0 and look.step[lane] == stop:
                    self.batch.recorder.draw(lane, stop, self.picture(lane))
            if logged:
                yield stop

    def _unfinished(self, lane: int, image: Any) -> np.ndarray:
        """Return the picture that an optimised `image` of a lane stands for."""
        return self._session.picture(self.batch.padded[lane], self.stage, np.asarray(image))

    def _after_chunk(self, look: Look) -> bool:
        """Save diverged jobs, and a checkpoint if one is due; return False if the run should stop."""
        self._end_diverged(look)
        if not self.batch.watch(Look(*(entries[: len(self.batch.jobs)] for entries in look))):
            return False
        if processes.broadcast(self.batch.recorder.checkpoint_due):
            self._checkpoint()
        return True

    def _end_diverged(self, look: Look) -> None:
        for lane in self.batch.active():
            if self.loop.resting[lane] and look.status[lane] == NOT_FINITE:
                self._log({lane: int(look.step[lane])}, look)
                self._finish_lane(lane, "diverged")

    def _checkpoint(self) -> None:
        """Save a checkpoint of every job that has not ended."""
        self.loop.settle()
        leaves = self.loop.fetch(jax.tree.leaves(self.loop.state))
        parts = [*leaves, self._starts] if self._session.keeps_start else leaves
        by_lane = {lane: [np.asarray(part[lane]) for part in parts] for lane in self.batch.active()}
        self.batch.recorder.checkpoint(by_lane, self.stage.number)

    def _log(self, steps: Mapping[int, int], look: Look) -> None:
        """Log the lanes in `steps`, a lane's current step by lane, unless that step is logged already."""
        if runs := self.batch.recorder.unlogged(steps):
            terms = jax.device_get(self.loop.state.terms)
            self.batch.recorder.log(runs, look.step, look.evaluations, self.stage.scale, terms)

    def _finish_lane(self, lane: int, status: str) -> None:
        """Write the result of a lane with its final status."""
        batch, look, state = self.batch, self.loop.look(), self.loop.state
        job, name = batch.jobs[lane], batch.folders[lane].path.name
        shown = self.loop.fetch(self._method.picture(state))
        image, which = result_image(self.loop.fetch(state._replace(memory=None)), shown, lane, status, name)
        steps, evaluations = int(look.step[lane]), int(look.evaluations[lane])
        picture = self._session.finish(job, self._unfinished(lane, image))
        outcome = Outcome(picture, status, steps, evaluations, batch.recorder.seconds())
        record = run_record(job, outcome) | {"picture": which, "painted_together": len(batch.jobs)}
        batch.recorder.finish(lane, outcome.image, record)
        batch.outcomes[lane] = outcome
