"""The sizes at which pictures are large enough for a network, and the scales of a run that are not."""

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nst_jax import images
from nst_jax.config import Config
from nst_jax.config.schema import LARGEST_SIDE
from nst_jax.errors import UserError
from nst_jax.images.reading import sides
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.transfer.pictures import picture_sources
from nst_jax.transfer.styles import Style


class Input(NamedTuple):
    """A picture that the network sees at every scale."""

    field: str  # that sets its size
    source: str
    shape: tuple[int, ...]  # height and width of the file, or as it is kept
    relative: float  # its size relative to the result

    def shorter_side(self, size: int, scale: float) -> int:
        """The shorter side in pixels at `scale` times the full size, for a result of `size` pixels."""
        # It is kept at full size: rounding the sides twice may differ from rounding them once.
        kept = images.fitted(self.shape, min(max(self.shape), round(size * self.relative)))
        return min(images.fitted(kept, round(size * scale * self.relative)))


def with_fitting_scales(config: Config) -> tuple[Config, str]:
    """Return `config` without the scales at which a picture is too small, and a line about them or ''.

    Files are not decoded; those that cannot be read count as large enough, which reading them will correct.

    Raises:
        UserError: a picture is too small at full size; the message names a size that works.
    """
    inputs = list(inputs_of_files(config))
    require_size(config, inputs, 1.0)
    small = {scale: found for scale in config.scales if (found := _too_small(config, inputs, scale))}
    if not small:
        return config, ""
    kept = [index for index, scale in enumerate(config.scales) if scale not in small]
    steps_by_scale = config.optimizer.steps_by_scale(len(config.scales))
    steps = tuple(steps_by_scale[index] for index in kept)
    fitting = dataclasses.replace(
        config,
        scales=tuple(config.scales[index] for index in kept),
        optimizer=dataclasses.replace(config.optimizer, steps=steps if len(set(steps)) > 1 else steps[0]),
    )
    (scale, found), (deepest, needed) = next(iter(small.items())), _deepest(config)
    return fitting, (
        f"scales: left out {', '.join(f'{scale:g}' for scale in small)}: {found.source} would have a shorter "
        f"side of {found.shorter_side(config.size, scale)} pixels, and {deepest} needs {needed}"
    )


def require_size(config: Config, inputs: Sequence[Input], scale: float) -> None:
    """Check that all `inputs` are large enough for the network at `scale` times the full size.

    Raises:
        UserError: one is too small.
    """
    found = _too_small(config, inputs, scale)
    if found is None:
        return
    (deepest, needed), shorter = _deepest(config), found.shorter_side(config.size, scale)
    field, value = (found.field, getattr(config, found.field)) if scale == 1 else ("scales", scale)
    layers = architecture(config.network.arch).layers
    fit = [layer.name for layer in layers if receptive.smallest_side(layers, layer.name) <= shorter]
    ways = [f"--config.size={size} or more"] if (size := _size_that_works(found, needed, scale)) else []
    ways += [f"content_layers and style_layers no deeper than {fit[-1]}"] if fit else []
    raise UserError(
        f"{field}: {value} leaves a shorter side of {shorter} pixels; {deepest} needs {needed} "
        f"({found.source}); use {' or '.join(ways) or 'another picture'}"
    )


def _too_small(config: Config, inputs: Sequence[Input], scale: float) -> Input | None:
    """The first of `inputs` of which pooling would leave nothing at the deepest layer."""
    _, needed = _deepest(config)
    return next((found for found in inputs if found.shorter_side(config.size, scale) < needed), None)


def _deepest(config: Config) -> tuple[str, int]:
    """The deepest layer that is used, and the smallest side of a picture that has an activation there."""
    deepest = config.active_layers()[-1]
    return deepest, receptive.smallest_side(architecture(config.network.arch).layers, deepest)


def _size_that_works(found: Input, needed: int, scale: float) -> int:
    """The smallest `size` at which the picture has the side that is `needed`; 0 if that is too large."""
    ratio = max(found.shape) / min(found.shape)
    size = math.floor((needed - 0.5) * ratio / (found.relative * scale))
    while size <= LARGEST_SIDE and found.shorter_side(size, scale) < needed:
        size += 1
    return size if size <= LARGEST_SIDE else 0


def inputs_of_arrays(config: Config, content: np.ndarray, styles: Sequence[Style]) -> list[Input]:
    """Return the content and the pictures of `styles` as they are kept."""
    inputs = [Input("size", config.content, content.shape[1:3], 1.0)]
    for style in styles:
        image = config.active_styles()[style.name].image
        inputs += [Input("style_scale", image, one.shape[1:3], style.scale) for one in style.pictures]
    return inputs


def inputs_of_files(config: Config) -> Iterator[Input]:
    """Yield the content and the pictures of the styles, from their headers; not those that cannot be read."""
    named = [("size", config.content, 1.0)]
    for style in config.active_styles().values():
        with contextlib.suppress(UserError):
            relative = config.style_scale * style.scale
            named += [("style_scale", source, relative) for source in picture_sources(style.image)]
    for field, source, relative in named:
        with contextlib.suppress(UserError):
            yield Input(field, source, sides(source), relative)
