"""What a checkpoint's units see, against a search of its own, and the command."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.images.streams import Stream
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.vgg import VGG
from nst_jax.vision import deconvnet
from nst_jax.vision.probing import evolution
from nst_jax.vision.probing.evolution import EvolutionSettings, Topology
from nst_jax.weights import save
from tests.command import assert_refused, call, pixels
from tests.conftest import formula_image, formula_weights

SIZE = 40
LAYER = "conv2_1"
LAYERS = architecture("slim").layers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pictures; more than one batch."""
    path = tmp_path_factory.mktemp("pictures")
    for name, phase in [("a", 0.0), ("b", 1.0), ("c", 2.5)]:
        images.write(path / f"{name}.png", np.asarray(formula_image(SIZE, SIZE, phase)))
    return path


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A narrow network, and what a training might have made of it."""
    path, weights = tmp_path_factory.mktemp("checkpoints"), formula_weights()
    save(path / "early.safetensors", weights, "test")
    arrays = {name: -array if "conv2_1" in name else array for name, array in weights.arrays.items()}
    save(path / "late.safetensors", type(weights)("late", "slim", arrays, weights.preprocessing, ""), "test")
    return path / "early.safetensors", path / "late.safetensors"


def settings(folder, **changes) -> EvolutionSettings:
    fields = {"weights": ("random",), "units": (0, 2, 5), "layer": LAYER, "data": f"folder:{folder}"}
    return EvolutionSettings(**fields | {"size": SIZE, "batch": 2} | changes)


def test_a_unit_s_strongest_activation_is_projected_and_cut(folder):
    network, chosen = VGG(formula_weights(), "max"), settings(folder)
    stream = Stream(chosen.data, SIZE)
    pictures = np.stack([stream.input(i)[0] for i in range(3)]).astype(np.float32) / 255
    F = np.asarray(network(jnp.asarray(pictures), [LAYER])[LAYER])
    side = receptive.field_side(LAYERS, LAYER)
    for unit, seen in evolution.see_units(network, stream, chosen).items():
        image, row, column = np.unravel_index(F[..., unit].argmax(), F.shape[:-1])
        assert seen.image == "abc"[image] + ".png"
        assert seen.activation == pytest.approx(F[..., unit].max(), rel=1e-4)
        assert seen.box == receptive.box(LAYERS, LAYER, int(row), int(column), SIZE, SIZE)
        at = [jnp.array([number], jnp.int32) for number in (unit, row, column)]
        whole = deconvnet.to_picture(
            deconvnet.project(network, jnp.asarray(pictures[image][None]), LAYER, at)
        )
        x0, y0, x1, y1 = seen.box
        assert seen.projection.shape == (1, side, side, 3)
        if (x1 - x0, y1 - y0) == (side, side):
            np.testing.assert_allclose(seen.projection, whole[:, y0:y1, x0:x1], atol=1e-4)


def test_a_unit_that_never_fires_sees_nothing(folder):
    weights = formula_weights()
    dead = {"conv2_1.kernel": np.zeros_like(weights.arrays["conv2_1.kernel"])}
    dead |= {"conv2_1.bias": np.full_like(weights.arrays["conv2_1.bias"], -1)}
    network = VGG(type(weights)("dead", "slim", {**weights.arrays, **dead}, weights.preprocessing, ""), "max")
    chosen = settings(folder)
    assert evolution.see_units(network, Stream(chosen.data, SIZE), chosen) == {0: None, 2: None, 5: None}


def test_the_size_of_batches_does_not_change_what_is_seen(folder):
    sizes = []

    class Counted(Stream):
        def batches(self, size, *rest):
            sizes.append(size)
            return super().batches(size, *rest)

    network, seen = VGG(formula_weights(), "max"), []
    for batch in (2, 5):
        chosen = settings(folder, batch=batch)
        seen.append(evolution.see_units(network, Counted(chosen.data, SIZE), chosen))
    assert sizes == [2, 5]
    where = [{unit: (view.image, view.box) for unit, view in each.items()} for each in seen]
    assert where[0] == where[1]


def test_an_unknown_unit_names_the_choices(folder):
    chosen = settings(folder, units=(0, 6))
    with pytest.raises(UserError, match="units: conv2_1 has no unit 6; choices: 0 to 5"):
        evolution.see_units(VGG(formula_weights(), "max"), Stream(chosen.data, SIZE), chosen)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"weights": ()}, "weights: is empty"),
        ({"weights": ("a", "b", "a")}, "weights: a, b, a contains duplicates"),
        ({"units": ()}, "units: is empty"),
        ({"layer": "conv7_1"}, "layer: unknown 'conv7_1'.*conv1_1"),
        ({"layer": "conv5_1"}, "size: 40 is below"),
        ({"rule": "magic"}, "rule: unknown 'magic'; .*deconvnet"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(folder, fields, words):
    with pytest.raises(UserError, match=words):
        settings(folder, **fields)
    with pytest.raises(UserError, match="vgg20"):
        Topology(arch="vgg20")


def run(workdir, folder, *weights):
    fields = {"weights": str(tuple(map(str, weights))), "layer": LAYER, "units": "(1,3)", "size": SIZE}
    flags = [f"--config.{name}={value}" for name, value in {**fields, "data": f"folder:{folder}"}.items()]
    flags = ["--config=configs/evolution.py", f"--workdir={workdir}", *flags]
    return call(*flags, module="nst_jax.experiments.evolution")


def test_command_shows_each_unit_in_each_checkpoint(checkpoints, folder, tmp_path):
    result = run(tmp_path, folder, *checkpoints)
    assert result.returncode == 0, result.stderr
    rows = json.loads((tmp_path / "evolution.json").read_text())
    assert [(row["weights"], row["unit"]) for row in rows] == [
        (str(c), u) for c in checkpoints for u in (1, 3)
    ]
    for early, late in zip(rows[:2], rows[2:], strict=True):
        assert early["strongest"] != late["strongest"]
    sheet = pixels(tmp_path / "sheet.png")
    assert sheet.shape[0] > 2 * 176
    assert sheet.std() > 10


def test_checkpoints_that_do_not_fit_are_one_line(checkpoints, folder, tmp_path):
    other = tmp_path / "other.safetensors"
    save(other, formula_weights(arch="vgg16"), "test")
    out = tmp_path / "out"
    assert_refused(
        run(out, folder, checkpoints[0], other), str(other), "contains vgg16", "network.arch is slim"
    )
    assert_refused(run(out, folder, "nowhere.safetensors"), "nowhere.safetensors", "choices")
    assert not out.exists()
