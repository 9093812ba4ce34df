"""Create a folder of small, freely publishable pictures for the top patches in the documentation.

    python scripts/picture_tiles.py FOLDER
    python -m nst_jax.experiments.top_patches --config=configs/top_patches.py --config.data=folder:FOLDER \\
        --config.size=160 --config.layers=conv4_1

The pictures are tiles of scikit-image's photographs at up to three scales, tiles of the bundled paintings,
and drawn gratings, rings and checkerboards. With only nine whole photographs, all units would share them.
"""

import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from nst_jax import images

SIDE = 160
PHOTOS = (
    *("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "ihc.png"),
    *("hubble_deep_field.jpg", "retina.jpg", "camera.png", "coins.png", "page.png", "text.png"),
    *("brick.png", "grass.png", "gravel.png", "moon.png", "clock_motion.png"),
)
PAINTINGS = ("swirls", "sunset", "stained_glass", "ink_wash")
LONGER_SIDES = (900, 480, 260)  # of a photograph, pixels; photographs are never enlarged
PAINTING_SIDE = 320
DULL = 0.03  # tiles with a smaller standard deviation are skipped
FINER = 4  # supersampling factor of drawn pictures
DRAWN = 16  # drawn pictures of each kind


def main(folder: Path) -> None:
    """Write every tile as a PNG."""
    tiles = {**dict(photographed()), **dict(drawn(np.random.default_rng(0)))}
    for name, tile in tiles.items():
        images.write(folder / f"{name}.png", tile[np.newaxis])
    print(f"{folder}: {len(tiles)} pictures")


def photographed() -> Iterator[tuple[str, np.ndarray]]:
    """Yield the tiles of the photographs and paintings, with their names."""
    for file in PHOTOS:
        picture = images.read(str(resources.files("skimage.data") / file))
        for longer in sorted({min(max(picture.shape[1:3]), side) for side in LONGER_SIDES}):
            yield from cut(f"{Path(file).stem}_{longer}", images.fit(picture, longer)[0])
    for name in PAINTINGS:
        yield from cut(name, images.fit(images.read(f"sample:{name}"), PAINTING_SIDE)[0])


def cut(name: str, picture: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield as many whole tiles as fit, centred in the picture."""
    rows, columns = (side // SIDE for side in picture.shape[:2])
    top, left = (picture.shape[0] - rows * SIDE) // 2, (picture.shape[1] - columns * SIDE) // 2
    for row in range(rows):
        for column in range(columns):
            tile = picture[top + row * SIDE :, left + column * SIDE :][:SIDE, :SIDE]
            if tile.std() > DULL:
                yield f"{name}_{row}{column}", tile


def drawn(rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Yield gratings, rings and checkerboards of two colours, at random angles and widths."""
    y, x = (np.mgrid[: FINER * SIDE, : FINER * SIDE] - FINER * SIDE / 2) / FINER
    for number in range(DRAWN):
        one, two = rng.random((2, 3))
        angle, frequency = rng.uniform(0, np.pi), 2 * np.pi / rng.uniform(5, 28)
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        masks = {
            "grating": np.sin(frequency * u) > 0,
            "rings": np.sin(frequency * np.hypot(u - 9, v + 14)) > 0,
            "checks": (np.floor(u * frequency / 4) + np.floor(v * frequency / 4)) % 2,
        }
        for kind, mask in masks.items():
            share = np.float32(mask).reshape(SIDE, FINER, SIDE, FINER).mean((1, 3))[..., np.newaxis]
            yield f"{kind}_{number:02d}", np.asarray(share * one + (1 - share) * two, np.float32)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
