"""Correctness and speed of the search for top patches, compared with PyTorch and the bare forward pass.

    NST_REFERENCE_DATA=FOLDER python scripts/measure_top_patches.py [--images=300] [--what=equality,speed]

Equality: searches all units of two layers of the original VGG-19 over `images` photos, as the command does,
and compares with all PyTorch activations of each photo. If the two choose different images or positions, the
activations may differ only by rounding. Speed: images per second of the bare forward pass in JAX, of the
lists of the strongest alone, of the whole pass (with histograms and sample) without decoding, and of
PyTorch's forward pass, measured in turns; medians. Writes top_patches.json. Takes ten minutes on two CPU
cores.
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
from nst_jax.vision.searching import distributions, top_patches
from nst_jax.vision.searching.top_patches import NO_IMAGE
from nst_jax.weights import load, resolve

IMAGES = flags.DEFINE_integer("images", 300, "Number of photos of the equality check.")
SIZE = flags.DEFINE_integer("size", 128, "Input size of the equality check, pixels.")
WHAT = flags.DEFINE_list("what", ["equality", "speed"], "Measurements to run.")
ROUNDS = flags.DEFINE_integer("rounds", 7, "Repetitions of the speed measurement.")
WORKDIR = flags.DEFINE_string("workdir", "runs/measure_top_patches", "Output folder.")

TOP, BATCH, SAMPLE = 9, 16, 1000
EQUAL_LAYERS = ("conv2_1", "conv3_1")
TOLERANCE = 1e-3  # relative
SIDES = (128, 224)


def main(argv: Sequence[str]) -> None:
    """Run the measurements, and print and write the results."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    if "NST_REFERENCE_DATA" not in os.environ:
        raise app.UsageError("NST_REFERENCE_DATA: not set; set it to the folder of reference data")
    reference = Path(os.environ["NST_REFERENCE_DATA"])
    vgg19 = load(reference / "weights" / "vgg19_8bit.bin", "vgg19")
    measured: dict[str, Any] = {}
    if "equality" in WHAT.value:
        measured["equality"] = equality(vgg19, reference)
        print(json.dumps(measured["equality"], indent=2), flush=True)
    if "speed" in WHAT.value:
        measured["speed"] = speeds(vgg19)
    files.write_json(Path(WORKDIR.value) / "top_patches.json", measured)


def equality(weights: Weights, reference: Path) -> dict[str, Any]:
    """Compare the lists of all units with an exhaustive search over PyTorch's activations."""
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
    """Compare the lists of a layer with all activations, given as batches "images units positions"."""
    best = np.concatenate([part.max(2) for part in batches])
    positions = np.concatenate([part.argmax(2) for part in batches])
    same_images = same_positions = patches = 0
    worst = 0.0
    for unit in range(best.shape[1]):
        order = np.argsort(-best[:, unit], kind="stable")[:TOP]
        order = order[best[order, unit] > 0]
        ours = top_patches.patches_of(lists, unit)
        patches += len(order)
        same_images += sum(p.image == n for p, n in zip(ours, order, strict=True))
        width = round(batches[0].shape[2] ** 0.5)
        same_positions += sum(p.row * width + p.column == positions[p.image, unit] for p in ours)
        errors = [abs(p.activation - best[n, unit]) / best[n, unit] for p, n in zip(ours, order, strict=True)]
        worst = max([worst, *errors])
    assert worst <= TOLERANCE, worst
    return {
        "units": best.shape[1],
        "patches": patches,
        "same_image": int(same_images),
        "same_position": int(same_positions),
        "largest_relative_difference": float(worst),
    }


def torch_forward(weights: Weights, layers: Sequence[str]) -> Callable[[np.ndarray], dict[str, torch.Tensor]]:
    """Return PyTorch's forward pass of uint8 pixels "n h w 3" up to the deepest of `layers`."""
    kernels = {
        name: torch.from_numpy(np.ascontiguousarray(weights.arrays[f"{name}.kernel"].transpose(3, 2, 0, 1)))
        for name in weights.layers()
    }
    biases = {name: torch.tensor(weights.arrays[f"{name}.bias"]) for name in kernels}
    preprocessing = weights.preprocessing
    assert preprocessing.channels == "bgr"
    statistics = (preprocessing.mean, preprocessing.std)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in statistics)

    @torch.inference_mode()
    def forward(pixels: np.ndarray) -> dict[str, torch.Tensor]:
        x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)[:, ::-1])).float()
        x, outputs = (x / 255 * preprocessing.scale - mean) / std, {}
        for layer in architecture(weights.arch).layers:
            name = layer.name
            if not layer.weighted:
                x = functional.max_pool2d(x, 2)
            else:
                x = functional.conv2d(x, kernels[name], biases[name], padding=1).relu_()
            if name in layers:
                outputs[name] = x
            if len(outputs) == len(layers):
                return outputs
        raise ValueError(f"unknown layer among {layers}")

    return forward


def speeds(vgg19: Weights) -> list[dict[str, Any]]:
    """Time all cases, and print a line of Markdown for each."""
    slim = resolve("auto", "slim", ())
    blocks = tuple(f"conv{block}_1" for block in range(1, 6))
    cases = [
        (vgg19, blocks[2:3]),
        (vgg19, blocks[:3]),
        (slim, blocks[4:]),
        (slim, blocks),
        (vgg19, blocks),
    ]
    heads = "network", "layers", "px", "JAX forward", "lists alone", "whole pass", "ratio", "PyTorch forward"
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    measured = []
    for side in SIDES:
        for weights, layers in cases:
            row = speed(weights, layers, side)
            rates = [f"{row[name]:.1f}" for name in ("jax_forward", "lists_alone", "whole_pass")]
            cells = [weights.arch, ", ".join(layers), side, *rates, f"{row['kept']:.0%}"]
            print("| " + " | ".join(map(str, [*cells, f"{row['torch_forward']:.1f}"])) + " |", flush=True)
            measured.append(row)
    return measured


def speed(weights: Weights, layers: tuple[str, ...], side: int) -> dict[str, Any]:
    """Return the images per second of all methods on the same batch, medians over rounds."""
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3), np.uint8)
    network, forward = VGG(weights, "max"), torch_forward(weights, layers)
    bare = jax.jit(lambda network, pixels: network(pixels.astype(jnp.float32) / 255, layers))
    lists = top_patches.empty_lists(network, layers, side, TOP)
    counted = {layer: distributions.nothing_counted(len(lists[layer].image), SAMPLE) for layer in layers}
    numbers = jnp.arange(BATCH, dtype=jnp.int32)

    def lists_alone() -> dict[str, top_patches.Strongest]:
        nonlocal lists
        lists, found = top_patches.step(network, lists, jnp.asarray(pixels), numbers)
        return jax.block_until_ready(found)

    def whole_pass() -> None:
        nonlocal counted
        counted = jax.block_until_ready(distributions.tally(counted, lists_alone(), numbers))

    methods = {
        "jax_forward": lambda: jax.block_until_ready(bare(network, jnp.asarray(pixels))),
        "lists_alone": lists_alone,
        "whole_pass": whole_pass,
        "torch_forward": lambda: forward(pixels),
    }
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(ROUNDS.value + 1):
        for name, method in methods.items():
            began = time.perf_counter()
            method()
            if turn:  # the first turn compiles
                seconds[name].append(time.perf_counter() - began)
    rates = {name: BATCH / float(np.median(values)) for name, values in seconds.items()}
    about = {"network": weights.name, "arch": weights.arch, "layers": layers, "side": side}
    return about | rates | {"kept": rates["whole_pass"] / rates["jax_forward"]}


if __name__ == "__main__":
    app.run(main)
