"""The README's first picture: `python scripts/readme_pictures.py` paints docs/hero.jpg.

One photo in the four bundled styles, each as configs/quick.py paints it; six minutes on two cores.
"""

import dataclasses
import importlib
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from nst_jax import cli, images, report, stylize
from nst_jax.config import Config, from_dict
from nst_jax.run_folder import RunFolder

STYLES = ("swirls", "stained_glass", "sunset", "ink_wash")
HERO = Path(__file__).parents[1] / "docs" / "hero.jpg"
HEIGHT = 200


def main() -> None:
    """Paint and lay out: styles above, results below."""
    cli.use_compilation_cache()
    config = from_dict(importlib.import_module("configs.quick").get_config())
    with tempfile.TemporaryDirectory() as folder:
        painted = [_paint(config, style, Path(folder) / style) for style in STYLES]
    styles = [_same_shape(images.read(f"sample:{style}"), painted[0]) for style in STYLES]
    content = [("content", images.read(config.content))]
    above = content + list(zip(STYLES, styles, strict=True))
    blank = [("", np.ones_like(painted[0]))]
    below = blank + [(f"content + {style}", picture) for style, picture in zip(STYLES, painted, strict=True)]
    sheet = report.contact_sheet([above, below], HEIGHT)
    Image.fromarray(np.uint8(sheet[0] * 255)).save(HERO, quality=88)


def _paint(config: Config, style: str, folder: Path) -> np.ndarray:
    job = stylize.prepare(dataclasses.replace(config, style=f"sample:{style}"))
    run = RunFolder(folder, job.config)
    run.begin()
    return np.clip(stylize.paint(job, run).image, 0, 1)


def _same_shape(picture: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The middle of `picture` in the aspect ratio of `like`."""
    height, width = picture.shape[1:3]
    aspect = like.shape[2] / like.shape[1]
    h, w = min(height, round(width / aspect)), min(width, round(height * aspect))
    y, x = (height - h) // 2, (width - w) // 2
    return picture[:, y : y + h, x : x + w]


if __name__ == "__main__":
    main()
