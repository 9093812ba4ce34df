"""Sign changes worked by hand, the masks' file, and the command."""

import csv
import json

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.networks.vgg import VGG
from nst_jax.vision.probing import correspondence, masks
from nst_jax.vision.probing.correspondence import sign_changes, signs
from tests.command import assert_refused, call, pixels
from tests.conftest import formula_image, formula_weights

NOSE = {"nose": [8, 4, 16, 14]}


@pytest.fixture
def file(tmp_path):
    """Writes what it is given as a JSON file beside two pictures of 40 x 30 pixels, a.png and b.png."""
    for name, phase in [("a", 0.0), ("b", 1.0)]:
        images.write(tmp_path / f"{name}.png", np.asarray(formula_image(30, 40, phase)))

    def write(content):
        path = tmp_path / "masks.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def test_sign_changes_by_hand():
    eps = np.array([[1, -1, 0, 1], [1, 1, 0, 0], [-1, -1, 1, 1]], np.int8)
    # Pairs 0-1, 0-2, 1-2 differ in two, two and four of the four features.
    np.testing.assert_allclose(sign_changes(eps), [0.5, 0.5, 1.0])
    np.testing.assert_allclose(sign_changes(eps[:1].repeat(3, 0)), 0)
    np.testing.assert_allclose(sign_changes(np.stack([eps[0], -eps[0]])), [0.75])


def test_signs_by_hand():
    plain = jnp.array([2.0, 5.0, 1.0, 3.0]).reshape(2, 1, 1, 2)
    without = jnp.array([1.0, 7.0, 1.0 + 1e-6, 0.0]).reshape(2, 1, 1, 2)
    np.testing.assert_array_equal(signs(plain, without), [[1, -1], [0, 1]])


def test_a_mask_changes_what_can_see_it_and_nothing_else(file):
    one, _ = masks.read_masks(file({"a.png": NOSE, "b.png": NOSE}), 32)
    x0, y0, x1, y1 = one.parts["nose"]
    network = VGG(formula_weights())
    F, G = (
        network(jnp.asarray(picture), ["conv1_2"])["conv1_2"]
        for picture in (one.picture, masks.masked(one, one.parts["nose"]))
    )
    changed = signs(F, G).reshape(F.shape).any((0, 3))
    reach = np.zeros((32, 32), bool)
    reach[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = True
    assert not changed[~reach].any()
    assert changed[reach].mean() > 0.9


def test_the_same_picture_twice_agrees_but_where_masks_are_random(file):
    marked = masks.read_masks(file({"a.png": NOSE, "./a.png": NOSE}), 32)
    covered = correspondence.boxes(marked, draws=3, seed=0)
    found = correspondence.measure_correspondence(
        VGG(formula_weights()), marked, covered, ("conv2_1", "conv3_1")
    )
    for layer in ("conv2_1", "conv3_1"):
        np.testing.assert_array_equal(found["nose", layer], [0])
        assert found["random", layer].shape == (3,)
        assert found["random", layer].mean() > 0.01
    again = correspondence.boxes(marked, draws=3, seed=0)
    assert again == covered != correspondence.boxes(marked, draws=3, seed=1)


def test_boxes_follow_the_crop(file):
    path = file(
        {
            "a.png": {"crop": [10, 5, 30, 25], "nose": [12, 10, 20, 15]},
            "b.png": NOSE,
        }
    )
    first, second = masks.read_masks(path, 40)
    assert first.parts["nose"] == (4, 10, 20, 20)
    # By default the middle: columns 5 to 35 of 40, at 4/3 of their size.
    assert second.parts["nose"] == (4, 5, 15, 19)
    gray = (masks.masked(first, first.parts["nose"]) == 0.5).all((0, 3))
    assert gray.sum() == gray[10:20, 4:20].sum() == 160
    assert first.picture.shape == second.picture.shape == (1, 40, 40, 3)


def test_random_boxes_have_the_parts_size_and_stay_inside(file):
    marked = masks.read_masks(
        file({"a.png": NOSE | {"eye": [20, 20, 24, 24]}, "b.png": NOSE | {"eye": [5, 0, 6, 1]}}), 30
    )
    for seed in range(50):
        x0, y0, x1, y1 = masks.anywhere(marked[0], np.random.default_rng(seed))
        assert (x1 - x0, y1 - y0) == (6, 7)
        assert 0 <= x0 < x1 <= 30
        assert 0 <= y0 < y1 <= 30


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a.png": ', "not JSON"),
        ("[1]", "expected"),
        ({"a.png": NOSE}, "1 pictures"),
        ({"a.png": NOSE, "b.png": {"ear": [6, 0, 9, 9]}}, "a.png lacks ear; every picture needs nose, ear"),
        ({"a.png": {}, "b.png": {}}, "no parts"),
        ({"a.png": NOSE, "b.png": {"nose": [6, 0, 41, 9]}}, "b.png: nose .* is not inside"),
        ({"a.png": NOSE, "b.png": {"nose": [6, 9, 8, 9]}}, "b.png: nose .* is empty"),
        ({"a.png": NOSE, "b.png": {"nose": [6, 0, 9]}}, "b.png: nose is .* four whole numbers"),
        (
            {"a.png": NOSE, "b.png": NOSE | {"crop": [0, 0, 30, 31]}},
            "b.png: crop .* is not inside the picture",
        ),
        ({"a.png": NOSE, "b.png": NOSE | {"crop": [0, 0, 30, 20]}}, "b.png: crop .* is not a square"),
        ({"a.png": NOSE, "b.png": {"random": [0, 0, 3, 3]}}, "b.png: random"),
        ({"a.png": NOSE, "c.png": NOSE}, "c.png': No such file"),
    ],
)
def test_files_that_cannot_be_used_are_refused(file, content, words):
    path = file(content)
    with pytest.raises(UserError, match=words) as error:
        masks.read_masks(path, 32)
    assert path in str(error.value) or "c.png" in str(error.value)


def run(workdir, *flags):
    flags = ["--config=configs/correspondence.py", f"--workdir={workdir}", *flags]
    return call(*flags, module="nst_jax.experiments.correspondence")


def test_command_prints_and_writes_the_table(tiny_weights, tmp_path):
    small = ["--config.size=32", "--config.draws=2", "--config.layers=('conv1_2','conv3_1')"]
    result = run(tmp_path, f"--config.network.weights={tiny_weights}", *small)
    assert result.returncode == 0, result.stderr
    rows = json.loads((tmp_path / "correspondence.json").read_text())
    assert [row["part"] for row in rows[::2]] == ["right eye", "left eye", "nose", "random"]
    lines = list(csv.DictReader((tmp_path / "correspondence.csv").read_text().splitlines()))
    for line, row in zip(lines, rows, strict=True):
        assert row["mean"] == pytest.approx(np.mean(row["pairs"])) == float(line["mean"])
        assert int(line["pairs"]) == len(row["pairs"]) == (2 if row["part"] == "random" else 1)
        assert f"{row['mean']:.4f}" in result.stdout
    assert pixels(tmp_path / "sheet.png").shape[1] > 5 * 256


def test_an_unknown_layer_and_a_missing_file_are_one_line(tmp_path):
    assert_refused(run(tmp_path, "--config.layers=('conv6_1',)"), "layers", "conv6_1", "conv5_1")
    assert_refused(run(tmp_path, "--config.masks=nowhere.json"), "nowhere.json", "No such file")
    assert not list(tmp_path.iterdir())
