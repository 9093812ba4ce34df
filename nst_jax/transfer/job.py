"""A job: a config with its pictures and network, read and validated, ready to be computed."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping

import jax
import numpy as np

from nst_jax import images
from nst_jax.config import Config, to_dict
from nst_jax.images.color import is_gray
from nst_jax.losses.features.request import EVERYWHERE
from nst_jax.networks import receptive
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.runs.checkpoint import picture_digest
from nst_jax.runs.machine import environment, peak_memory_bytes
from nst_jax.transfer.regions import Region, free_share
from nst_jax.transfer.styles import Style
from nst_jax.variables.variable import Canvas, Kept


@dataclasses.dataclass(frozen=True)
class Job:
    """One style transfer, ready to be computed."""

    config: Config
    photo: np.ndarray  # the content at full size, or smaller if its file is
    content: np.ndarray  # what the losses see of it: the photo, or its luminance
    styles: tuple[Style, ...]
    regions: dict[str, Region]  # of the content
    start: np.ndarray | None  # None for noise
    network: Network
    weights: Weights
    extra: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)  # for terms: see `Inputs.extra`

    def identity(self) -> str:
        """Return a digest of the inputs, which a resumed run compares with that of its checkpoint."""
        return f"{self._picture_digest} {self.weights.sha256}"

    @functools.cached_property  # over every pixel
    def _picture_digest(self) -> str:
        pictures = [self.content, *(picture for style in self.styles for picture in style.pictures)]
        masks = [*(region.mask for region in self.regions.values()), *(style.mask for style in self.styles)]
        inputs = [
            array for array in (*pictures, self.start, *masks, *self.extra.values()) if array is not None
        ]
        return picture_digest(*inputs)

    def digest(self) -> str:
        """Return a digest of the inputs and all settings, in hexadecimal digits."""
        text = f"{self.identity()} {json.dumps(to_dict(self.config), sort_keys=True)}"
        return hashlib.sha256(text.encode()).hexdigest()

    # Asked for at every stage, and a pass over all pictures.
    @functools.cached_property
    def gray(self) -> bool:
        """Whether all pictures are gray, and the result shall be; `luminance` takes care of chroma itself."""
        pictures = [self.photo, *(picture for style in self.styles for picture in style.pictures)]
        if self.start is not None:
            pictures.append(self.start)
        return self.config.color != "luminance" and all(map(is_gray, pictures))

    @property
    def has_gaps(self) -> bool:
        """Whether styles apply to regions only, which need not cover the content."""
        return all(style.region != EVERYWHERE for style in self.styles)

    def canvas_at(self, scale: float) -> Canvas:
        """Return what is known of the result at `scale` times the full size."""
        size, wrap = self.size_at(scale), self.config.network.padding == "circular"
        if not self.has_gaps:
            return Canvas(size, None, self.gray)
        free = free_share(self.regions, size, self.config.guides, wrap)
        return Canvas(size, Kept(images.resize(self.content, *size), free), self.gray)

    def size_at(self, scale: float) -> tuple[int, int]:
        """Return (height, width) of the result at `scale` times the full size."""
        fitted = images.fitted(self.content.shape[1:3], round(self.config.size * scale))
        if self.config.network.padding != "circular":
            return fitted
        # A seamless picture is poolings without a rest.
        step = receptive.stride(self.network.geometry, self.config.active_layers()[-1])
        height, width = (max(1, round(side / step)) * step for side in fitted)
        return height, width

    def style_size(self, style: Style, picture: np.ndarray, scale: float) -> tuple[int, int]:
        """Return (height, width) of a picture of `style` at `scale` times the full size."""
        return images.fitted(picture.shape[1:3], round(self.config.size * scale * style.scale))

    def shape_at(self, scale: float) -> tuple[int, ...]:
        """Return the shape of the result at `scale` times the full size."""
        return (1, *self.size_at(scale), 3)

    def initial_image(self, scale: float) -> np.ndarray:
        """Return the initial image: the picture that `init` names, or Gaussian noise about the mean colour.

        The authors' code adds noise of standard deviation 1 to the network's input, on the scale 0 to 255
        (leongatys/DeepTextures). Strong noise, such as uniform in [0,1], leaves a grain in the result:
        the gradient of the losses is almost zero at the finest frequencies.
        """
        height, width = self.size_at(scale)
        if self.start is None:
            grain = jax.random.normal(jax.random.key(self.config.seed), (1, height, width, 3))
            return np.asarray(self.weights.preprocessing.mean_color() + self.config.noise * grain)
        return images.resize(self.start, height, width)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a job: the picture, and statistics of the run."""

    image: np.ndarray
    status: str  # 'done', 'interrupted', 'diverged' or 'stalled'
    steps: int
    evaluations: int
    seconds: float


def run_record(job: Job, outcome: Outcome) -> dict[str, object]:
    """Return the contents of run.json for a run that ended."""
    return {
        "status": outcome.status,
        "network": {
            "name": job.weights.name,
            "arch": job.weights.arch,
            "sha256": job.weights.sha256,
        },
        "steps": outcome.steps,
        "evaluations": outcome.evaluations,
        "wall_seconds": round(outcome.seconds, 3),
        "peak_memory_bytes": peak_memory_bytes(),
        **environment(),
    }
