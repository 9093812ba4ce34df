"""Training data: crops of photographs and paintings, and disturbed versions of them.

The disturbances resemble the intermediate images of a style transfer. A picture is uint8, "h w 3", sRGB; a
batch is float32, "b h w 3", about [0, 1]. To train on pictures from another source, such as TFDS, pass them
to `batch` as a list of arrays.
"""

import io
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter

from nst_jax.errors import UserError

Pixels = UInt8[np.ndarray, "_ _ 3"]
Crop = Float[np.ndarray, "side side 3"]
SUFFIXES = (".jpg", ".jpeg", ".png")
ZOOM = (0.5, 2.0)  # range of picture pixels per crop pixel


def picture_files(folder: Path) -> list[Path]:
    """Return the picture files below `folder`, sorted so that the order does not depend on the file system.

    Raises:
        UserError: there are none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise UserError(f"{folder}: contains no pictures ({', '.join(SUFFIXES)})")
    return paths


def split(root: Path, folders: Mapping[str, int], seed: int) -> tuple[list[Path], list[Path]]:
    """Split the pictures into training and held-out files; `folders` below `root` map to held-out counts."""
    train, validation = [], []
    for folder, count in folders.items():
        paths = picture_files(root / folder)
        chosen = held_out(paths, count, seed)
        validation += chosen
        train += sorted(set(paths) - set(chosen))
    return train, validation


def held_out(files: Sequence[Path], count: int, seed: int) -> list[Path]:
    """Choose `count` of `files` that are never trained on; the choice depends only on `seed`."""
    chosen = np.random.default_rng(seed).choice(len(files), count, replace=False)
    return [files[i] for i in sorted(chosen)]


def decode(file: Path) -> Pixels:
    """Read the picture of a file as uint8, so that thousands fit into memory."""
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))


def square(picture: Pixels, side: int) -> Float32[np.ndarray, "1 side side 3"]:
    """Resize the shorter side of a picture to `side` pixels, and crop the centre square."""
    height, width = picture.shape[:2]
    scale = side / min(height, width)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    resized = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    top, left = (resized.shape[0] - side) // 2, (resized.shape[1] - side) // 2
    return resized[np.newaxis, top : top + side, left : left + side].astype(np.float32) / 255


def batch(
    pictures: Sequence[Pixels], seed: int, step: int, count: int, natural: int, side: int
) -> Float32[np.ndarray, "count side side 3"]:
    """Return the batch of a step: `natural` plain crops first, then disturbed ones.

    It depends only on `seed` and `step`, so a resumed run continues with the same data.
    """
    rng = np.random.default_rng((seed, step))
    crops = [_crop(pictures, rng, side) for _ in range(count)]
    for i in range(natural, count):
        disturbance = DISTURBANCES[rng.integers(len(DISTURBANCES))]
        crops[i] = disturbance(crops[i], _crop(pictures, rng, side), rng)
    return np.stack(crops).astype(np.float32)


def prefetched(
    make: Callable[[int], np.ndarray], first: int, last: int, ahead: int = 4
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (step, make(step)) for each step, computed by a thread up to `ahead` steps in advance."""
    with ThreadPoolExecutor(1) as pool:
        pending = deque(pool.submit(make, step) for step in range(first, min(last, first + ahead)))
        for step in range(first, last):
            result = pending.popleft().result()
            if step + ahead < last:
                pending.append(pool.submit(make, step + ahead))
            yield step, result


def _crop(pictures: Sequence[Pixels], rng: np.random.Generator, side: int) -> Crop:
    """Return a random crop of a random picture at a random zoom, mirrored half of the time."""
    picture = pictures[int(rng.integers(len(pictures)))]
    height, width = picture.shape[:2]
    extent = min(height, width, side * np.exp(rng.uniform(*np.log(ZOOM))))
    top, left = rng.uniform(0, height - extent), rng.uniform(0, width - extent)
    box = (left, top, left + extent, top + extent)
    image = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC, box=box)
    pixels = np.asarray(image, np.float32) / 255
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Crop:
    """Return noise of random coarseness, half of the time with a random tint."""
    noise = rng.random(shape, np.float32)
    if rng.random() < 0.5:
        sigma = rng.uniform(0.4, 4)
        noise = 0.5 + np.float32(2 * sigma) * gaussian_filter(noise - 0.5, (sigma, sigma, 0))
    if rng.random() < 0.5:
        noise = noise * rng.random(3, np.float32) + rng.uniform(-0.2, 0.5, 3).astype(np.float32)
    return noise


def _white_noise(crop: Crop, _: Crop, rng: np.random.Generator) -> Crop:
    """Return white noise, the start of every optimisation with `init="noise"`."""
    return rng.random(crop.shape, np.float32)


def _half_noise(crop: Crop, _: Crop, rng: np.random.Generator) -> Crop:
    share = rng.uniform(0.05, 0.95)
    return (1 - share) * crop + share * _noise(crop.shape, rng)


def _grain(crop: Crop, _: Crop, rng: np.random.Generator) -> Crop:
    """Add Gaussian grain, without clipping, because optimised images are not clipped either."""
    grain = rng.normal(0, rng.uniform(0.02, 0.4), (*crop.shape[:2], rng.choice([1, 3])))
    return crop + grain


def _blend(crop: Crop, other: Crop, rng: np.random.Generator) -> Crop:
    share = rng.uniform(0.2, 0.8)
    return (1 - share) * crop + share * other


def _blur(crop: Crop, _: Crop, rng: np.random.Generator) -> Crop:
    sigma = rng.uniform(0.5, 4)
    return gaussian_filter(crop, (sigma, sigma, 0))


def _jpeg(crop: Crop, _: Crop, rng: np.random.Generator) -> Crop:
    stream = io.BytesIO()
    pixels = Image.fromarray(np.uint8(255 * crop))
    pixels.save(stream, "JPEG", quality=int(rng.integers(5, 50)))
    return np.asarray(Image.open(stream), np.float32) / 255


def _contrast(crop: Crop, _: Crop, rng: np.random.Generator) -> Crop:
    """Change the contrast of each colour channel separately."""
    return np.clip((crop - 0.5) * np.exp(rng.uniform(-0.5, 1.5, 3)) + 0.5, 0, 1)


DISTURBANCES = (_white_noise, _half_noise, _half_noise, _grain, _blend, _blur, _jpeg, _contrast)
