"""A job: a config with its pictures and its network, all read and checked."""

import dataclasses

import jax
import numpy as np

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
from nst_jax.weights import load_network


@dataclasses.dataclass(frozen=True)
class Job:
    """One style transfer, ready to be computed."""

    config: Config
    content: np.ndarray
    style: np.ndarray
    start: np.ndarray | None  # None for noise
    network: Network
    weights: Weights

    def identity(self) -> str:
        """Return a digest of the inputs, which a resumed run compares with that of its checkpoint."""
        pictures = [self.content, self.style] + ([] if self.start is None else [self.start])
        return f"{picture_digest(*pictures)} {self.weights.sha256}"

    def sizes_at(self, scale: float) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return (height, width) of the result and of the style picture at `scale` times the full size."""
        size = self.config.size * scale
        result = images.fitted(self.content.shape[1:3], round(size))
        return result, images.fitted(self.style.shape[1:3], round(size * self.config.style_scale))

    def shape_at(self, scale: float) -> tuple[int, ...]:
        """Return the shape of the result at `scale` times the full size."""
        return (1, *self.sizes_at(scale)[0], 3)

    def initial_image(self, scale: float) -> np.ndarray:
        """Return the initial image: the picture that `init` names, or Gaussian noise about the mean colour.

        The authors' code adds noise of standard deviation 1 to the network's input, on the scale 0 to 255
        (leongatys/DeepTextures). Strong noise, such as uniform in [0,1], leaves a grain in the result:
        the gradient of the losses is almost zero at the finest frequencies.
        """
        height, width = self.sizes_at(scale)[0]
        if self.start is None:
            grain = jax.random.normal(jax.random.key(self.config.seed), (1, height, width, 3))
            return np.asarray(self.weights.preprocessing.mean_color() + self.config.noise * grain)
        return images.resize(self.start, height, width)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a job: the picture, and statistics of the run."""

    image: np.ndarray
    status: str  # 'done' or 'interrupted' or 'diverged'
    steps: int
    evaluations: int
    seconds: float


def prepare(config: Config, network: tuple[Network, Weights] | None = None) -> Job:
    """Read the pictures, and the weights unless `network`, as `load_network` returns it, is given.

    Raises:
        UserError: a picture, the weights or a setting cannot be used; nothing has been written.
    """
    _check_names(config)
    content, style = _read("content", config.content), _read("style", config.style)
    starts = {"noise": None, "content": content, "style": style}
    start = starts[config.init] if config.init in starts else _read("init", config.init)
    _check_sizes(config, content, style)
    layers = config.active_layers()
    built, weights = network or load_network(config.network, layers)
    if missing := [layer for layer in layers if layer not in built.layers]:
        available = ", ".join(built.layers)
        raise UserError(f"network.weights: {weights.name} ends before {missing[0]}; it has {available}")
    if config.tile:
        _check_tiles(config, built)
    return Job(config, content, style, start, built, weights)


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


def _read(field: str, source: str) -> np.ndarray:
    try:
        return images.read(source)
    except UserError as error:
        choices = "expected noise, content, style or a picture; " if field == "init" else ""
        raise UserError(f"{field}: {choices}{error}") from error


def _check_names(config: Config) -> None:
    find_method(config.optimizer)
    for name in config.style_losses:
        fields.one_of("style_losses", name, STYLE_LOSSES)


def _check_sizes(config: Config, content: np.ndarray, style: np.ndarray) -> None:
    """Refuse pictures of which pooling would leave nothing at the deepest layer."""
    deepest = config.active_layers()[-1]
    needed = receptive.smallest_side(architecture(config.network.arch).layers, deepest)
    size = config.size * min(config.scales)
    for field, picture, longer in (
        ("size", content, size),
        ("style_scale", style, size * config.style_scale),
    ):
        shorter = longer * min(picture.shape[1:3]) / max(picture.shape[1:3])
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
    if layer := misfit(up_to(network.geometry, config.active_layers()[-1])):
        raise UserError(f"tile: {config.tile} cannot be used with {layer.name} of this network; use 0")
