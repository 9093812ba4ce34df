"""How well a compact network agrees with VGG-19, on photographs that it was not trained on.

    python scripts/measure_slim.py --workdir=runs/measure_slim [--weights=FILE] [--photos=100]

prints a table and writes `agreement.json`. Photographs and teachers are those of configs/distill.py.
Both networks pool by average; the encoder that stands for VGG-19 below conv3_4 by maximum, its own way.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from ml_collections import config_flags

from nst_jax import files, networks
from nst_jax.distill import data, objective, scaling, teachers
from nst_jax.distill.student import CONVS
from nst_jax.weights import Weights, load
from nst_jax.weights.topology import kernel_shapes

CONFIG = config_flags.DEFINE_config_file("config", "configs/distill.py", "Photographs and teachers.")
SLIM = Path(networks.__file__).with_name("slim.safetensors")
WEIGHTS = flags.DEFINE_string("weights", str(SLIM), "The weight file to measure.")
ARCH = flags.DEFINE_string("arch", "slim", "What is in it: slim, vgg16 or vgg19.")
PHOTOS = flags.DEFINE_integer("photos", 100, "How many of the held-out photographs to use.")
WORKDIR = flags.DEFINE_string("workdir", "runs/measure_slim", "Where agreement.json is written.")

SIDE = 224
POSITIONS = 1500  # per photograph, or all where a layer has fewer
PAIRS = 8  # of pictures, of each kind, for the scale of the terms
LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
DEAD = 0.0  # a filter is dead on an image if it nowhere responds more


def main(argv: Sequence[str]) -> None:
    """Measure, print, write."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    config = CONFIG.value
    weights = load(WEIGHTS.value, ARCH.value)
    taught = teachers.read_teachers(Path(config.teachers.shallow), Path(config.teachers.deep))
    _, held_out = data.split(Path(config.image_root), config.images, config.seed)
    photos = [data.square(data.decode(file), SIDE) for file in held_out[: PHOTOS.value]]
    measured = {
        "weights": weights.sha256,
        "photos": len(photos),
        "multiply_adds": cost(weights),
        "cka": similarity(weights, taught, photos),
        "dead": dead_filters(weights, photos),
        "scale": scales(weights, taught, photos),
    }
    print(table(measured))
    text = json.dumps(measured, indent=2) + "\n"
    files.write_bytes(Path(WORKDIR.value) / "agreement.json", text.encode())


def similarity(
    weights: Weights, taught: teachers.Taught, photos: Sequence[np.ndarray], seed: int = 0
) -> dict[str, float]:
    """Linear CKA with the teachers at each layer, positions of all photographs pooled."""
    network = networks.VGG(weights, pool="avg")
    rng = np.random.default_rng(seed)
    rows: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {layer: [] for layer in LAYERS}
    both = jax.jit(lambda x: (network(x, LAYERS), teachers.targets(taught, x)))
    for photo in photos:
        S, T = both(photo)
        for layer in LAYERS:
            pair = [np.asarray(F[layer]).reshape(-1, F[layer].shape[-1]) for F in (S, T)]
            chosen = rng.permutation(len(pair[0]))[:POSITIONS]
            rows[layer].append((pair[0][chosen], pair[1][chosen]))
    found = {}
    for layer, pairs in rows.items():
        S, T = (jnp.asarray(np.concatenate(part)) for part in zip(*pairs, strict=True))
        found[layer] = float(objective.linear_cka(S, T))
    return found


def dead_filters(weights: Weights, photos: Sequence[np.ndarray]) -> dict[str, float]:
    """The share of filters that nowhere respond, averaged over the photographs."""
    network = networks.VGG(weights, pool="avg")
    layers = [layer for layer in CONVS if layer in network.layers]
    peaks = jax.jit(lambda x: {k: F.max((0, 1, 2)) for k, F in network(x, layers).items()})
    found = [peaks(jnp.asarray(photo)) for photo in photos]
    return {k: float(np.mean([peak[k] <= DEAD for peak in found])) for k in layers}


def scales(
    weights: Weights, taught: teachers.Taught, photos: Sequence[np.ndarray]
) -> dict[str, dict[str, list[float]]]:
    """The terms over VGG-19's, from noise and from photographs: lowest, median, highest."""
    found = {}
    for kind, pairs in scaling.pairs(photos, PAIRS).items():
        ratios = scaling.term_ratios(weights.arrays, taught, pairs)
        found[kind] = {k: [float(f(v)) for f in (np.min, np.median, np.max)] for k, v in ratios.items()}
    return found


def cost(weights: Weights) -> dict[str, float]:
    """Multiply-adds per pixel of the image up to conv5_1, and as a share of VGG-19's."""
    shapes = {layer: weights.arrays[f"{layer}.kernel"].shape for layer in CONVS}
    own, vgg19 = (multiply_adds(shapes), multiply_adds(kernel_shapes("vgg19")))
    return {"per_pixel": own, "share_of_vgg19": own / vgg19}


def multiply_adds(shapes: Mapping[str, tuple[int, ...]]) -> float:
    """Per pixel of the image; each block has a quarter of the positions of the one before."""
    blocks = {layer: int(layer[4]) for layer in CONVS}
    return float(sum(np.prod(shapes[layer]) / 4 ** (blocks[layer] - 1) for layer in CONVS))


def table(measured: Mapping) -> str:
    """What was measured, in Markdown."""
    lines = [f"{measured['photos']} photographs; {measured['multiply_adds']}", ""]
    lines += ["| layer | CKA | dead filters |", "| --- | --- | --- |"]
    for layer, dead in measured["dead"].items():
        alike = measured["cka"].get(layer)
        lines.append(f"| {layer} | {'' if alike is None else f'{alike:.3f}'} | {dead:.2%} |")
    lines += ["", "| term over VGG-19's | from | lowest | median | highest |", "|" + " --- |" * 5]
    for kind, terms in measured["scale"].items():
        lines += [f"| {k} | {kind} | " + " | ".join(f"{x:.2f}" for x in v) + " |" for k, v in terms.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    app.run(main)
