"""The parts of a run, each with one size and one program."""

from typing import NamedTuple

from nst_jax.config.schema import Config
from nst_jax.config.transfer_methods import TRANSFER_METHODS


class Stage(NamedTuple):
    """A part of a run with one size and one objective."""

    number: int
    scale: float  # relative to the full size
    steps: int
    extra: bool = False  # whether it is that of the method's `extra_steps`


def stages_of(config: Config) -> tuple[Stage, ...]:
    """Return the stages of a run in order: one per scale, and then what the method adds."""
    parts = zip(config.active_scales(), config.steps_by_scale(), strict=True)
    stages = [Stage(index, scale, steps) for index, (scale, steps) in enumerate(parts)]
    if steps := TRANSFER_METHODS[config.method].extra_steps(config):
        stages.append(Stage(len(stages), 1.0, steps, extra=True))
    return tuple(stages)


def total_steps(config: Config) -> int:
    """Return the number of steps of the whole run."""
    return sum(stage.steps for stage in stages_of(config))
