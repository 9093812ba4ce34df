"""A folder of pictures in one sweep: one program per shape, results under the names of their sources."""

import json

import numpy as np
import pytest

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.sweeps.picture_folders import pictures_in
from tests.command import assert_refused, call, pixels
from tests.conftest import formula_image
from tests.sweeps.cells import varied
from tests.test_sweep import SWEEP, tiny


@pytest.fixture
def photos(tmp_path):
    """Five pictures of two shapes, one of them in a subfolder, and a text."""
    folder = tmp_path / "photos"
    shapes = {"beach": (60, 80), "my cat": (60, 80), "trip/beach": (80, 60), "dog": (80, 60), "sea": (60, 80)}
    for phase, (name, size) in enumerate(shapes.items()):
        images.write(folder / f"{name}.png", np.asarray(formula_image(*size, phase=phase)))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_every_picture_is_a_run(photos, caplog):
    found = dict(pictures_in("content", f"folder:{photos}"))
    assert list(found) == ["beach", "dog", "my cat", "sea", "trip-beach"]
    assert found["trip-beach"] == str(photos / "trip/beach.png")
    assert "skipped 1 files that are not pictures: notes.txt" in caplog.text
    cells = varied([f"content=folder:{photos}", "seed=0,1"])
    assert cells[1] == (("beach", "seed=1"), {"content": str(photos / "beach.png"), "seed": 1})
    assert len(cells) == 10


def test_pictures_that_differ_in_the_suffix_alone_keep_it(photos):
    (photos / "dog.jpg").write_bytes((photos / "dog.png").read_bytes())
    assert {"dog.jpg", "dog.png"} < set(dict(pictures_in("content", f"folder:{photos}")))


def test_a_folder_is_painted_with_a_program_per_shape(photos, tiny_weights, tmp_path):
    out = tmp_path / "out"
    vary = f"--vary=content=folder:{photos}"
    result = call(*tiny(tiny_weights, out), vary, "--batch=2", module=SWEEP)
    assert result.returncode == 0, result.stderr
    assert "5 runs (5 done), 2 programs compiled" in result.stdout
    about = json.loads((out / "sweep.json").read_text())
    assert [len(group["runs"]) for group in about["groups"]] == [3, 2]
    names = {path.name for path in (out / "results").iterdir()}
    assert names == {"beach.png", "dog.png", "my-cat.png", "sea.png", "trip-beach.png"}
    assert pixels(out / "results/dog.png").shape == (32, 24, 3)
    np.testing.assert_array_equal(pixels(out / "results/my-cat.png"), pixels(out / "2_my-cat/result.png"))
    assert json.loads((out / "2_my-cat/config.json").read_text())["content"] == str(photos / "my cat.png")


def test_refused(photos, tiny_weights, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/notes.txt").write_text("no picture")
    with pytest.raises(UserError, match=r"style: .*empty' contains no pictures \(.*\.jpg"):
        varied([f"style=folder:{tmp_path / 'empty'}"])
    with pytest.raises(UserError, match=r"content: .*no such folder"):
        varied(["content=folder:nowhere"])
    (photos / "notes.txt").unlink()
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    result = call(*tiny(tiny_weights, tmp_path / "out"), f"--vary=content=folder:{photos}", module=SWEEP)
    assert_refused(result, "broken.jpg", "in run")
    assert not (tmp_path / "out").exists()
