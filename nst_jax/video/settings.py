"""The settings of a clip: those of a style transfer, and how one frame follows from the last."""

import dataclasses

from nst_jax.config import Config, fields
from nst_jax.errors import UserError
from nst_jax.images.folders import FOLDER
from nst_jax.video.flow import FLOWS

MOST_STEPS = 100_000


@dataclasses.dataclass(frozen=True)
class VideoConfig:
    """How a frame follows from those before it."""

    steps: int = 15  # of every frame but the first of a shot; twice as many at the scale before the last
    tolerance: float = 1e-3  # a frame is done once its loss falls by less, relatively, in `patience` steps
    patience: int = 10  # steps
    temporal_weight: float = 60.0  # of the distance to the last frames, warped along the flow
    references: tuple[int, ...] = (1, 2, 4)  # how many frames back those are that a frame is compared with
    flow: str = "auto"  # 'tvl1', 'dis' (OpenCV), or folder:PATH of .flo files; 'auto': dis if installed
    passes: int = 1  # over the clip, forwards and backwards in turn; more for a camera that moves much
    cut: float = 0.2  # a shot begins where less than this share of a frame follows from the one before
    frames: int = 0  # frames to paint; 0: all
    every: int = 1  # takes each n-th frame of the clip
    sheet: int = 8  # pictures on sheet.png
    chunk: int = 24  # with --cluster: frames that one machine paints, at most; never of two shots
    overlap: int = 4  # frames that two chunks of a shot both paint, to be cross-faded

    def __post_init__(self) -> None:
        for name in ("steps", "patience", "passes", "every", "sheet", "chunk"):
            fields.at_least(f"video.{name}", getattr(self, name), 1, MOST_STEPS)
        fields.at_least("video.frames", self.frames, 0)
        fields.not_negative("video.tolerance", self.tolerance)
        fields.not_negative("video.temporal_weight", self.temporal_weight)
        fields.not_negative("video.cut", self.cut)
        fields.at_least("video.overlap", self.overlap, 0)
        if self.overlap > self.chunk // 2:
            raise UserError(f"video.overlap: {self.overlap} is more than half of video.chunk, {self.chunk}")
        if not self.references or min(self.references) < 1 or max(self.references) > MOST_STEPS:
            raise UserError(
                f"video.references: {self.references} must be numbers of frames, such as (1, 2, 4)"
            )
        if not self.flow.startswith(FOLDER):
            fields.one_of("video.flow", self.flow, ("auto", *FLOWS, f"{FOLDER}PATH"))


@dataclasses.dataclass(frozen=True)
class VideoSettings(Config):
    """A style transfer whose `content` is a clip, and how its frames follow from one another."""

    video: VideoConfig = dataclasses.field(default_factory=VideoConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method != "optimize":
            raise UserError(f"method: {self.method} cannot paint clips; use optimize")
        if self.starts_from_file():
            raise UserError(f"init: {self.init}: a clip starts from its frames; use content, style or noise")
        if self.devices != 1:
            raise UserError(f"devices: {self.devices}: a clip is painted on one device; use 1")

    def first(self) -> Config:
        """Return the settings of the first frame of a shot: the whole recipe."""
        return Config(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Config)})

    def following(self) -> Config:
        """Return the settings of every other frame, from where the last one has moved.

        The last two scales are enough: what is carried along needs none but the finest, and what comes into
        view is as small as the motion. A step at the coarser one costs a quarter, and twice as many keep the
        colours of what comes into view.
        """
        scales, steps = self.scales[-2:], (2 * self.video.steps, self.video.steps)
        optimizer = dataclasses.replace(self.optimizer, steps=steps[-len(scales) :])
        terms = {**self.terms, "temporal": self.video.temporal_weight}
        return dataclasses.replace(self.first(), scales=scales, optimizer=optimizer, terms=terms)
