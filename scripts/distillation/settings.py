"""Settings of a distillation, typed and checked; see configs/distill.py."""

import dataclasses

from nst_jax.config import fields
from nst_jax.config.schema import LARGEST_SIDE, SMALLEST_SIDE
from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture

from .training import WARMUP, Recipe

MOST_CROPS = 1024  # in a batch; a number beyond it is a mistake


@dataclasses.dataclass(frozen=True)
class DistillSettings:
    """One stage of the training."""

    seed: int
    steps: int  # last step of the stage, counted from the start of the first stage
    frozen_up_to: str  # the deepest frozen layer; '' for none
    crop: int  # side of the crops, pixels
    batch: int
    natural: int  # undisturbed crops per batch
    learning_rate: float
    widths: tuple[int, ...]  # filters in each block
    teacher: tuple[str, ...]  # weight files of VGG-19; later ones replace layers of earlier ones
    start: str  # a weight file whose first layers are kept as a start; '' for none
    images: dict[str, int]  # folder below `image_root` -> number of held-out pictures
    image_root: str
    terms: dict[str, float]  # weights of the objective's terms, see lessons.py
    log_every: int = 10
    checkpoint_minutes: float = 5.0
    snapshot_every: int = 100

    def __post_init__(self) -> None:
        for name in ("natural", "log_every", "snapshot_every"):
            fields.at_least(name, getattr(self, name), 1)
        fields.at_least("steps", self.steps, WARMUP + 1)  # the learning rate decays after the warmup
        fields.at_least("crop", self.crop, SMALLEST_SIDE, LARGEST_SIDE)
        fields.at_least("batch", self.batch, 1, MOST_CROPS)
        fields.at_least("seed", self.seed, 0, fields.LARGEST_SEED)
        fields.positive("learning_rate", self.learning_rate)
        fields.positive("checkpoint_minutes", self.checkpoint_minutes)
        fields.not_empty("image_root", self.image_root, "photos")
        if not self.teacher:
            raise UserError("teacher: is empty; give the weight files of VGG-19")
        if self.frozen_up_to:
            fields.one_of("frozen_up_to", self.frozen_up_to, architecture("slim").weighted)
        if self.natural > self.batch:
            raise UserError(f"natural: {self.natural} is more than the {self.batch} crops of a batch")

    def recipe(self) -> Recipe:
        """Return the settings that a training step depends on."""
        return Recipe(
            seed=self.seed,
            steps=self.steps,
            learning_rate=self.learning_rate,
            widths=self.widths,
            natural=self.natural,
            terms=self.terms,
            frozen_up_to=self.frozen_up_to,
        )
