"""Agreement of a compact network with VGG-19 on photographs that it was not trained on.

    python scripts/measure_slim.py --config=configs/distill.py [--weights=FILE] [--photos=100]

Prints a table and writes agreement.json. The photographs and the teacher are those of configs/distill.py.
Both networks use average pooling.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from distillation import crops, lessons, scaling
from distillation.settings import DistillSettings
from distillation.student import CONVS, ridge
from distillation.teachers import LAYERS, read_teacher

from nst_jax import cli, files
from nst_jax.config import fields
from nst_jax.networks.architectures import architecture
from nst_jax.networks.receptive import stride
from nst_jax.networks.trained import Weights
from nst_jax.networks.vgg import VGG
from nst_jax.weights import load
from nst_jax.weights.embedded import FILE as SLIM

SIDE = 224
POSITIONS = 1500  # sampled per photograph; all of them if a layer has fewer
PAIRS = 8  # pairs of pictures of each kind, for the scale of the terms
DEAD = 0.0  # a filter is dead on an image if its peak response does not exceed this


def main(argv: list[str]) -> int:
    """Run all measurements, and print and write the results."""
    values = flags.FlagValues()
    cli.define_config(values, argv)
    flags.DEFINE_string("weights", str(SLIM), "the weight file to measure", flag_values=values)
    flags.DEFINE_string("arch", "slim", "its architecture: slim, vgg16 or vgg19", flag_values=values)
    flags.DEFINE_integer("photos", 100, "number of held-out photographs to use", flag_values=values)
    flags.DEFINE_string("workdir", "runs/measure_slim", "output folder", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    settings = fields.from_config(DistillSettings, cli.config_value(values, "configs/distill.py"))
    weights = load(values.weights, values.arch)
    teacher = VGG(read_teacher(settings.teacher))
    _, held_out = crops.split(Path(settings.image_root), settings.images, settings.seed)
    photos = [crops.square(crops.decode(file), SIDE) for file in held_out[: values.photos]]
    measured = {
        "weights": weights.sha256,
        "photos": len(photos),
        "multiply_adds": cost(weights),
        "agreement": agreement(weights, teacher, photos),
        "dead": dead_filters(weights, photos),
        "scale": scales(weights, teacher, photos),
    }
    print(table(measured))
    files.write_json(Path(values.workdir) / "agreement.json", measured)
    return 0


def agreement(
    weights: Weights, teacher: VGG, photos: Sequence[np.ndarray], seed: int = 0
) -> dict[str, dict[str, float]]:
    """Return the linear CKA with the teacher at each layer, and R2, the variance of it that is explained.

    CKA is over positions of all photographs together. R2 is that of the linear map from the student's filters
    to the teacher's that fits the first half of the photographs best, on the second half.
    """
    network, rng = VGG(weights), np.random.default_rng(seed)
    rows: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {layer: [] for layer in LAYERS}
    both = jax.jit(lambda x: (network(x, LAYERS), teacher(x, LAYERS)))
    for photo in photos:
        S, T = both(photo)
        for layer in LAYERS:
            pair = [np.asarray(F[layer]).reshape(-1, F[layer].shape[-1]) for F in (S, T)]
            chosen = rng.permutation(len(pair[0]))[:POSITIONS]
            rows[layer].append((pair[0][chosen], pair[1][chosen]))
    result = {}
    for layer, pairs in rows.items():
        (S, T), first = (np.concatenate(part) for part in zip(*pairs, strict=True)), len(pairs) // 2
        boundary = sum(len(pair[0]) for pair in pairs[:first])
        cka = float(lessons.linear_cka(jnp.asarray(S), jnp.asarray(T)))
        result[layer] = {"cka": cka, "r2": explained(S, T, boundary)}
    return result


def explained(S: np.ndarray, T: np.ndarray, boundary: int) -> float:
    """Return the share of T's variance after row `boundary` that a linear map fitted before it explains."""
    rows = np.concatenate([S, np.ones((len(S), 1), S.dtype)], axis=1)
    linear = ridge(rows[:boundary], T[:boundary], strength=1e-6)
    errors = T[boundary:] - rows[boundary:] @ linear
    return float(1 - np.square(errors).sum() / np.square(T[boundary:] - T[boundary:].mean(0)).sum())


def dead_filters(weights: Weights, photos: Sequence[np.ndarray]) -> dict[str, float]:
    """Return the fraction of dead filters at each layer, averaged over the photographs."""
    network = VGG(weights)
    layers = [layer for layer in CONVS if layer in network.layers]
    peaks = jax.jit(lambda x: {k: F.max((0, 1, 2)) for k, F in network(x, layers).items()})
    photo_peaks = [peaks(jnp.asarray(photo)) for photo in photos]
    return {k: float(np.mean([peak[k] <= DEAD for peak in photo_peaks])) for k in layers}


def scales(weights: Weights, teacher: VGG, photos: Sequence[np.ndarray]) -> dict[str, dict[str, list[float]]]:
    """Return the terms relative to VGG-19's, for noise and for photographs: lowest, median, highest."""
    result = {}
    for kind, pairs in scaling.pairs(photos, PAIRS).items():
        ratios = scaling.term_ratios(weights.arrays, teacher, pairs)
        result[kind] = {k: [float(f(v)) for f in (np.min, np.median, np.max)] for k, v in ratios.items()}
    return result


def cost(weights: Weights) -> dict[str, float]:
    """Return the multiply-adds per image pixel up to conv5_1, and their ratio to VGG-19's."""
    shapes = {layer: weights.arrays[f"{layer}.kernel"].shape for layer in CONVS}
    per_pixel, vgg19 = multiply_adds(shapes), multiply_adds(architecture("vgg19").kernel_shapes())
    return {"per_pixel": per_pixel, "share_of_vgg19": per_pixel / vgg19}


def multiply_adds(shapes: Mapping[str, tuple[int, ...]]) -> float:
    """Return the multiply-adds per image pixel; a layer of stride s has one position per s * s pixels."""
    layers = architecture("vgg19").layers
    return float(sum(np.prod(shapes[layer]) / stride(layers, layer) ** 2 for layer in CONVS))


def table(measured: Mapping) -> str:
    """Format the results as Markdown."""
    lines = [f"{measured['photos']} photographs; {measured['multiply_adds']}", ""]
    lines += ["| layer | CKA | R2 | dead filters |", "| --- | --- | --- | --- |"]
    for layer, values in measured["agreement"].items():
        dead = measured["dead"][layer]
        lines.append(f"| {layer} | {values['cka']:.3f} | {values['r2']:.2f} | {dead:.2%} |")
    lines += ["", "| term / VGG-19's | from | lowest | median | highest |", "|" + " --- |" * 5]
    for kind, terms in measured["scale"].items():
        lines += [f"| {k} | {kind} | " + " | ".join(f"{x:.2f}" for x in v) + " |" for k, v in terms.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(main)
