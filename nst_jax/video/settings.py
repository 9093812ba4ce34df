"""The settings of a clip: those of a style transfer, and how one frame follows from the last."""

import dataclasses
from typing import Any

from nst_jax.config import Config, fields, from_dict
from nst_jax.errors import UserError
from nst_jax.images.folders import FOLDER
from nst_jax.video.flow import FLOWS

MOST_STEPS = 100_000


@dataclasses.dataclass(frozen=True)
class VideoConfig:
    """How a frame follows from those before it."""

    steps: int = 30  # of every frame but the first of a shot, at full size
    tolerance: float = 1e-3  # a frame is done once its loss falls by less, relatively, in `patience` steps
    patience: int = 10  # steps
    temporal_weight: float = 100.0  # of the distance to the last frames, warped along the flow
    references: tuple[int, ...] = (1, 2, 4)  # how many frames back those are that a frame is compared with
    flow: str = "auto"  # 'tvl1', 'dis' (OpenCV), or folder:PATH of .flo files; 'auto': dis if installed
    passes: int = 1  # over the clip, forwards and backwards in turn; more for a camera that moves much
    cut: float = 0.2  # a shot begins where less than this share of a frame follows from the one before
    frames: int = 0  # frames to paint; 0: all
    every: int = 1  # takes each n-th frame of the clip
    sheet: int = 8  # pictures on sheet.png

    def __post_init__(self) -> None:
        for name in ("steps", "patience", "passes", "every", "sheet"):
            fields.at_least(f"video.{name}", getattr(self, name), 1, MOST_STEPS)
        fields.at_least("video.frames", self.frames, 0)
        fields.not_negative("video.tolerance", self.tolerance)
        fields.not_negative("video.temporal_weight", self.temporal_weight)
        fields.not_negative("video.cut", self.cut)
        if not self.references or min(self.references) < 1 or max(self.references) > MOST_STEPS:
            raise UserError(f"video.references: {self.references} must be numbers of frames, such as (1, 2, 4)")
        if not self.flow.startswith(FOLDER):
            fields.one_of("video.flow", self.flow, ("auto", *FLOWS, f"{FOLDER}PATH"))


@dataclasses.dataclass(frozen=True)
class VideoSettings:
    """A style transfer whose `content` is a clip, and how its frames follow from one another."""

    transfer: Config
    video: VideoConfig

    def first(self) -> Config:
        """Return the settings of the first frame of a shot: the whole recipe."""
        return self.transfer

    def following(self) -> Config:
        """Return the settings of every other frame: at full size, from where the last one has moved."""
        optimizer = dataclasses.replace(self.transfer.optimizer, steps=self.video.steps)
        terms = {**self.transfer.terms, "temporal": self.video.temporal_weight}
        return dataclasses.replace(self.transfer, scales=(1.0,), optimizer=optimizer, terms=terms)


def video_settings(values: Any) -> VideoSettings:
    """Build the settings from a config whose section `video` holds a `VideoConfig`.

    Raises:
        UserError: a field is unknown or invalid, or cannot be used with clips.
    """
    given = dict(values.items())
    video = fields.from_config(_Section, {"video": given.pop("video", {})}).video
    transfer = from_dict(given)
    if transfer.method != "optimize":
        raise UserError(f"method: {transfer.method} cannot paint clips; use optimize")
    if transfer.starts_from_file() or transfer.devices != 1:
        raise UserError("init, devices: a clip starts from its frames, on one device; use content and 1")
    return VideoSettings(transfer, video)


@dataclasses.dataclass(frozen=True)
class _Section:
    video: VideoConfig
