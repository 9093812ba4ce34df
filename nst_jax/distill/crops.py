"""Training pictures: crops of photographs and paintings, and what an optimisation makes of them.

A picture is uint8, h w 3, sRGB; a batch is float32, about [0, 1], b h w 3. To train on another
source than folders, such as a TFDS, give `batch` its pictures as a list of such arrays.
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
ZOOM = (0.5, 2.0)  # pixels of the picture per pixel of the crop


def picture_files(folder: Path) -> list[Path]:
    """The pictures below `folder`, in an order that does not depend on the file system.

    Raises:
        UserError: there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(f"{folder}: no pictures ({', '.join(SUFFIXES)}) here")
    return found


def split(root: Path, folders: Mapping[str, int], seed: int) -> tuple[list[Path], list[Path]]:
    """Pictures to train on, and those held out: so many of each folder below `root`."""
    train, apart = [], []
    for folder, count in folders.items():
        found = picture_files(root / folder)
        chosen = held_out(found, count, seed)
        apart += chosen
        train += sorted(set(found) - set(chosen))
    return train, apart


def held_out(files: Sequence[Path], count: int, seed: int) -> list[Path]:
    """`count` of `files`, the same ones for the same seed: never to be trained on."""
    chosen = np.random.default_rng(seed).choice(len(files), count, replace=False)
    return [files[i] for i in sorted(chosen)]


def decode(file: Path) -> Pixels:
    """The picture of a file, as bytes, so that thousands fit in memory."""
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))


def square(picture: Pixels, side: int) -> Float32[np.ndarray, "1 side side 3"]:
    """The middle of a picture whose shorter side is brought to `side` pixels."""
    height, width = picture.shape[:2]
    scale = side / min(height, width)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    resized = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    top, left = (resized.shape[0] - side) // 2, (resized.shape[1] - side) // 2
    return resized[np.newaxis, top : top + side, left : left + side].astype(np.float32) / 255


def batch(
    pictures: Sequence[Pixels], seed: int, step: int, count: int, natural: int, side: int
) -> Float32[np.ndarray, "count side side 3"]:
    """The batch of a step: `natural` plain crops, then disturbed ones.

    It depends on `seed` and `step` only, so a resumed run goes on with the same data.
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
    """(step, make(step)) for each step, made by a thread while the device computes."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(make, step) for step in range(first, min(last, first + ahead)))
        for step in range(first, last):
            ready = waiting.popleft().result()
            if step + ahead < last:
                waiting.append(pool.submit(make, step + ahead))
            yield step, ready


def _crop(pictures: Sequence[Pixels], rng: np.random.Generator, side: int) -> Crop:
    """A random part of a random picture, at a random zoom, perhaps mirrored."""
    picture = pictures[int(rng.integers(len(pictures)))]
    height, width = picture.shape[:2]
    extent = min(height, width, side * np.exp(rng.uniform(*np.log(ZOOM))))
    top, left = rng.uniform(0, height - extent), rng.uniform(0, width - extent)
    box = (left, top, left + extent, top + extent)
    image = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC, box=box)
    pixels = np.asarray(image, np.float32) / 255
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Crop:
    """Noise as coarse as chance will have it, white or tinted."""
    noise = rng.random(shape, np.float32)
    if rng.random() < 0.5:
        sigma = rng.uniform(0.4, 4)
        noise = 0.5 + np.float32(2 * sigma) * gaussian_filter(noise - 0.5, (sigma, sigma, 0))
    if rng.random() < 0.5:
        noise = noise * rng.random(3, np.float32) + rng.uniform(-0.2, 0.5, 3).astype(np.float32)
    return noise


def _white_noise(crop: Crop, _: Crop, rng: np.random.Generator) -> Crop:
    """Where every optimisation from noise begins."""
    return rng.random(crop.shape, np.float32)


def _half_noise(crop: Crop, _: Crop, rng: np.random.Generator) -> Crop:
    share = rng.uniform(0.05, 0.95)
    return (1 - share) * crop + share * _noise(crop.shape, rng)


def _grain(crop: Crop, _: Crop, rng: np.random.Generator) -> Crop:
    """Gaussian grain; not clipped, as the optimised picture is not either."""
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
    """Stronger or weaker contrast, each colour for itself."""
    return np.clip((crop - 0.5) * np.exp(rng.uniform(-0.5, 1.5, 3)) + 0.5, 0, 1)


DISTURBANCES = (_white_noise, _half_noise, _half_noise, _grain, _blend, _blur, _jpeg, _contrast)
