"""A job: a config with its pictures and its network, all read and checked."""

import contextlib
import dataclasses
from collections.abc import Iterator

import jax
import numpy as np
from absl import logging

from nst_jax import images
from nst_jax.config import Config, fields
from nst_jax.errors import UserError
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.losses.tile_plan import misfit
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture, up_to
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.optimizers.methods import find_method
from nst_jax.runs.checkpoint import picture_digest
from nst_jax.runs.machine import environment, peak_memory_bytes
from nst_jax.transfer.pictures import Pictures
from nst_jax.weights import load_network

USEFUL_TILE = 128  # pixels: below, memory does not shrink any more, and halos dominate the arithmetic


@dataclasses.dataclass(frozen=True)
class Job:
    """One style transfer, ready to be computed."""

    config: Config
    content: np.ndarray  # at full size, or smaller if its file is
    style: np.ndarray  # likewise
    start: np.ndarray | None  # likewise; None for noise
    network: Network
    weights: Weights
    # Height and width of the files, which give the exact aspect ratios.
    content_size: tuple[int, int]
    style_size: tuple[int, int]

    def identity(self) -> str:
        """Return a digest of the inputs, which a resumed run compares with that of its checkpoint."""
        pictures = [self.content, self.style] + ([] if self.start is None else [self.start])
        return f"{picture_digest(*pictures)} {self.weights.sha256}"

    def sizes_at(self, scale: float) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return (height, width) of the result and of the style picture at `scale` times the full size."""
        size = self.config.size * scale
        result = images.fitted(self.content_size, round(size))
        return result, images.fitted(self.style_size, round(size * self.config.style_scale))

    def shape_at(self, scale: float) -> tuple[int, ...]:
        """Return the shape of the result at `scale` times the full size."""
        return (1, *self.sizes_at(scale)[0], 3)

    def initial_image(self, scale: float) -> np.ndarray:
        """Return the initial image: white noise, uniform in [0,1], or the picture that `init` names."""
        height, width = self.sizes_at(scale)[0]
        if self.start is None:
            return np.asarray(jax.random.uniform(jax.random.key(self.config.seed), (1, height, width, 3)))
        return images.resize(self.start, height, width)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a job: the picture, and statistics of the run."""

    image: np.ndarray
    status: str  # 'done' or 'interrupted' or 'diverged'
    steps: int
    evaluations: int
    seconds: float


def prepare(
    config: Config, network: tuple[Network, Weights] | None = None, pictures: Pictures | None = None
) -> Job:
    """Read the pictures and the weights, unless they are given: `network` is a result of `load_network`.

    Raises:
        UserError: a picture, the weights or a setting cannot be used; nothing has been written.
    """
    _check_names(config)
    if pictures is None:
        pictures = Pictures([config])
        pictures.require_memory()
    with _named("content"):
        content = pictures.fitted(config.content, config.size)
    with _named("style"):
        style = pictures.fitted(config.style, config.style_size())
    _check_sizes(config, content.size, style.size)
    start = _start(config, pictures, images.fitted(content.size, config.size))
    layers = config.active_layers()
    built, weights = network or load_network(config.network, layers)
    if missing := [layer for layer in layers if layer not in built.layers]:
        available = ", ".join(built.layers)
        raise UserError(f"network.weights: {weights.name} ends before {missing[0]}; it has {available}")
    if config.tile:
        _check_tiles(config, built)
    sizes = content.size, style.size
    return Job(config, content.pixels, style.pixels, start, built, weights, *sizes)


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


def _start(config: Config, pictures: Pictures, size: tuple[int, int]) -> np.ndarray | None:
    """Return the initial picture at the full `size` of the result; None for noise."""
    if config.init == "noise":
        return None
    source = {"content": config.content, "style": config.style}.get(config.init, config.init)
    with _named("init: expected noise, content, style or a picture"):
        return pictures.resized(source, *size)


@contextlib.contextmanager
def _named(field: str) -> Iterator[None]:
    """Put the name of the `field` in front of the errors of its picture."""
    try:
        yield
    except UserError as error:
        raise error.prefixed(field) from error


def _check_names(config: Config) -> None:
    find_method(config.optimizer)
    for name in config.style_losses:
        fields.one_of("style_losses", name, STYLE_LOSSES)


def _check_sizes(config: Config, content: tuple[int, int], style: tuple[int, int]) -> None:
    """Refuse pictures of which pooling would leave nothing at the deepest layer."""
    deepest = config.active_layers()[-1]
    needed = receptive.smallest_side(architecture(config.network.arch).layers, deepest)
    size = config.size * min(config.scales)
    for field, shape, longer in (
        ("size", content, size),
        ("style_scale", style, size * config.style_scale),
    ):
        shorter = longer * min(shape) / max(shape)
        if round(shorter) < needed:
            raise UserError(
                f"{field}: {getattr(config, field)} leaves a shorter side of {shorter:.0f} pixels; "
                f"{deepest} needs {needed}"
            )


def _check_tiles(config: Config, network: Network) -> None:
    """Refuse tiles with losses or layers that are exact only on the whole picture."""
    for name in config.active_losses():
        if not STYLE_LOSSES[name].additive:
            raise UserError(f"tile: {config.tile} cannot be used with style_losses.{name}; use 0")
    if config.tile < USEFUL_TILE:
        logging.warning("tile: %d is slower than %d and saves no memory", config.tile, USEFUL_TILE)
    if layer := misfit(up_to(network.geometry, config.active_layers()[-1])):
        raise UserError(f"tile: {config.tile} cannot be used with {layer.name} of this network; use 0")
