"""The style targets of a job: statistics of each style under its masks, blended by region."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nst_jax import images
from nst_jax.devices.split import ByRows
from nst_jax.images.region_masks import Mask, resize_mask
from nst_jax.losses.features.evaluator import Evaluator
from nst_jax.losses.features.request import EVERYWHERE, Guides, Request, Statistics
from nst_jax.losses.guides import guides, peaks
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.losses.terms.style_term import fitted_statistics
from nst_jax.losses.terms.term import StyleTargets
from nst_jax.networks import receptive
from nst_jax.runs.checkpoint import picture_digest
from nst_jax.transfer.filling import empty_targets, filled, losses_by_layer
from nst_jax.transfer.job import Job
from nst_jax.transfer.styles import Style


class TargetMaker:
    """Computes style targets, and remembers the statistics of every style picture if they are small.

    All lanes of a program hold the layers, regions and losses of all jobs of the group. Those that only other
    jobs use have targets of zeros.
    """

    def __init__(self, jobs: Sequence[Job], evaluator: Callable[[tuple[int, int]], Evaluator]):
        """Start without any, for the group of `jobs`; `evaluator` gives that for pictures of a size."""
        self._jobs, self._evaluator = tuple(jobs), evaluator
        self.losses = losses_by_layer(jobs)
        self._known: dict[Any, Statistics] = {}
        self._shapes: dict[Any, StyleTargets] = {}
        names = {name for _, names in self.losses for name in names}
        self.whole_layers = not all(STYLE_LOSSES[name].additive for name in names)  # in the statistics

    def targets(self, job: Job, scale: float) -> StyleTargets:
        """Return the targets of `job` at `scale` times the full size.

        A region is left out of a layer at which its guide vanishes, or for which it has no style. Those that
        remain share the loss of the layer equally, or by their shares of the pixels that they have together.
        What a style of less than full strength leaves of its target is the content's.
        """
        parts, by_region = self._parts(job, scale), content_guides(job, scale)
        used: Guides = {}
        blended: Statistics = {}
        weights: dict[str, dict[str, float]] = {}
        for layer in job.config.active_style():
            visible = {
                region: by_layer[layer]
                for region, by_layer in by_region.items()
                if is_visible(by_layer[layer]) and any(part.sets(region, layer) for part in parts)
            }
            used[layer] = visible
            blended[layer] = {region: self._blended(parts, region, layer) for region in visible}
            # A region that is always dimmed by others has a smaller share of the loss.
            shares = {region: job.regions[region].share if region else 1.0 for region in visible}
            weights[layer] = {region: share / sum(shares.values()) for region, share in shares.items()}
        targets = fitted_statistics(job.network, blended, job.size_at(scale))
        return filled((targets, used, weights), self._empty(job, scale))

    def nothing(self, job: Job, scale: float) -> StyleTargets:
        """Return targets of zeros, with the shapes of those of `job`."""
        return filled(({}, {}, {}), self._empty(job, scale))

    def _empty(self, job: Job, scale: float) -> StyleTargets:
        """The shapes for all layers and regions of the group."""
        # A session can go on to jobs that it did not begin with, whose styles may be larger.
        added = () if any(job is one for one in self._jobs) else (job,)
        sizes = tuple(
            one.style_size(style, x, scale) for one in added for style in one.styles for x in style.pictures
        )
        if (scale, sizes) not in self._shapes:
            jobs = (*self._jobs, *added)
            self._shapes[scale, sizes] = empty_targets(jobs, self.losses, scale)
        return self._shapes[scale, sizes]

    def _parts(self, job: Job, scale: float) -> list["Part"]:
        """What every style picture contributes, and the content to regions that styles leave a rest."""
        parts = []
        rest: dict[str, dict[str, float]] = {}
        strengths = _strengths(job, scale)
        for style in job.styles:
            by_layer = {layer: style.strength * strengths[style.region][layer] for layer in style.layers}
            for picture in style.pictures:
                weights = {layer: style.weight / len(style.pictures) * s for layer, s in by_layer.items()}
                parts.append(Part(style.region, weights, self._statistics(job, style, picture, scale)))
            left = rest.setdefault(style.region, {})
            for layer, strength in by_layer.items():
                left[layer] = left.get(layer, 0.0) + style.weight * (1 - strength)
        for region, weights in rest.items():
            if any(weights.values()):
                mask = job.regions[region].mask if region else None
                content = Style("content", (job.content,), 1.0, region, mask, 1.0, tuple(weights))
                parts.append(Part(region, weights, self._statistics(job, content, job.content, scale)))
        return parts

    def _blended(self, parts: Sequence["Part"], region: str, layer: str) -> dict[str, Any]:
        """The statistic of each loss for the styles of one region."""
        members = [part for part in parts if part.sets(region, layer)]
        weights = np.array([part.weights[layer] for part in members])
        shares = (weights / weights.sum()).tolist()
        by_loss = [part.statistics[layer][region] for part in members]
        return {
            loss: STYLE_LOSSES[loss].blend([found[loss] for found in by_loss], shares)
            for loss in dict(self.losses)[layer]
        }

    def _statistics(self, job: Job, style: Style, picture: np.ndarray, scale: float) -> Statistics:
        """The statistics of one style picture at the layers at which its mask does not vanish."""
        size = job.style_size(style, picture, scale)
        masks = () if style.mask is None else (style.mask,)
        # By contents: a session may be given the same picture again, read anew.
        key = picture_digest(picture, *masks), size, style.region, style.layers, job.config.guides
        if key in self._known:
            return self._known[key]
        by_layer = _guides(job, style.mask, size, style.layers)
        visible = {layer: {style.region: guide} for layer, guide in by_layer.items() if is_visible(guide)}
        resized = images.resize(picture, *size)
        request = Request(statistics=tuple(entry for entry in self.losses if entry[0] in visible))
        found = self._evaluator(size).find(job.network, resized, request, visible).statistics
        if not self.whole_layers:
            self._known[key] = found
        return found


class Part(NamedTuple):
    """What one picture contributes to the target of its region."""

    region: str
    weights: dict[str, float]  # by layer
    statistics: Statistics

    def sets(self, region: str, layer: str) -> bool:
        """Whether it counts for a region of a layer."""
        return self.weights.get(layer, 0.0) > 0 and region in self.statistics.get(layer, {})


def content_guides(job: Job, scale: float) -> dict[str, dict[str, Any]]:
    """Return the guide of each region and layer for a result at `scale`; None stands for the whole layer."""
    layers, size = tuple(job.config.active_style()), job.size_at(scale)
    masks = {style.region: job.regions[style.region].mask if style.region else None for style in job.styles}
    return {region: _guides(job, mask, size, layers) for region, mask in masks.items()}


def _strengths(job: Job, scale: float) -> dict[str, dict[str, float]]:
    """Return the share of styles in what each region sees at each layer."""
    layers = tuple(job.config.active_style())
    found = {EVERYWHERE: dict.fromkeys(layers, 1.0)}
    for name, region in job.regions.items():
        mask = resize_mask(region.mask, *job.size_at(scale))
        wrap = job.config.network.padding == "circular"
        found[name] = {
            layer: region.strength * peak
            for layer, peak in peaks(mask, job.network.geometry, layers, job.config.guides, wrap).items()
        }
    return found


def is_visible(guide: ByRows | None) -> bool:
    """Whether any position of a layer is in use."""
    return guide is None or bool(np.any(guide.values))


def _guides(job: Job, mask: Mask | None, size: tuple[int, int], layers: tuple[str, ...]) -> dict[str, Any]:
    if mask is None:
        return dict.fromkeys(layers)
    wrap = job.config.network.padding == "circular"
    geometry = job.network.geometry
    by_layer = guides(resize_mask(mask, *size), geometry, layers, job.config.guides, wrap)
    return {layer: ByRows(guide, receptive.stride(geometry, layer)) for layer, guide in by_layer.items()}
