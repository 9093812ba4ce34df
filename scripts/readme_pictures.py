"""Create the pictures of the documentation.

    python scripts/readme_pictures.py           # docs/hero.jpg; six minutes on two cores
    python scripts/readme_pictures.py gallery   # docs/gallery/: sheets of configs/sweeps/*.py:quick
    python scripts/readme_pictures.py gallery NAME ...   # some of them
    python scripts/readme_pictures.py controls  # docs/gallery/: a mix of scales and a seamless texture
    python scripts/readme_pictures.py video     # docs/video.webp: a camera over a photo, and painted
    python scripts/readme_pictures.py units     # docs/units/convB_1.jpg: units of VGG-19; 20 minutes

docs/hero.jpg shows one photo in the four bundled styles, painted with configs/quick.py.
"""

import dataclasses
import importlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import picture_tiles
from PIL import Image

import nst_jax
from nst_jax import cli, images
from nst_jax.config import Config, from_dict
from nst_jax.figures.sheets import contact_sheet
from nst_jax.film import write_film
from nst_jax.methods.gatys import Session
from nst_jax.runs.folder import RunFolder
from nst_jax.sweep import main as paint_sweep
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare

STYLES = ("swirls", "stained_glass", "sunset", "ink_wash")
HERO = Path(__file__).parents[1] / "docs" / "hero.jpg"
FIGURES = {
    "gatys2015_fig1_content": "vgg19",
    "gatys2015_fig1_style": "vgg19",
    "gatys2015_fig2": "vgg19",
    "gatys2015_fig3": "vgg19",
    "cvpr2016_fig4": "vgg19",
    "cvpr2016_fig6": "vgg19",
    "noise": "slim",
    "gatys2017_color": "slim",
    "gatys2017_spatial": "slim",
    "style_losses": "slim",
}  # networks by config
HEIGHT, UNIT_HEIGHT = 200, 220
CLIP_FRAMES = 36


def main() -> None:
    """Paint the hero picture: styles in the upper row, results in the lower row."""
    cli.use_compilation_cache()
    config = from_dict(importlib.import_module("nst_jax.configs.quick").get_config())
    with tempfile.TemporaryDirectory() as folder:
        painted = [_paint(config, style, Path(folder) / style) for style in STYLES]
    styles = [_same_shape(images.read(f"sample:{style}"), painted[0]) for style in STYLES]
    content = [("content", images.read(config.content))]
    upper = content + list(zip(STYLES, styles, strict=True))
    blank = [("", np.ones_like(painted[0]))]
    lower = blank + [(f"content + {style}", picture) for style, picture in zip(STYLES, painted, strict=True)]
    sheet = contact_sheet([upper, lower], HEIGHT)
    Image.fromarray(np.uint8(sheet[0] * 255)).save(HERO, quality=88)


def gallery(names: Sequence[str]) -> None:
    """Create the sheets of the figures in `names` with the `:quick` configs."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            config = f"--config=configs/sweeps/{name}.py:quick", f"--config.network.arch={FIGURES[name]}"
            paint_sweep(["sweep", *config, f"--workdir={folder}/{name}"])
            sheet = images.read(f"{folder}/{name}/sheet.png")
        _save(sheet, name)


def controls() -> None:
    """Create the pictures of configs/mix_scales.py and configs/texture.py."""
    cli.use_compilation_cache()
    with tempfile.TemporaryDirectory() as folder:
        mix_scales = importlib.import_module("nst_jax.experiments.mix_scales")
        mix_scales.main(["mix", "--config=configs/mix_scales.py", f"--workdir={folder}/mix"])
        _save(images.fit(images.read(f"{folder}/mix/sheet.png"), 1200), "mix_scales")
        config = from_dict(importlib.import_module("configs.texture").get_config())
        texture = _paint(config, "swirls", Path(folder) / "texture")
    _save(images.fit(np.tile(texture, (1, 2, 2, 1)), 800), "texture")


def video() -> None:
    """Paint a clip in which a camera moves over a photo, and save both side by side."""
    photo = images.fit(images.read("sample:astronaut"), 400)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(CLIP_FRAMES):
            x, y = 2 * number, round(20 + 16 * np.sin(2 * np.pi * number / CLIP_FRAMES))
            images.write(f"{folder}/clip/{number:03d}.png", photo[:, y : y + 200, x : x + 300])
        painted = nst_jax.stylize_video(f"folder:{folder}/clip", "sample:swirls", size=300)
        frames = [
            np.concatenate(
                [np.asarray(Image.open(f"{folder}/clip/{frame.number:03d}.png")), np.asarray(frame.image)], 1
            )
            for frame in painted
        ]
    write_film(HERO.parent / "video.webp", [Image.fromarray(frame) for frame in frames], 12.0)


def units() -> None:
    """Search the tiles of freely publishable pictures, and arrange six units of each layer of VGG-19."""
    top_patches = importlib.import_module("nst_jax.experiments.top_patches")
    with tempfile.TemporaryDirectory() as folder:
        picture_tiles.main(Path(folder) / "tiles")
        data = f"--config.data=folder:{folder}/tiles", f"--config.size={picture_tiles.SIDE}"
        shown = "--config.shown=6", "--config.maximized=128"
        config = "--config=configs/top_patches.py:vgg19", f"--workdir={folder}/run", *data, *shown
        top_patches.main(["top_patches", *config])
        arrange_units(Path(folder) / "run")


def arrange_units(run: Path) -> None:
    """Arrange the units of a finished search: patches, projections, and the maximised picture."""
    for layer in sorted(path.name for path in (run / "units").iterdir()):
        numbers = sorted(int(path.stem) for path in (run / "units" / layer).iterdir())
        panels = [
            [
                (str(unit), images.read(str(run / "units" / layer / f"{unit}.png"))),
                ("", images.read(str(run / "maximized" / layer / f"{unit}.png"))),
            ]
            for unit in numbers
        ]
        rows = [first + second for first, second in zip(panels[::2], panels[1::2], strict=True)]
        _save(contact_sheet(rows, UNIT_HEIGHT), layer, "units")


def _save(picture: np.ndarray, name: str, folder: str = "gallery") -> None:
    path = HERO.parent / folder / f"{name}.jpg"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.uint8(picture[0] * 255)).save(path, quality=80, optimize=True)


def _paint(config: Config, style: str, folder: Path) -> np.ndarray:
    job = prepare(dataclasses.replace(config, style=f"sample:{style}"))
    (outcome,) = paint(Session([job]), [job], [RunFolder(folder, job.config)], lambda look: True)
    return outcome.image


def _same_shape(picture: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Crop `picture` centrally to the aspect ratio of `like`."""
    height, width = picture.shape[1:3]
    aspect = like.shape[2] / like.shape[1]
    h, w = min(height, round(width / aspect)), min(width, round(height * aspect))
    y, x = (height - h) // 2, (width - w) // 2
    return picture[:, y : y + h, x : x + w]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["gallery", *names]:
            gallery(names or tuple(FIGURES))
        case ["controls"]:
            controls()
        case ["video"]:
            video()
        case ["units"]:
            units()
        case _:
            main()
