"""Are the top patches right, and how fast is the pass? Against PyTorch, and against the bare forward pass.

    NST_REFERENCE_DATA=FOLDER python scripts/measure_top_patches.py [--images=300] [--what=equality,speed]

Equality: all units of two layers of the true VGG-19 over `images` photos, searched as the command does, and
by keeping all of PyTorch's activations of each photo. Where the two name another image or position, the
activations there must differ by no more than float32 does. Speed: images per second of the bare forward
pass in JAX, of the whole pass without decoding, and of PyTorch's forward pass, in turns; medians. Writes
top_patches.json. Ten minutes on two CPU cores.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as functional
from absl import app, flags

from nst_jax import files
from nst_jax.images.streams import Stream
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import Weights
from nst_jax.networks.vgg import VGG
from nst_jax.vision import top_patches
from nst_jax.vision.top_patches import NO_IMAGE
from nst_jax.weights import load, resolve

IMAGES = flags.DEFINE_integer("images", 300, "Photos of the equality check.")
SIZE = flags.DEFINE_integer("size", 128, "Side of its inputs, pixels.")
WHAT = flags.DEFINE_list("what", ["equality", "speed"], "Which of the two to do.")
ROUNDS = flags.DEFINE_integer("rounds", 7, "Turns of the speed measurement.")
WORKDIR = flags.DEFINE_string("workdir", "runs/measure_top_patches", "Where top_patches.json goes.")

TOP, BATCH = 9, 16
EQUAL_LAYERS = ("conv2_1", "conv3_1")
TOLERANCE = 1e-3  # relative
SIDES = (128, 224)


def main(argv: Sequence[str]) -> None:
    """Measure, print, write."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    if "NST_REFERENCE_DATA" not in os.environ:
        raise app.UsageError("set NST_REFERENCE_DATA to the folder of reference weights and pictures")
    reference = Path(os.environ["NST_REFERENCE_DATA"])
    vgg19 = load(reference / "weights" / "vgg19_conv1_1-conv3_4.safetensors", "vgg19")
    measured: dict[str, Any] = {}
    if "equality" in WHAT.value:
        measured["equality"] = equality(vgg19, reference)
        print(json.dumps(measured["equality"], indent=2), flush=True)
    if "speed" in WHAT.value:
        measured["speed"] = speeds(vgg19)
    files.write_json(Path(WORKDIR.value) / "top_patches.json", measured)


def equality(weights: Weights, reference: Path) -> dict[str, Any]:
    """How many of all units' lists agree with the search that keeps everything, and by how much."""
    photos = f"folder:{reference / 'images' / 'photos_imagenet'}"
    stream = Stream(photos, SIZE.value, IMAGES.value)
    network, forward = VGG(weights, "max"), torch_forward(weights, EQUAL_LAYERS)
    lists = top_patches.empty_lists(network, EQUAL_LAYERS, SIZE.value, TOP)
    peaks: dict[str, list[np.ndarray]] = {layer: [] for layer in EQUAL_LAYERS}
    for batch in stream.batches(BATCH):
        numbers = [frame.index for frame in batch.frames]
        filled = jnp.array(numbers + [NO_IMAGE] * (BATCH - len(numbers)), jnp.int32)
        lists, _ = top_patches.step(network, lists, jnp.asarray(batch.pixels), filled)
        for layer, F in forward(batch.pixels[: len(numbers)]).items():
            peaks[layer].append(F.flatten(2).numpy())
    return {layer: compare(lists[layer], peaks[layer]) for layer in EQUAL_LAYERS}


def compare(lists: top_patches.Strongest, batches: Sequence[np.ndarray]) -> dict[str, Any]:
    """One layer's lists against all activations of all images, "images units positions" in parts."""
    best = np.concatenate([part.max(2) for part in batches])
    positions = np.concatenate([part.argmax(2) for part in batches])
    same_images = same_positions = patches = 0
    worst = 0.0
    for unit in range(best.shape[1]):
        order = np.argsort(-best[:, unit], kind="stable")[:TOP]
        order = order[best[order, unit] > 0]
        found = top_patches.patches_of(lists, unit)
        patches += len(order)
        same_images += sum(p.image == n for p, n in zip(found, order, strict=True))
        width = round(batches[0].shape[2] ** 0.5)
        same_positions += sum(p.row * width + p.column == positions[p.image, unit] for p in found)
        off = [abs(p.activation - best[n, unit]) / best[n, unit] for p, n in zip(found, order, strict=True)]
        worst = max([worst, *off])
    assert worst <= TOLERANCE, worst
    return {
        "units": best.shape[1],
        "patches": patches,
        "same_image": int(same_images),
        "same_position": int(same_positions),
        "largest_relative_difference": float(worst),
    }


def torch_forward(weights: Weights, layers: Sequence[str]) -> Callable[[np.ndarray], dict[str, torch.Tensor]]:
    """PyTorch's forward pass of uint8 pixels "n h w 3" to the deepest of `layers`."""
    kernels = {
        name: torch.from_numpy(np.ascontiguousarray(weights.arrays[f"{name}.kernel"].transpose(3, 2, 0, 1)))
        for name in weights.layers()
    }
    biases = {name: torch.tensor(weights.arrays[f"{name}.bias"]) for name in kernels}
    how = weights.preprocessing
    assert how.channels == "bgr"
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (how.mean, how.std))

    @torch.inference_mode()
    def forward(pixels: np.ndarray) -> dict[str, torch.Tensor]:
        x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)[:, ::-1])).float()
        x, found = (x / 255 * how.scale - mean) / std, {}
        for layer in architecture(weights.arch).layers:
            name = layer.name
            if not layer.weighted:
                x = functional.max_pool2d(x, 2)
            else:
                x = functional.conv2d(x, kernels[name], biases[name], padding=1).relu_()
            if name in layers:
                found[name] = x
            if len(found) == len(layers):
                return found
        raise ValueError(f"no {layers}")

    return forward


def speeds(vgg19: Weights) -> list[dict[str, Any]]:
    """All that is timed, a line of Markdown printed for each."""
    slim, random = resolve("auto", "slim", ()), resolve("random", "vgg19", ())
    blocks = tuple(f"conv{block}_1" for block in range(1, 6))
    cases = [
        (vgg19, blocks[2:3]),
        (vgg19, blocks[:3]),
        (slim, blocks[4:]),
        (slim, blocks),
        (random, blocks[4:]),
    ]
    print("| network | to | px | JAX forward | whole pass | kept | PyTorch forward |\n|" + " --- |" * 7)
    measured = []
    for side in SIDES:
        for weights, layers in cases:
            row = speed(weights, layers, side)
            rates = [f"{row[name]:.1f}" for name in ("jax_forward", "whole_pass")]
            cells = [weights.arch, ", ".join(layers), side, *rates, f"{row['kept']:.0%}"]
            print("| " + " | ".join(map(str, [*cells, f"{row['torch_forward']:.1f}"])) + " |", flush=True)
            measured.append(row)
    return measured


def speed(weights: Weights, layers: tuple[str, ...], side: int) -> dict[str, Any]:
    """Images per second, medians over turns, of the three ways over the same batch."""
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3), np.uint8)
    network, forward = VGG(weights, "max"), torch_forward(weights, layers)
    bare = jax.jit(lambda network, pixels: network(pixels.astype(jnp.float32) / 255, layers))
    lists = [top_patches.empty_lists(network, layers, side, TOP)]
    numbers = jnp.arange(BATCH, dtype=jnp.int32)

    def whole_pass() -> None:
        lists[0], count = top_patches.step(network, lists[0], jnp.asarray(pixels), numbers)
        count.block_until_ready()

    ways = {
        "jax_forward": lambda: jax.block_until_ready(bare(network, jnp.asarray(pixels))),
        "whole_pass": whole_pass,
        "torch_forward": lambda: forward(pixels),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS.value + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if turn:  # the first compiles
                seconds[name].append(time.perf_counter() - began)
    rates = {name: BATCH / float(np.median(values)) for name, values in seconds.items()}
    about = {"network": weights.name, "arch": weights.arch, "layers": layers, "side": side}
    return about | rates | {"kept": rates["whole_pass"] / rates["jax_forward"]}


if __name__ == "__main__":
    app.run(main)
