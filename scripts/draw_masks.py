"""Draw the bundled masks of nst_jax/images/samples: regions of the sample pictures, for configs/sweeps/.

    python scripts/draw_masks.py

`coffee_cup` and `coffee_table` divide the photograph `coffee`; `sunset_sky` and `sunset_water` divide the
painting `sunset`. Each pair adds up to white.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SAMPLES = Path(__file__).parents[1] / "nst_jax" / "images" / "samples"
SOFT = 1.5  # pixels, standard deviation of the blur at the border of a region


def coffee_cup() -> Image.Image:
    """The cup with its saucer: two ellipses."""
    mask = Image.new("L", (600, 400))
    draw = ImageDraw.Draw(mask)
    draw.ellipse((75, 68, 479, 389), fill=255)
    draw.ellipse((171, 15, 408, 215), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(SOFT))


def sunset_sky() -> Image.Image:
    """Everything above the horizon."""
    mask = Image.new("L", (720, 576))
    ImageDraw.Draw(mask).rectangle((0, 0, 720, 366), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(SOFT))


def inverted(mask: Image.Image) -> Image.Image:
    """White where `mask` is black."""
    return Image.fromarray(255 - np.asarray(mask))


def main() -> None:
    """Write all masks."""
    cup, sky = coffee_cup(), sunset_sky()
    masks = {
        "coffee_cup": cup,
        "coffee_table": inverted(cup),
        "sunset_sky": sky,
        "sunset_water": inverted(sky),
    }
    for name, mask in masks.items():
        mask.save(SAMPLES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
