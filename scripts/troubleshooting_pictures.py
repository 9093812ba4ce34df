"""Create the pictures of docs/troubleshooting.md: one photo painted with several values of one field.

    python scripts/troubleshooting_pictures.py           # docs/troubleshooting/; two minutes on two cores
    python scripts/troubleshooting_pictures.py NAME ...  # some of them, by the name of the field

The content and the style come first in each row, then one result for each value.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nst_jax import Session, images
from nst_jax.figures.sheets import contact_sheet

FOLDER = Path(__file__).parents[1] / "docs" / "troubleshooting"
SIZE, HEIGHT = 160, 120  # pixels
# By field: content, style, and the values that it takes.
PICTURES: dict[str, tuple[str, str, tuple[Any, ...]]] = {
    "content_weight": ("sample:chelsea", "sample:swirls", (0.05, 0.15, 0.5, 5.0)),
    "style_scale": ("sample:coffee", "sample:stained_glass", (0.5, 1.0, 2.0)),
    "color": ("sample:chelsea", "sample:stained_glass", ("style", "luminance", "pca")),
    "laplacian_weight": ("sample:astronaut", "sample:swirls", (0.0, 1e-5, 1e-4)),
}


def main(names: list[str]) -> None:
    """Paint the pictures in `names`, or all of them."""
    FOLDER.mkdir(exist_ok=True)
    session = Session("quick", size=SIZE)
    for field in names or PICTURES:
        content, style, values = PICTURES[field]
        sources = [("content", content), ("style", style)]
        shown = [(label, images.fit(images.read(source), SIZE)) for label, source in sources]
        for value in values:
            shown.append((str(value), session.stylize(content, style, **{field: value}).array))
        sheet = contact_sheet([shown], HEIGHT)
        Image.fromarray(np.uint8(sheet[0] * 255)).save(FOLDER / f"{field}.jpg", quality=60)


if __name__ == "__main__":
    main(sys.argv[1:])
