"""Painting of a single frame: by the whole recipe, or by a few steps from where earlier frames have moved."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from nst_jax import images
from nst_jax.config import Config
from nst_jax.config.stages import Stage, stages_of
from nst_jax.errors import UserError
from nst_jax.images.folders import FOLDER, folder_pictures
from nst_jax.images.writing import to_bytes
from nst_jax.losses.terms.temporal import CARRIED, WEIGHT
from nst_jax.methods.transfers import open_session
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.optimizers.loop import Loop, Watch
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.state import NOT_FINITE
from nst_jax.transfer.job import Job
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.stage_session import StageSession
from nst_jax.video.clip_folder import Frame
from nst_jax.video.reliability import Carried
from nst_jax.video.settings import VideoSettings
from nst_jax.weights import load_network


class Painted(NamedTuple):
    """A frame, and what its painting took."""

    picture: Frame
    steps: int
    evaluations: int
    terms: dict[str, float]  # the loss, and the terms of the objective


class FramePainter:
    """Paints the frames of a clip with programs that are compiled once."""

    def __init__(self, settings: VideoSettings, network: tuple[Network, Weights] | None = None):
        """Load the network, unless it is given: a result of `load_network`.

        Raises:
            UserError: the weights or a folder of masks cannot be used.
        """
        self._settings = settings
        self.network = network or load_network(settings.network, settings.required_layers())
        self._sessions: dict[bool, StageSession] = {}
        self.masks = masks_of(settings)

    @property
    def weights(self) -> Weights:
        """The weights of the network."""
        return self.network[1]

    def job(
        self, content: Path, frame: int, known: Carried | None = None, start: np.ndarray | None = None
    ) -> Job:
        """Return the job of a frame: the whole recipe, or from `start` with what is `known` of it.

        Raises:
            UserError: a picture or a setting cannot be used.
        """
        config = self._settings.first() if known is None else self._settings.following()
        config = dataclasses.replace(config, content=str(content))
        job = prepare(with_masks(config, self.masks, frame), self.network)
        if known is None:
            return job
        extra = {CARRIED: known.picture[None], WEIGHT: np.repeat(known.weight[None, ..., None], 3, -1)}
        return dataclasses.replace(job, start=start, extra=extra)

    def session(self, job: Job) -> StageSession:
        """Return the programs for a job; the first frame's and those of all others."""
        follows = bool(job.extra)
        if follows not in self._sessions:
            self._sessions[follows] = open_session([job])
        return self._sessions[follows]

    def paint(self, job: Job, watch: Watch) -> Painted | None:
        """Paint a frame; None if `watch` stopped it.

        Raises:
            UserError: the loss did not remain finite.
        """
        session, method = self.session(job), find_method(job.config.optimizer)
        stages, steps, evaluations = stages_of(job.config), 0, 0
        picture = job.initial_image(stages[0].scale)
        for stage in stages:
            start = images.resize(picture, *job.size_at(stage.scale))
            if job.extra and stage.number:  # the coarser scale was for what earlier frames do not show
                weight = job.extra[WEIGHT]
                start = weight * job.extra[CARRIED] + (1 - weight) * start
            loop = session.begin([job], stage, start[None])
            for stop in self._stops(stage, bool(job.extra), loop):
                if not loop.run_to(stop, watch):
                    return None
            look = loop.look()
            if look.status[0] == NOT_FINITE:
                raise UserError("content_weight, style_weight: too large: the loss is not finite")
            picture = session.picture(job, stage, loop.fetch(method.picture(loop.state))[0])
            steps, evaluations = steps + int(look.step[0]), evaluations + int(look.evaluations[0])
        terms = {name: float(values[0]) for name, values in jax.device_get(loop.state.terms).items()}
        shown = to_bytes(session.finish(job, picture)[0])
        return Painted(shown, steps, evaluations, {"total": float(look.value[0]), **terms})

    def _stops(self, stage: Stage, follows: bool, loop: Loop) -> Iterator[int]:
        """Yield the steps of a stage at which to look whether the loss of a frame still falls."""
        video, last = self._settings.video, math.inf
        if not follows:
            yield stage.steps
            return
        for stop in range(video.patience, stage.steps + video.patience, video.patience):
            yield min(stop, stage.steps)
            value = float(loop.look().value[0])
            if last - value < video.tolerance * value:
                return
            last = value


def masks_of(config: Config) -> dict[str, list[str]]:
    """Return the masks of each style whose region is `folder:PATH`: one per frame, in order of their names.

    Raises:
        UserError: a folder has no pictures.
    """
    found = {}
    for name, style in config.styles.items():
        if style.region.startswith(FOLDER):
            folder, names = folder_pictures(style.region)
            found[name] = [str(folder / mask) for mask in names]
    return found


def with_masks(config: Config, masks: Mapping[str, list[str]], frame: int) -> Config:
    """Return the settings of a frame, whose regions are its own masks.

    Raises:
        UserError: a folder has fewer masks than the clip has frames.
    """
    styles = dict(config.styles)
    for name, files in masks.items():
        if frame >= len(files):
            raise UserError(
                f"styles.{name}.region: {styles[name].region} has {len(files)} masks, but there is a frame "
                f"{frame + 1}"
            )
        styles[name] = dataclasses.replace(styles[name], region=files[frame])
    return dataclasses.replace(config, styles=styles)
