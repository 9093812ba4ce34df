"""The style pictures that ship with the package, and the scripts that paint them."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from nst_jax import images

ROOT = Path(__file__).parents[2]
PAINTINGS = sorted((ROOT / "nst_jax" / "images" / "samples").glob("*.jpg"))


def test_there_are_paintings_and_all_are_offered():
    assert len(PAINTINGS) >= 4
    assert {path.stem for path in PAINTINGS} <= set(images.sample_names())


@pytest.mark.parametrize("path", PAINTINGS, ids=lambda path: path.stem)
def test_a_painting_is_small_on_disk_and_rich_to_look_at(path):
    assert path.stat().st_size <= 300 * 1024
    image = images.read(f"sample:{path.stem}")[0]
    assert 640 <= max(image.shape[:2]) <= 768
    assert image.std() > 0.15
    coarse = blurred(image, 8)
    fine = image[: coarse.shape[0], : coarse.shape[1]] - coarse
    assert fine.std() > 0.05
    assert coarse.std() > 0.1


def blurred(image, size):
    """Every block of size x size pixels is its mean."""
    height, width = (side // size * size for side in image.shape[:2])
    blocks = image[:height, :width].reshape(height // size, size, width // size, size, 3)
    return np.broadcast_to(blocks.mean(axis=(1, 3), keepdims=True), blocks.shape).reshape(height, width, 3)


@pytest.mark.slow
@pytest.mark.parametrize("path", PAINTINGS, ids=lambda path: path.stem)
def test_repainting_gives_the_same_picture(path, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    studio = importlib.import_module("paint_samples")
    monkeypatch.setattr(studio, "SAMPLES", tmp_path)
    studio.main([path.stem])
    again, shipped = images.read(str(tmp_path / path.name)), images.read(str(path))
    assert np.abs(again - shipped).mean() < 0.01  # Another libjpeg may round differently.
