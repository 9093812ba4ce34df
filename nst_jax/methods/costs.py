"""The arithmetic of an evaluation of an objective of losses."""

import math

from nst_jax.config.stages import stages_of
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.networks import winograd
from nst_jax.networks.architectures import architecture
from nst_jax.networks.layers import up_to
from nst_jax.networks.trained import Weights
from nst_jax.transfer.job import Job

# Fitted to the table "Speed" of the README: Winograd's convolutions take half of the time of direct ones;
# pooling, losses and the optimiser that of so many multiply-adds per pixel. Tiles compute borders twice.
WINOGRAD, OTHERS, TILED = 0.5, 9_400, 1.5


def evaluation_costs(job: Job, weights: Weights) -> list[float]:
    """Return the multiply-adds of an evaluation at each stage of `job`, there and back, with these `weights`.

    A style loss may have a part that is the same at every size: at small ones, it takes most of the time.
    """
    config = job.config
    deepest, prepared = config.active_layers()[-1], config.network.conv != "direct"
    network = _multiply_adds(weights, deepest, prepared) * (TILED if config.tile else 1)
    fixed = len({style.region for style in job.styles}) * sum(
        STYLE_LOSSES[loss].fixed_cost(_filters(weights, layer))
        for layer in config.active_style()
        for loss in config.losses_at(layer)
    )
    sizes = [math.prod(job.size_at(stage.scale)) for stage in stages_of(config)]
    return [2 * size * (network + OTHERS) + fixed for size in sizes]


def _multiply_adds(weights: Weights, deepest: str, prepared: bool) -> float:
    """The multiply-adds per pixel, as of direct convolutions, of one pass to the layer `deepest`."""
    density, total = 1.0, 0.0  # positions per pixel
    for layer in up_to(architecture(weights.arch).layers, deepest):
        density /= layer.stride**2
        for filters in layer.convolutions():
            shape = weights.arrays[f"{filters.name}.kernel"].shape
            fast = prepared and shape[:2] == (3, 3) and layer.stride == 1 and winograd.pays(shape)
            total += math.prod(shape) * density * (WINOGRAD if fast else 1)
    return total


def _filters(weights: Weights, name: str) -> int:
    """The filters of the last convolution up to the layer `name`."""
    layers = up_to(architecture(weights.arch).layers, name)
    *_, last = (filters for layer in layers for filters in layer.convolutions())
    return weights.arrays[f"{last.name}.kernel"].shape[-1]
