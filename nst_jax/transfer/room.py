"""A first bound on the memory of a run: from its config and the headers of its pictures, in no time.

It refuses what is far too large before a picture is decoded or a program compiled. The bound is what no
program can do without: the state of the optimiser, and the activations that the gradient depends on. The
compiler's count, see `nst_jax.methods.estimate`, may be three times as large.
"""

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from nst_jax import images
from nst_jax.config import Config
from nst_jax.config.transfer_methods import TRANSFER_METHODS
from nst_jax.errors import UserError
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.networks.architectures import architecture
from nst_jax.networks.layers import Layer, blocks, irregular_layer, up_to
from nst_jax.optimizers.methods import find_method
from nst_jax.runs.machine import free_memory_bytes
from nst_jax.runs.progress import byte_count
from nst_jax.transfer.fitting import Input, require_size
from nst_jax.transfer.memory import tree_bytes
from nst_jax.weights.widths import Widths, possible_widths

TILES = (512, 128)  # values of `tile` to suggest if a picture does not fit, fastest first
PIXEL = 12  # bytes: three float32
SAMPLE = 512  # side of the picture from which the bytes for a pixel are taken
HELD = 3  # pictures in the state of any method: the variable, its gradient and the best one

# What is sure to be enough, on a CPU. Beside all activations, which the gradient needs, a program works on
# one layer at a time: XLA counts 2.4 to 6.7 times the largest one, as Winograd's convolutions copy what they
# take and make. In tiles, the inputs of blocks are held in full, and the work is on a tile with its rim.
WORK, BLOCK_COPIES, TILE_COPIES = 7.5, 3, 1.5
SEARCHED = 18  # pictures: of a line search, of targets, and of what transforms them
PROCESS = 2.0**30  # bytes: filters, and the compiler


def require_room(config: Config, inputs: Sequence[Input], widths: Widths | None = None) -> None:
    """Check that what a run cannot do without fits into the free memory.

    `inputs` are its content and the pictures of its styles; `widths` are those of the network if it is known.

    Raises:
        UserError: it does not fit; the message suggests a `tile` and a `size` that are sure to.
    """
    needed, free = least_bytes(config, inputs, widths), free_memory_bytes()
    if needed <= free:
        return
    options = {"tile": _fitting_tile(config, inputs, free), "size": _fitting_size(config, inputs, free)}
    flags = " or ".join(f"--config.{field}={value}" for field, value in options.items() if value)
    raise UserError(
        f"size: {config.size} px needs at least {byte_count(needed)} of memory, but only {byte_count(free)} "
        f"are free; {'options that fit: ' + flags if flags else 'use a much smaller size'}"
    )


def least_bytes(config: Config, inputs: Sequence[Input], widths: Widths | None = None) -> float:
    """Return the bytes on a device that no program for `inputs` can do without; see `require_room`."""
    result, style = _pixels(config, inputs)
    networks = [widths] if widths else possible_widths(config.network)
    activations = min((sum(_layer_bytes(config, each).values()) for each in networks), default=0.0)
    state = _state_bytes(config) + (0.0 if config.tile else activations)
    devices = config.devices or jax.device_count()
    here = min(devices, jax.local_device_count()) if jax.default_backend() == "cpu" else 1
    return max(result * state, style * PIXEL) * here / devices


def enough_bytes(config: Config, inputs: Sequence[Input], widths: Widths | None = None) -> float:
    """Return bytes on one device that are sure to be enough; infinite if no such number is known."""
    return sum(_enough(config, inputs, widths))


def tile_obstacle(config: Config, layers: Sequence[Layer]) -> str:
    """Return what cannot be computed in tiles, a setting or one of `layers`, or ''."""
    if not _of_losses(config):
        return f"method={config.method}"
    if name := _searching_loss(config):
        return f"style_losses.{name}"
    if config.network.padding != "zeros":
        return f"network.padding={config.network.padding}"
    layer = irregular_layer(up_to(layers, config.active_layers()[-1]))
    return f"{layer.name} of this network" if layer else ""


def _of_losses(config: Config) -> bool:
    """Whether the method minimises losses, of which tiles and the factors above are known."""
    return "tile" not in TRANSFER_METHODS[config.method].unused


def _searching_loss(config: Config) -> str:
    """The first style loss that compares positions with each other, of which no bound is known; or ''."""
    return next((name for name in config.active_losses() if not STYLE_LOSSES[name].additive), "")


def _fitting_tile(config: Config, inputs: Sequence[Input], free: int) -> int:
    """The largest of `TILES` with which a run is sure to fit into `free` bytes, or 0."""
    if tile_obstacle(config, architecture(config.network.arch).layers):
        return 0
    limit = min(config.tile or config.size, config.size)
    smaller = (dataclasses.replace(config, tile=tile) for tile in TILES if tile < limit)
    return next((tiled.tile for tiled in smaller if enough_bytes(tiled, inputs) <= free), 0)


def _fitting_size(config: Config, inputs: Sequence[Input], free: int) -> int:
    """A `size` with which a run is sure to fit into `free` bytes, or 0."""
    fixed, growing = _enough(config, inputs)
    size = int(config.size * math.sqrt(max(free - fixed, 0) / growing)) if math.isfinite(growing) else 0
    with contextlib.suppress(UserError):  # too small
        smaller = dataclasses.replace(config, size=size - 1)  # sides are rounded
        require_size(smaller, inputs, 1.0)
        return smaller.size
    return 0


def _enough(config: Config, inputs: Sequence[Input], widths: Widths | None = None) -> tuple[float, float]:
    """The bytes that are sure to be enough: a part for any size, and one in proportion to the pixels."""
    networks = [
        _layer_bytes(config, each) for each in ([widths] if widths else possible_widths(config.network))
    ]
    if not networks or not _of_losses(config) or _searching_loss(config):
        return PROCESS, math.inf
    by_layer = max(networks, key=lambda by_layer: sum(by_layer.values()))
    work, fixed = WORK * max(by_layer.values(), default=0.0), PROCESS
    evaluation, statistics = sum(by_layer.values()) + work, work
    if config.tile:
        fixed += TILE_COPIES * evaluation * config.tile**2
        evaluation = statistics = BLOCK_COPIES * _block_bytes(config, by_layer)
    result, style = _pixels(config, inputs)
    state = _state_bytes(config) + SEARCHED * PIXEL
    return fixed, max(result * (state + evaluation), style * (2 * PIXEL + statistics))


def _pixels(config: Config, inputs: Sequence[Input]) -> tuple[int, int]:
    """The pixels of the result, and of the largest picture of a style; 0 if they are not known."""
    found = {"size": 0, "style_scale": 0}
    for one in inputs:
        pixels = math.prod(images.fitted(one.shape, round(config.size * one.relative)))
        found[one.field] = max(found[one.field], pixels)
    return found["size"], found["style_scale"]


def _state_bytes(config: Config) -> float:
    """The bytes of an optimiser's state for a pixel, with the shortest history that the config allows."""
    settings = config.optimizer
    if settings.least_memory:
        settings = settings.with_history(min(settings.memory, settings.least_memory))
    picture = jax.ShapeDtypeStruct((1, SAMPLE, SAMPLE, 3), jnp.float32)
    memory = jax.eval_shape(find_method(settings).init, picture)
    return HELD * PIXEL + tree_bytes(memory) / SAMPLE**2


def _layer_bytes(config: Config, widths: Widths) -> dict[str, float]:
    """The bytes of each convolution's output for a pixel of the picture."""
    found, density = {}, 1.0  # positions for a pixel
    for layer in _layers(config):
        density /= layer.stride**2
        for filters in layer.convolutions():
            found[filters.name] = 4 * widths.get(filters.name, 0) * density
    return found


def _block_bytes(config: Config, by_layer: Mapping[str, float]) -> float:
    """The bytes of the inputs of all blocks but the first for a pixel: each is what a pooling leaves."""
    *outer, _ = blocks(_layers(config))
    lasts = ([filters.name for layer in block for filters in layer.convolutions()][-1] for block in outer)
    strides = (math.prod(layer.stride for layer in block) for block in outer)
    return sum(by_layer[name] / stride**2 for name, stride in zip(lasts, strides, strict=True))


def _layers(config: Config) -> tuple[Layer, ...]:
    return architecture(config.network.arch).up_to(config.active_layers()[-1])
