"""The progress bar of a run, and durations and sizes as text."""

import itertools
import sys
import time
from collections.abc import Sequence

from tqdm import tqdm

from nst_jax.config import Config
from nst_jax.config.stages import Stage, stages_of

# L-BFGS takes 1.05 to 1.15 evaluations per step, the other methods one.
EVALUATIONS_PER_STEP = 1.1
# Evaluations after which the duration is estimated: a few may be slow.
MEASURED_EVALUATIONS = 10
# Steps have no unit in common: those of a fine stage take many times those of a coarse one.
BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


class Work:
    """The steps of a run, of which each counts as much as an evaluation at its stage costs."""

    def __init__(self, config: Config, costs: Sequence[float] | None = None):
        """`costs` are those of an evaluation at each stage, by default its pixels."""
        self.config, self.stages = config, stages_of(config)
        self.costs = costs or [(config.size * stage.scale) ** 2 for stage in self.stages]
        self.ends = list(itertools.accumulate(stage.steps for stage in self.stages))
        self.total = self.done(self.ends[-1])

    def done(self, step: int) -> float:
        """Return the work up to `step`, counted through all stages."""
        parts = zip(self.stages, self.ends, self.costs, strict=True)
        return sum(cost * min(max(step - end + stage.steps, 0), stage.steps) for stage, end, cost in parts)

    def stage_at(self, step: int) -> Stage:
        """Return the stage to which `step` belongs."""
        return next(stage for stage, end in zip(self.stages, self.ends, strict=True) if step <= end)


class Progress:
    """A bar over the work of a run, with the stage, the loss, the time left and evaluations per second.

    Once the rate is known, it also prints an estimate of the duration of the run, or of what is left of it.
    """

    def __init__(self, work: Work, shown: bool = True, begun: int = 0):
        """Show a bar over all of `work`, unless it is not `shown`; `begun` steps are done already."""
        self.work, self._begun = work, begun
        self.bar = tqdm(
            total=work.total,
            initial=work.done(begun),
            bar_format=BAR,
            dynamic_ncols=True,
            disable=not shown,
        )
        self._first = 0.0, 0
        self._updates = 0
        self._estimated = False

    def update(self, step: int, loss: float, evaluations: int) -> None:
        """Move the bar to `step`; rates are measured from the second call.

        What comes before is done once: compilation, and after the first call the first lines of all records.
        """
        now = time.monotonic()
        self._updates += 1
        if self._updates == 1:
            self.bar.unpause()
        if self._updates <= 2:
            self._first = now, evaluations
        began, first = self._first
        rate = (evaluations - first) / (now - began) if now > began else 0.0
        measured = evaluations - first >= MEASURED_EVALUATIONS
        if rate and measured and not self._estimated and not self.bar.disable:
            self._estimated = True
            tqdm.write(estimate(self.work, rate, step, self._begun))
        text = f"{stage_text(self.work, step)}, loss {loss:.4g}, {rate:.2f} evaluations/s"
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.update(self.work.done(step) - self.bar.n)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()


def shows_bars() -> bool:
    """Return whether someone watches: standard error is a terminal, or Python runs in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def stage_text(work: Work, step: int) -> str:
    """Describe where in the run `step` is: 'stage 2/3, 256 px, step 150/300'."""
    stage = work.stage_at(step)
    number = f"stage {stage.number + 1}/{len(work.stages)}, " if len(work.stages) > 1 else ""
    return f"{number}{round(work.config.size * stage.scale)} px, step {step}/{work.ends[-1]}"


def estimate(work: Work, rate: float, step: int, begun: int = 0) -> str:
    """Return the expected duration of what follows the first `begun` steps, as text.

    `rate` is that of evaluations at `step`, per second.
    """
    seconds = (work.total - work.done(begun)) * EVALUATIONS_PER_STEP / rate
    seconds /= work.costs[work.stage_at(step).number]
    if begun:
        return f"estimate: {duration(seconds)} for the remaining {work.ends[-1] - begun} steps"
    steps = [stage.steps for stage in work.stages]
    counts = " + ".join(map(str, steps if len(set(steps)) > 1 else steps[:1]))
    sizes = " + ".join(str(round(work.config.size * stage.scale)) for stage in work.stages)
    return f"estimate: {duration(seconds)} for {counts} steps of {work.config.optimizer.name} at {sizes} px"


def duration(seconds: float) -> str:
    """Format seconds as text: 95 -> '1 min 35 s'; one decimal below ten seconds."""
    if seconds < 9.95:  # from here on, one decimal would give '10.0 s'
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def roughly(seconds: float) -> str:
    """Format a predicted duration as text: 'under a minute', 'about 6 min', 'about 2 h'."""
    minutes = seconds / 60
    if minutes < 1:
        return "under a minute"
    return f"about {round(minutes)} min" if minutes < 90 else f"about {round(minutes / 60)} h"


def byte_count(count: int | float) -> str:
    """Format a number of bytes as text: 3_221_225_472 -> '3.0 GiB'."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
