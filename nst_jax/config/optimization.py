"""The settings of an optimiser, validated; its name is checked later, by the module that defines it."""

import dataclasses

from nst_jax.config import fields
from nst_jax.errors import UserError

# Limits that no real run comes near; a number beyond them is a mistake.
MOST_STEPS, MOST_MEMORY = 10_000_000, 1000
# The fields that each method reads, of those that not all of them do; a method not listed here may read any.
READ = {
    "lbfgs": ("memory", "least_memory", "bands"),
    "adam": ("learning_rate", "b2", "average", "warm_start"),
    "nadam": ("learning_rate", "b2", "average", "warm_start"),
    "gd": ("learning_rate",),
}


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """How the image is optimised."""

    name: str = "lbfgs"  # a name in optimizers/methods.py
    steps: int | tuple[int, ...] = 500  # at each scale, or one number per scale
    learning_rate: float = 0.02  # for adam, nadam and gd, in [0,1] pixel units; lbfgs uses a line search
    memory: int = 10  # steps in the history of lbfgs
    least_memory: int = 0  # where memory is short, lbfgs may keep as few; 0: never fewer than `memory`
    b2: float = 0.999  # adam, nadam: decay of the mean squared gradients
    average: float = 0.0  # adam, nadam: decay of the average of images that is the result; 0: the last one
    warm_start: bool = False  # adam, nadam: begin a scale with the moments of the last one
    bands: bool = True  # lbfgs: one initial scale per frequency band, see optimizers/bands.py

    def __post_init__(self) -> None:
        for steps in self.steps if isinstance(self.steps, tuple) else (self.steps,):
            fields.at_least("optimizer.steps", steps, 1, MOST_STEPS)
        fields.positive("optimizer.learning_rate", self.learning_rate)
        fields.at_least("optimizer.memory", self.memory, 1, MOST_MEMORY)
        fields.at_least("optimizer.least_memory", self.least_memory, 0, MOST_MEMORY)
        for field in ("b2", "average"):
            if not 0 <= getattr(self, field) < 1:
                raise UserError(f"optimizer.{field}: {getattr(self, field)} is not in [0, 1)")

    def unread(self) -> tuple[str, ...]:
        """The fields that the method of this name does without."""
        some = {field for fields in READ.values() for field in fields}
        return tuple(sorted(some - {*READ.get(self.name, some)}))

    def with_history(self, steps: int) -> "OptimizerConfig":
        """These settings with a history of so many `steps`."""
        return dataclasses.replace(self, memory=steps)

    def may_lower(self, steps: int) -> bool:
        """Whether a run with these settings may keep a history of only so many `steps`."""
        return 0 < self.least_memory <= steps < self.memory

    def steps_by_scale(self, scales: int) -> tuple[int, ...]:
        """The number of steps at each of so many `scales`.

        Raises:
            UserError: `steps` are given for another number of scales.
        """
        steps = self.steps if isinstance(self.steps, tuple) else (self.steps,) * scales
        if len(steps) != scales:
            raise UserError(f"optimizer.steps: {steps} are {len(steps)} numbers, but scales has {scales}")
        return steps
