"""Comparison of networks: the same picture painted with VGG-19, slim and random filters, on one sheet.

    python -m nst_jax.experiments.network_ablation --config=configs/quick.py --workdir=runs/networks

Every network gets the same content, style and seed. The number next to its name is the style distance: the
mean over style layers of ||G - A|| / ||A||. It is measured with the same network for all pictures: VGG-19 if
its weights are in the cache or given with `--vgg19=FILE`, else slim; nothing is downloaded. A file without
some of the style layers can measure with the others, but VGG-19 only paints if no layer is missing.
"""

import dataclasses
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from absl import flags

from nst_jax import cli, files, images
from nst_jax.config import Config, from_dict
from nst_jax.config.tables import extensible
from nst_jax.figures.sheets import contact_sheet
from nst_jax.losses.gram import gram
from nst_jax.methods.uninterrupted import paint_completely
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.networks.vgg import VGG
from nst_jax.storage.locks import claimed
from nst_jax.sweeps.judging import relative_distance
from nst_jax.transfer.fitting import inputs_of_files
from nst_jax.transfer.job import Job
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.room import require_room
from nst_jax.weights import load, resolve
from nst_jax.weights.resolving import cached_of


def main(argv: list[str]) -> int:
    """Paint with each network, measure the distances, and write sheet.png and distances.json."""
    values = flags.FlagValues()
    cli.define_config(values, argv, extensible)
    cli.define_workdir(values)
    flags.DEFINE_string("vgg19", None, "a file of VGG-19 weights; default: the cache", flag_values=values)
    cli.parse(values, argv, __doc__ or "", Config)
    config = cli.settings(values, from_dict, "configs/quick.py")
    cli.use_compilation_cache()
    folder = cli.work_folder(values)
    with claimed(folder, new=True):
        _compare(config, values.vgg19, folder)
    return 0


def _compare(config: Config, file: str | None, folder: Path) -> None:
    """Paint with every network, and compare the pictures; `file` holds the weights of VGG-19."""
    require_room(config, list(inputs_of_files(config)))  # before VGG-19 is loaded
    vgg19 = load(Path(file), "vgg19") if file else cached_of("vgg19")
    judge = VGG(vgg19 or resolve("auto", "slim", ()), config.network.pool)
    jobs = _jobs(config, vgg19, file)
    pictures = {label: _paint(job, folder / label) for label, job in jobs.items()}
    distances = {label: style_distance(judge, config, picture) for label, picture in pictures.items()}
    inputs = [("content", images.read(config.content)), ("style", images.read(config.style))]
    painted = [(f"{label}: {distances[label]:.3f}", picture) for label, picture in pictures.items()]
    images.write(folder / "sheet.png", contact_sheet([inputs, painted]))
    files.write_json(folder / "distances.json", distances)
    for label, distance in distances.items():
        print(f"{label:10} style distance {distance:.3f}")
    print(f"done: {folder / 'sheet.png'}")


def _jobs(config: Config, vgg19: Weights | None, file: str | None) -> dict[str, Job]:
    choices = {"slim": ("slim", "auto"), "random": ("vgg19", "random")}
    if vgg19 and set(config.active_layers()) <= set(VGG(vgg19).layers):
        choices = {"vgg19": ("vgg19", file or "auto"), **choices}
    networks = {
        label: dataclasses.replace(config.network, arch=arch, weights=weights)
        for label, (arch, weights) in choices.items()
    }
    return {label: prepare(dataclasses.replace(config, network=n)) for label, n in networks.items()}


def _paint(job: Job, folder: Path) -> np.ndarray:
    print(f"{folder.name}:")
    return paint_completely(job, folder)


def style_distance(judge: Network, config: Config, picture: np.ndarray) -> float:
    """Return the mean of ||G - A|| / ||A||, Frobenius norms of Grams, over the style layers of `judge`."""
    layers = [layer for layer in config.active_style() if layer in judge.layers]
    style = images.fit(images.read(config.style), round(config.size * config.style_scale))
    F, S = (judge(jnp.asarray(image), layers) for image in (picture, style))
    return float(np.mean([relative_distance(gram(F[layer]), gram(S[layer])) for layer in layers]))


if __name__ == "__main__":
    cli.run(main)
