"""Watches a run between chunks: progress bar, metrics, snapshots, checkpoints, Ctrl-C."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from nst_jax.config import Config
from nst_jax.optimize import RUNNING, State
from nst_jax.report import Progress
from nst_jax.run_folder import Checkpoint, RunFolder

# A checkpoint is written when the time since the last one is this many times what it cost: 5 % at most.
CHECKPOINT_SPACING = 20


class CtrlC:
    """A context in which the first Ctrl-C only sets `pressed`; the second interrupts at once."""

    def __init__(self) -> None:
        """Not pressed yet."""
        self.pressed = False
        self._handler: Any = None

    def __enter__(self) -> "CtrlC":
        self._handler = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._handler)

    def _press(self, number: int, frame: FrameType | None) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        tqdm.write("stopping after the step under way; Ctrl-C again stops at once and loses it")


class Recorder:
    """Writes down what a run does while it runs; a context manager that also catches Ctrl-C.

    The first Ctrl-C lets the steps under way finish, so that the picture can be saved; the second one
    interrupts at once.
    """

    def __init__(self, config: Config, folder: RunFolder, identity: str, resumed: Checkpoint | None = None):
        """Record into `folder`, going on from `resumed`."""
        self.config = config
        self.folder = folder
        self.identity = identity
        self.progress = Progress(config.optimizer.steps * len(config.scales))
        self.scale = 0
        self.terms: Callable[[jax.Array], dict[str, Any]] = lambda image: {}
        self._logged = -1
        self._began = time.monotonic() - (resumed.seconds if resumed else 0.0)
        self._next_checkpoint = time.monotonic()
        self._ctrl_c = CtrlC()

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._ctrl_c.pressed

    def seconds(self) -> float:
        """Wall seconds of the whole run, earlier parts included."""
        return time.monotonic() - self._began

    def enter_scale(self, index: int, terms: Callable[[jax.Array], dict[str, Any]]) -> None:
        """From now on states belong to `config.scales[index]`, and `terms` gives an image's losses."""
        self.scale, self.terms = index, terms

    def stops(self) -> Iterator[int]:
        """The steps of this scale at which the optimiser must pause: those to log, to draw, and the last."""
        return stops(self.config, self.scale)

    def __call__(self, state: State) -> bool:
        """Note `state`; False when the run should stop."""
        step = int(state.step)
        self.progress.update(step, float(state.value), int(state.evaluations))
        last = step % self.config.optimizer.steps == 0 or int(state.status) != RUNNING
        if last or step % self.config.log_every == 0:
            self.log(state)
        if step % self.config.snapshot_every == 0:
            self.folder.save_snapshot(step, np.asarray(state.image))
        if self.interrupted or time.monotonic() >= self._next_checkpoint:
            self._checkpoint(state)
        return not self.interrupted

    def rewind(self, step: int) -> None:
        """Forget what was logged after `step`: it will be logged again."""
        self._logged = self.folder.metrics.rewind(step)

    def log(self, state: State) -> None:
        """Append the metrics of `state`, once per step: a recovery comes back to a step seen before."""
        if int(state.step) == self._logged:
            return
        self._logged = int(state.step)
        terms = {name: float(value) for name, value in self.terms(state.image).items()}
        evaluations, scale = int(state.evaluations), self.config.scales[self.scale]
        line = metrics_line(self._logged, evaluations, self.seconds(), scale, terms)
        self.folder.metrics.write(line)

    def _checkpoint(self, state: State) -> None:
        began = time.monotonic()
        leaves = [np.asarray(leaf) for leaf in jax.device_get(jax.tree.leaves(state))]
        self.folder.save_checkpoint(Checkpoint(leaves, self.scale, self.seconds()), self.identity)
        now = time.monotonic()
        self._next_checkpoint = now + CHECKPOINT_SPACING * (now - began)

    def __enter__(self) -> "Recorder":
        self._ctrl_c.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._ctrl_c.__exit__()
        self.progress.close()


def stops(config: Config, scale: int) -> Iterator[int]:
    """The steps of the scale of that index at which there is something to log, to draw, or to end."""
    steps = config.optimizer.steps
    for step in range(scale * steps + 1, (scale + 1) * steps + 1):
        if step % steps == 0 or step % config.log_every == 0 or step % config.snapshot_every == 0:
            yield step


def metrics_line(
    step: int, evaluations: int, seconds: float, scale: float, terms: Mapping[str, float]
) -> dict[str, Any]:
    """A line of metrics.jsonl: where a run stands, then the sums, then each layer's term."""
    order = sorted(terms, key=lambda name: ("/" in name, name != "total"))  # jitted dicts come sorted by name
    about = {"step": step, "evaluations": evaluations, "seconds": round(seconds, 3), "scale": scale}
    return about | {name: terms[name] for name in order}
