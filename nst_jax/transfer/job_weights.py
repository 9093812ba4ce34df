"""The weights of a job's losses at one scale."""

import math
from typing import Any

from nst_jax.losses.objective import Targets
from nst_jax.losses.relative import content_size, style_sizes
from nst_jax.losses.style import LayerLosses
from nst_jax.losses.weighting import LossWeights, loss_weights
from nst_jax.networks import receptive
from nst_jax.transfer.filling import Empty, filled, filled_regions
from nst_jax.transfer.job import Job
from nst_jax.transfer.targets import StyleTargets


def job_weights(
    job: Job, targets: Targets, style: StyleTargets, empty: Empty, losses: LayerLosses, size: tuple[int, int]
) -> LossWeights:
    """Return the weights for a result of `size` (height, width), with zeros for the layers of other jobs.

    With `relative_losses`, each weight of content and style is divided by the size of its target.
    """
    config = job.config
    content: dict[str, Any] = config.active_content()
    by_layer: dict[str, dict[str, Any]] = {layer: config.losses_at(layer) for layer, _ in losses}
    if config.relative_losses:
        for layer, weight in content.items():
            positions = math.prod(receptive.shape(job.network.geometry, layer, *size))
            content[layer] = weight / content_size(targets.content[layer], config.content_loss, positions)
        for layer, by_region in style.targets.items():
            shapes = empty.activations[layer], empty.guides[layer]
            sizes = style_sizes(by_region, *shapes, style.shares[layer])
            by_layer[layer] = {name: weight / sizes[name] for name, weight in by_layer[layer].items()}
    nowhere = {layer: dict.fromkeys(by_region, 0.0) for layer, by_region in empty.style.items()}
    return loss_weights(
        config.content_weight,
        config.style_weight,
        config.tv_weight,
        filled(content, dict.fromkeys(empty.content, 0.0)),
        filled(config.active_style(), dict.fromkeys(empty.style, 0.0)),
        regions=filled_regions(style.shares, nowhere),
        laplacian=config.laplacian_weight,
        layer_losses={layer: filled(by_layer[layer], dict.fromkeys(names, 0.0)) for layer, names in losses},
    )
