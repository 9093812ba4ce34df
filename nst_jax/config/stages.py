"""The parts of a run, each with one size and one program."""

from typing import NamedTuple

from nst_jax.config.schema import Config


class Stage(NamedTuple):
    """A part of a run with one size and one objective."""

    number: int
    scale: float  # relative to the full size
    steps: int
    splitting: bool = False  # whether it is the feature splitting of NNST


def stages_of(config: Config) -> tuple[Stage, ...]:
    """Return the stages of a run in order: one per scale, and with NNST the feature splitting at last."""
    parts = zip(config.active_scales(), config.steps_by_scale(), strict=True)
    stages = [Stage(index, scale, steps) for index, (scale, steps) in enumerate(parts)]
    if config.method == "nnst" and config.nnst.splitting:
        stages.append(Stage(len(stages), 1.0, config.nnst.splitting, splitting=True))
    return tuple(stages)


def total_steps(config: Config) -> int:
    """Return the number of steps of the whole run."""
    return sum(stage.steps for stage in stages_of(config))
