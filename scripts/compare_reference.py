"""Compare a config's picture with the one that Gatys et al. published for the same pair.

    NST_REFERENCE_DATA=FOLDER python scripts/compare_reference.py --config=configs/quick.py

Paints the Neckarfront in Tuebingen in the style of The Starry Night, the pair of the authors' notebook
(leongatys/NeuralImageSynthesis), and writes sheet.png with the authors' own result beside it. Prints and
writes to scores.json how far each picture is from the painting (conv1_1 to conv5_1 of VGG-19) and from the
photo (conv4_2), at 256 px: see nst_jax/sweeps/neutral.py.
"""

import dataclasses
import os
from pathlib import Path

import numpy as np
from absl import flags

from nst_jax import cli, files, images
from nst_jax.config import Config, from_dict
from nst_jax.config.tables import extensible
from nst_jax.errors import UserError
from nst_jax.figures.sheets import contact_sheet
from nst_jax.methods.transfers import open_session
from nst_jax.networks.network import Network
from nst_jax.networks.vgg import VGG
from nst_jax.runs.folder import RunFolder, read_run
from nst_jax.sweeps import neutral
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from nst_jax.weights import load

CONTENT, STYLE = "images/control/tuebingen.jpg", "images/control/starry_night.jpg"
AUTHORS = {
    "authors, 512": "images/control/tuebingen_starry_authors_512.png",
    "authors, 1024": "images/control/tuebingen_starry_authors_1024.png",
}
WEIGHTS = "weights/vgg19_8bit.bin"


def main(argv: list[str]) -> int:
    """Paint, measure, and write sheet.png and scores.json."""
    values = flags.FlagValues()
    cli.define_config(values, argv, extensible)
    flags.DEFINE_string("workdir", None, "output folder; default: a new one", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    cli.use_compilation_cache()
    data = reference_folder()
    config = from_dict(cli.config_value(values, "configs/quick.py"))
    config = dataclasses.replace(config, content=str(data / CONTENT), style=str(data / STYLE))
    folder = cli.work_folder(values)
    pictures = {"photo": images.read(config.content)}
    pictures |= {label: images.read(str(data / path)) for label, path in AUTHORS.items()}
    pictures[cli.config_name(values)] = painted(config, folder)
    style = images.read(config.style)
    judge = VGG(load(data / WEIGHTS, "vgg19"))
    scores = {label: score(judge, picture, pictures["photo"], style) for label, picture in pictures.items()}
    shown = [(label, images.fit(picture, config.size)) for label, picture in pictures.items()]
    images.write(folder / "sheet.png", contact_sheet([shown], 384))
    seconds = read_run(folder)["wall_seconds"]
    files.write_json(folder / "scores.json", {"scores": scores, "wall_seconds": seconds})
    print(f"| picture | {' | '.join(scores['photo'])} |")
    for label, found in scores.items():
        print(f"| {label} | {' | '.join(f'{value:.3f}' for value in found.values())} |")
    print(f"{folder / 'sheet.png'}, painted in {seconds:.0f} s")
    return 0


def reference_folder() -> Path:
    """Return the folder of reference data.

    Raises:
        UserError: `NST_REFERENCE_DATA` does not name it.
    """
    folder = os.environ.get("NST_REFERENCE_DATA", "")
    if not (folder and (Path(folder) / CONTENT).exists()):
        raise UserError(f"NST_REFERENCE_DATA: {folder!r} is not a folder with {CONTENT}")
    return Path(folder)


def painted(config: Config, folder: Path) -> np.ndarray:
    """Return the result of `config`, painted into the run folder `folder`."""
    job = prepare(config)
    run = RunFolder(folder, config)
    run.require_free()
    (outcome,) = paint(open_session([job]), [job], [run], lambda look: True)
    return outcome.image


def score(judge: Network, picture: np.ndarray, content: np.ndarray, style: np.ndarray) -> dict[str, float]:
    """Return the distances of `picture` to the painting, as shares of the photo's, and to the photo."""
    shares = neutral.style_shares(judge, picture, content, style)
    return shares | {"content": neutral.content_distance(judge, picture, content)}


if __name__ == "__main__":
    cli.run(main)
