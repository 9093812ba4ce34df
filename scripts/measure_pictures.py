"""Quality of a network's pictures: painted with slim, random filters and the 16x encoder, judged by VGG-19.

    NST_REFERENCE_DATA=FOLDER python scripts/measure_pictures.py --config=configs/distill.py [--size=256]

Paints six pairs of content and style, starting from the content, with the same objective for every network:
the style term of each layer is divided by its initial value, and the content term by its value for the style
picture, so that the scale of a network has no effect. The judge is the original VGG-19 at conv1_1, conv2_1
and conv3_1: mean of ||G - A|| / ||A||. Prints a table, and writes it to pictures.json and the pictures to
sheet.png. Takes about ten minutes on two CPU cores.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from flax import nnx

from nst_jax import cli, files, images
from nst_jax.config import OptimizerConfig, fields
from nst_jax.distill import teachers
from nst_jax.distill.settings import DistillSettings
from nst_jax.figures.sheets import contact_sheet
from nst_jax.losses import objective
from nst_jax.losses.gram import gram
from nst_jax.losses.weighting import loss_weights
from nst_jax.networks.vgg import VGG
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.sweeps.judging import relative_distance
from nst_jax.weights import load, resolve

PAIRS = (
    ("tubingen", "starry_night"),
    ("tubingen", "the_scream"),
    ("golden_gate", "composition_vii"),
    ("chicago", "vg_houses"),
    ("sailboat", "shipwreck"),
    ("flowers", "woman-with-hat-matisse"),
)
STYLE = tuple(f"conv{block}_1" for block in range(1, 6))
CONTENT = "conv4_2"
CONTENT_SHARE = 0.01  # content term of an unrelated picture; the initial style term is 1
JUDGED = ("conv1_1", "conv2_1", "conv3_1")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Encoder:
    """The 16x compressed encoder as a network: auxiliary outputs at convB_1, its own output at conv4_2."""

    arrays: Mapping[str, Any]

    def __call__(self, image: jax.Array, layers: Sequence[str]) -> dict[str, jax.Array]:
        """Return the activations of `image` at `layers`."""
        responses = teachers.encoder_responses(self.arrays, image, layers)
        return {layer: nnx.relu(R) for layer, R in responses.items()}


def main(argv: list[str]) -> int:
    """Paint and judge all pairs, and print and write the results."""
    values = flags.FlagValues()
    cli.define_config(values, argv)
    flags.DEFINE_string("workdir", "runs/pictures", "output folder", flag_values=values)
    flags.DEFINE_integer("size", 256, "longer side, pixels", flag_values=values)
    flags.DEFINE_integer("steps", 150, "L-BFGS steps", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    settings = fields.from_config(DistillSettings, cli.config_value(values, "configs/distill.py"))
    teacher_arrays = teachers.read_teachers(Path(settings.teachers.shallow), Path(settings.teachers.deep))
    judge = VGG(load(settings.teachers.shallow, "vgg19"))
    networks: dict[str, Any] = {
        "slim": VGG(resolve("auto", "slim", STYLE)),
        "random": VGG(resolve("random", "vgg19", STYLE)),
        "encoder": Encoder(teacher_arrays["deep"]),
    }
    rows, sheet = {}, []
    for content, style in PAIRS:
        C, S = (
            _read(Path(settings.image_root) / kind / name, values.size)
            for kind, name in (("content", content), ("style", style))
        )
        painted = {label: paint(network, C, S, values.steps) for label, network in networks.items()}
        rows[f"{content} + {style}"] = {k: distance(judge, picture, S) for k, picture in painted.items()}
        sheet.append([("style", S), *((label, np.asarray(picture)) for label, picture in painted.items())])
        print(f"{content} + {style}: {rows[f'{content} + {style}']}", flush=True)
    rows["mean"] = {label: float(np.mean([row[label] for row in rows.values()])) for label in networks}
    print(table(rows))
    folder = Path(values.workdir)
    files.write_json(folder / "pictures.json", rows)
    images.write(folder / "sheet.png", contact_sheet(sheet))
    return 0


def paint(network: Any, content: np.ndarray, style: np.ndarray, steps: int) -> jax.Array:
    """Return the picture after `steps` from the content, with relative terms."""
    start, losses = jnp.asarray(content), {"gram": 1.0}
    ones = loss_weights(1.0, 1.0, 0.0, {CONTENT: 1.0}, dict.fromkeys(STYLE, 1.0), losses)
    data = objective.make_objective(network, start, jnp.asarray(style), ones)
    measure = jax.jit(objective.terms)
    at_start = measure(network, data, start)
    at_style = measure(network, data, jnp.asarray(images.resize(style, *content.shape[1:3])))
    relative = loss_weights(
        CONTENT_SHARE,
        1.0,
        0.0,
        {CONTENT: 1 / float(at_style[f"content/{CONTENT}"])},
        {layer: 1 / (len(STYLE) * float(at_start[f"style/{layer}"])) for layer in STYLE},
        losses,
    )
    data = dataclasses.replace(data, weights=relative)
    optimizer = Optimizer(objective.total_and_terms, find_method(OptimizerConfig()))
    state = optimizer.start(network, data, start, jnp.float32(1))
    # A line search takes at most 20 evaluations per step.
    state = optimizer.advance(network, data, state, jnp.int32(steps), jnp.int32(20 * steps))
    return jnp.clip(state.image, 0, 1)


def distance(judge: VGG, picture: jax.Array, style: np.ndarray) -> float:
    """Return the mean over `JUDGED` of the relative distance of the Gram matrices."""
    F, S = judge(picture, JUDGED), judge(jnp.asarray(style), JUDGED)
    return float(np.mean([relative_distance(gram(F[layer]), gram(S[layer])) for layer in JUDGED]))


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Format the results as a Markdown table."""
    labels = list(rows["mean"])
    lines = [f"| pair | {' | '.join(labels)} |", "|" + " --- |" * (len(labels) + 1)]
    lines += [f"| {pair} | {' | '.join(f'{row[k]:.3f}' for k in labels)} |" for pair, row in rows.items()]
    return "\n".join(lines)


def _read(path: Path, size: int) -> np.ndarray:
    return images.fit(images.read(str(next(path.parent.glob(f"{path.name}.*")))), size)


if __name__ == "__main__":
    cli.run(main)
