"""What a run logs, and at which steps it logs, saves a snapshot, or goes on to its next stage."""

import itertools
from collections.abc import Iterator

from nst_jax.config import Config
from nst_jax.config.stages import stages_of


def stops(config: Config, stage: int) -> Iterator[int]:
    """Yield the steps of a stage, given by its index, after which to log, save or finish.

    The first stage begins with step 0, the initial image.
    """
    first, last = (-1, *stage_ends(config))[stage : stage + 2]
    for step in range(first + 1, last + 1):
        if step == last or step % config.log_every == 0 or step % config.snapshot_every == 0:
            yield step


def stage_ends(config: Config) -> tuple[int, ...]:
    """Return the number of the last step of each stage, counted through all stages."""
    return tuple(itertools.accumulate(stage.steps for stage in stages_of(config)))
