"""Clips from Python."""

import numpy as np
import pytest
from PIL import Image

import nst_jax
from scripts.moving_scene import scene
from tests.command import SHALLOW


def test_frames_are_yielded_as_they_are_painted(tiny_weights, tmp_path):
    frames = [Image.fromarray(frame) for frame in scene(3, (48, 72))]
    frames[0].save(
        tmp_path / "clip.webp", save_all=True, append_images=frames[1:], duration=100, lossless=True
    )
    fields = {name.replace(".", "__"): value for name, value in SHALLOW.items()}
    fields |= {"size": 48, "scales": (1.0,), "optimizer__name": "adam", "optimizer__steps": 4}
    fields |= {"network__weights": str(tiny_weights), "video__steps": 3, "video__flow": "tvl1"}
    style = np.asarray(scene(1, (64, 64))[0])
    found = list(nst_jax.stylize_video(tmp_path / "clip.webp", style, workdir=tmp_path / "run", **fields))
    assert [(frame.number, frame.frames, frame.metrics["step"]) for frame in found] == [
        (0, 3, 4),
        (1, 3, 3),
        (2, 3, 3),
    ]
    with Image.open(tmp_path / "run" / "frames" / "000002.png") as last:
        np.testing.assert_array_equal(np.asarray(found[-1].image), np.asarray(last))
    assert list((tmp_path / "run").glob("result.*"))
    with pytest.raises(nst_jax.UserError, match="already holds a run"):
        next(nst_jax.stylize_video(tmp_path / "clip.webp", style, workdir=tmp_path / "run"))
    with pytest.raises(nst_jax.UserError, match=r"video\.stepz"):
        next(nst_jax.stylize_video(tmp_path / "clip.webp", style, video__stepz=1))
