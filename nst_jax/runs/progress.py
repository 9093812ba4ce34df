"""The progress bar of a run, and durations and sizes as text."""

import time
from collections.abc import Sequence

from tqdm import tqdm

from nst_jax.config import Config
from nst_jax.config.stages import stages_of, total_steps

# L-BFGS takes 1.05 to 1.15 evaluations per step, the other methods one.
EVALUATIONS_PER_STEP = 1.1
# Evaluations after which the duration is estimated: a few may be slow.
MEASURED_EVALUATIONS = 10


class Progress:
    """A bar over the steps of a run, with the loss, the time left and evaluations per second.

    Once the rate is known, it also prints an estimate of the whole run's duration.
    """

    def __init__(self, config: Config, shown: bool = True, costs: Sequence[float] | None = None):
        """Show a bar over all steps of a run with these settings, unless it is not `shown`.

        `costs` are relative costs of an evaluation at each stage, by default its pixels.
        """
        self.config = config
        self._costs = costs or [stage.scale**2 for stage in stages_of(config)]
        self.bar = tqdm(total=total_steps(config), unit="step", dynamic_ncols=True, disable=not shown)
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
            self.bar.initial = step
            self.bar.unpause()
        if self._updates <= 2:
            self._first = now, evaluations
        began, first = self._first
        rate = (evaluations - first) / (now - began) if now > began else 0.0
        measured = evaluations - first >= MEASURED_EVALUATIONS
        if rate and measured and not self._estimated and not self.bar.disable:
            self._estimated = True
            tqdm.write(estimate(self.config, rate, self._costs))
        self.bar.set_postfix_str(f"loss {loss:.4g}, {rate:.2f} evaluations/s", refresh=False)
        self.bar.update(step - self.bar.n)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()


def estimate(config: Config, rate: float, costs: Sequence[float]) -> str:
    """Return the expected duration of a run, as text, from its evaluations per second at the first scale.

    `costs` are relative costs of an evaluation at each stage.
    """
    stages = stages_of(config)
    steps = [stage.steps for stage in stages]
    work = sum(stage.steps * cost / costs[0] for stage, cost in zip(stages, costs, strict=True))
    counts = " + ".join(map(str, steps if len(set(steps)) > 1 else steps[:1]))
    sizes = " + ".join(str(round(config.size * stage.scale)) for stage in stages)
    return (
        f"estimate: {duration(work * EVALUATIONS_PER_STEP / rate)} for {counts} steps of "
        f"{config.optimizer.name} at {sizes} px"
    )


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
