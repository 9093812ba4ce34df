"""From a config to a job: read pictures, masks and weights, and refuse what cannot be computed."""

from collections.abc import Collection

import numpy as np
from absl import logging

from nst_jax import images
from nst_jax.config import Config, fields
from nst_jax.errors import UserError
from nst_jax.images.color import luminance
from nst_jax.images.region_masks import MOST_DISTORTION
from nst_jax.losses.mrf import MOST_PATCHES, patch_count
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.losses.terms.content import CONTENT_LOSSES
from nst_jax.losses.terms.terms import further_terms
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.optimizers.methods import find_method
from nst_jax.transfer.dividing import check_devices
from nst_jax.transfer.filling import style_layer_sizes
from nst_jax.transfer.fitting import inputs_of_arrays, inputs_of_files, require_size
from nst_jax.transfer.job import Job
from nst_jax.transfer.pictures import Picture, Pictures, picture_sources
from nst_jax.transfer.room import require_room, tile_obstacle
from nst_jax.transfer.styles import Style, field_named, read_styles
from nst_jax.transfer.targets import content_guides, is_visible
from nst_jax.weights import load_network

USEFUL_TILE = 128  # pixels: below, memory does not shrink any more, and halos dominate the arithmetic


def prepare(
    config: Config,
    network: tuple[Network, Weights] | None = None,
    pictures: Pictures | None = None,
    begun: Collection[str] = (),
) -> Job:
    """Read the pictures and the weights, unless they are given: `network` is a result of `load_network`.

    `begun` is as in `load_network`.

    Raises:
        UserError: a picture, the weights or a setting cannot be used; nothing has been written.
    """
    _check_names(config)
    # A sweep has asked already, for the pictures of all its runs together.
    if pictures is None:
        require_room(config, list(inputs_of_files(config)))
        pictures = Pictures([config])
        pictures.require_memory()
    with field_named("content"):
        photo, size = pictures.fitted(config.content, config.size)
    styles, regions = read_styles(config, Picture(photo, size), pictures)
    content = luminance(photo) if config.color == "luminance" else photo
    start = content if config.init == "content" else _read_start(config, pictures, styles, size)
    _check_scales(config, content, styles)
    built, weights = network or load_network(config.network, config.required_layers(), begun)
    _check_network(config, built, weights)
    job = Job(config, photo, content, styles, regions, start, built, weights)
    _check_regions(job)
    _check_strengths(job)
    _warn_of_patches(job)
    if job.gray:
        logging.info("content, style: all pictures are gray, and so will be the result")
    if job.size_at(1.0) != images.fitted(size, config.size):
        logging.info("network.padding: circular rounds the sides to %d x %d", *reversed(job.size_at(1.0)))
    return job


def _read_start(
    config: Config, pictures: Pictures, styles: tuple[Style, ...], size: tuple[int, int]
) -> np.ndarray | None:
    """Return the initial picture at the full size of a result whose content has `size`; None for noise."""
    if config.init == "noise":
        return None
    if config.init == "style" and config.color != "style":
        return styles[0].pictures[0]  # recoloured
    image = next(iter(config.active_styles().values())).image
    source = picture_sources(image)[0] if config.init == "style" else config.init
    with field_named("init: expected noise, content, style or a picture"):
        height, width = pictures.fitted(source, config.size).size
        # Of what the user sees: a portrait stretched to a landscape is rarely meant.
        stretch = (height / width) / (size[0] / size[1])
        if not 1 / (1 + MOST_DISTORTION) < stretch < 1 + MOST_DISTORTION:
            shape = "the shape of the content"
            logging.warning("init: %s, of %d x %d pixels, is stretched to %s", source, width, height, shape)
        return pictures.resized(source, *images.fitted(size, config.size))


def _check_names(config: Config) -> None:
    find_method(config.optimizer)
    fields.one_of("content_loss", config.content_loss, CONTENT_LOSSES)
    for name in config.style_losses:
        fields.one_of("style_losses", name, STYLE_LOSSES)
    for name in config.terms:
        fields.one_of("terms", name, further_terms() or ["none: losses/terms/terms.py lists no further one"])


def _check_scales(config: Config, content: np.ndarray, styles: tuple[Style, ...]) -> None:
    """Refuse pictures of which pooling would leave nothing at the deepest layer; log scales left out."""
    if skipped := [scale for scale in config.scales if scale not in config.active_scales()]:
        named, first = ", ".join(f"{scale:g}" for scale in skipped), config.active_scales()[0]
        logging.warning(
            "scales: %s left out: init=%s starts at %g of the full size; init_scale changes that",
            *(named, config.init, first),
        )
    inputs = inputs_of_arrays(config, content, styles)
    for scale in config.active_scales():
        require_size(config, inputs, scale)


def _check_network(config: Config, network: Network, weights: Weights) -> None:
    """Refuse a network that lacks layers, or cannot be divided into tiles or among devices."""
    if missing := [layer for layer in config.required_layers() if layer not in network.layers]:
        available = ", ".join(network.layers)
        raise UserError(f"network.weights: {weights.name} ends before {missing[0]}; it has {available}")
    check_devices(config, network)
    if config.tile:
        if obstacle := tile_obstacle(config, network.geometry):
            raise UserError(f"tile: {config.tile} cannot be used with {obstacle}; use 0")
        if config.tile < USEFUL_TILE:
            logging.warning("tile: %d is slower than %d and saves no memory", config.tile, USEFUL_TILE)


def _check_regions(job: Job) -> None:
    """Refuse a region that no layer sees: its style would have no effect."""
    by_region = content_guides(job, 1.0)
    for region in job.regions if job.config.active_style() else ():
        if not any(is_visible(guide) for guide in by_region[region].values()):
            name = next(style.name for style in job.styles if style.region == region)
            raise UserError(
                f"styles.{name}.region: vanishes at every style layer with guides={job.config.guides}; "
                "choose a larger region, or guides=all"
            )


def _check_strengths(job: Job) -> None:
    """Refuse a style of less than full strength with a loss that would find the content's own patches."""
    searching = [name for name in job.config.active_losses() if not STYLE_LOSSES[name].dilutes]
    for style in job.styles if searching else ():
        strength = style.strength * (job.regions[style.region].strength if style.region else 1.0)
        if strength < 1:
            raise UserError(
                f"styles.{style.name}.strength: {strength:.2g}, with the gray of its region, cannot be used "
                f"with style_losses.{searching[0]}; use 1, and white in the region"
            )


def _warn_of_patches(job: Job) -> None:
    """Log which styles `mrf` thins out, and that it ignores how they are weighted."""
    layers = [layer for layer in job.config.active_style() if "mrf" in job.config.losses_at(layer)]
    regions = {style.region: style for style in job.styles}
    counts = {
        layer: max(
            sum(patch_count(*size) for size in style_layer_sizes(job, region, layer, 1.0))
            for region in regions
        )
        for layer in layers
    }
    if thinned := [f"{count:,} at {layer}" for layer, count in counts.items() if count > MOST_PATCHES]:
        logging.warning(
            "style_losses.mrf: compares with %s patches of the style; it has %s",
            f"{MOST_PATCHES:,}",
            ", ".join(thinned),
        )
    for style in job.styles if layers else ():
        if style.weight != regions[style.region].weight:
            logging.warning(
                "styles.%s.weight: has no effect on style_losses.mrf, which takes the most similar patches "
                "of all styles of a region",
                style.name,
            )
            break
