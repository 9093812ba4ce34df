"""Occlusion: squares pasted by hand, maps against a plain loop, and the command line."""

import csv
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.config import NetworkConfig, fields
from nst_jax.errors import UserError
from nst_jax.figures import maps
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.vgg import VGG
from nst_jax.vision.classes import classifier_behind
from nst_jax.vision.probing import occlusion
from nst_jax.vision.probing.occlusion import OcclusionSettings
from nst_jax.weights import load, load_classifier
from tests.command import assert_refused, call, pixels
from tests.conftest import formula_image, formula_weights
from tests.whole_files import CLASSES, canonical, state_dict, write_keras

TINY = NetworkConfig("slim", pool="max")


@pytest.fixture(scope="session")
def whole_file(tmp_path_factory):
    """A narrow VGG with its classifier, as Keras writes it."""
    return write_keras(tmp_path_factory.mktemp("weights") / "whole.h5", state_dict())


def pasted(image, row, column, square, gray):
    """The square around a centre, pixel by pixel, where it is in the picture."""
    copy = np.array(image)
    for y in range(row - square // 2, row - square // 2 + square):
        for x in range(column - square // 2, column - square // 2 + square):
            if 0 <= y < copy.shape[1] and 0 <= x < copy.shape[2]:
                copy[0, y, x] = gray
    return jnp.asarray(copy)


def test_squares_lie_where_they_should_and_are_cut_off_at_the_borders():
    image = formula_image(12, 9)
    centres = [(r, c) for r in (0, 1, 5, 10, 11) for c in (0, 4, 7, 8)]
    for square in (1, 4, 5, 9):
        corners = np.array(centres) - square // 2
        copies = occlusion.covered(image, corners, square, 0.25)
        for copy, centre in zip(copies, centres, strict=True):
            np.testing.assert_array_equal(copy, pasted(image, *centre, square, 0.25)[0])


@pytest.mark.parametrize(
    ("size", "stride", "centres"),
    [(12, 4, [2, 6, 10]), (10, 4, [2, 6, 9]), (11, 4, [2, 6, 10]), (3, 1, [0, 1, 2]), (5, 20, [4])],
)
def test_the_centres_of_the_square(size, stride, centres):
    assert occlusion.centres(size, stride).tolist() == centres


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_activity_is_that_of_a_plain_loop(batch):
    network, image = VGG(formula_weights(), "max"), formula_image(30, 30)
    settings = OcclusionSettings(
        size=30, layer="conv3_1", square=9, stride=7, gray=0.3, batch=batch, network=TINY
    )
    unit = occlusion.look(network, None, image, "conv3_1").chosen_unit(-1)
    maps = occlusion.slide(network, None, image, settings, unit, -1)
    see = jax.jit(lambda image: network(image, ("conv3_1",))["conv3_1"][0, :, :, unit].sum())
    centres = (3, 10, 17, 24, 29)
    expected = [[float(see(pasted(image, r, c, 9, 0.3))) for c in centres] for r in centres]
    assert np.ptp(expected) > 0.01 * np.max(expected)
    np.testing.assert_allclose(maps.activity, expected, rtol=1e-5)
    assert maps.held().keys() == {"activity"}


def test_the_strongest_unit_has_the_greatest_single_activation():
    features = np.ones((2, 2, 3), np.float32)  # the sums would choose the last
    features[..., 2] = 2
    features[1, 0, 1] = 3
    intact = occlusion.Intact(jnp.asarray(features), None)
    assert intact.chosen_unit(-1) == 1
    assert intact.chosen_unit(2) == 2
    with pytest.raises(UserError, match="unit 3; choices: 0 to 2"):
        intact.chosen_unit(3)


def test_probabilities_and_classes_are_those_of_a_plain_loop(whole_file):
    network, image = VGG(load(whole_file, "slim"), "max"), formula_image(224, 224)
    classifier = Classifier(load_classifier(whole_file, "slim"))
    settings = OcclusionSettings(layer="conv2_1", square=110, stride=75, batch=2, network=TINY)
    intact = occlusion.look(network, classifier, image, settings.layer)
    label = intact.chosen_label(-1)
    maps = occlusion.slide(network, classifier, image, settings, 0, label)
    assert maps.probability.shape == maps.top_class.shape == (3, 3)
    arrays = canonical(state_dict())
    see = jax.jit(lambda image: network(image, ("pool5",))["pool5"])

    def probabilities(image):
        x = np.asarray(see(image), np.float64).ravel()
        for layer in ("fc6", "fc7"):
            x = np.maximum(x @ arrays[f"{layer}.kernel"] + arrays[f"{layer}.bias"], 0)
        odds = np.exp(x @ arrays["fc8.kernel"] + arrays["fc8.bias"])
        return odds / odds.sum()

    whole = probabilities(image)
    assert label == whole.argmax()
    np.testing.assert_allclose(intact.probabilities, whole, rtol=1e-4)
    assert intact.figures(0, label)["probability"] == pytest.approx(whole.max(), rel=1e-4)
    for i, row in enumerate((37, 112, 187)):
        for j, column in enumerate((37, 112, 187)):
            P = probabilities(pasted(image, row, column, 110, 0.5))
            assert maps.probability[i, j] == pytest.approx(P[label], rel=1e-4)
            assert maps.top_class[i, j] == P.argmax()
    assert np.ptp(maps.probability) > 1e-3
    with pytest.raises(UserError, match=f"class {CLASSES}; choices: 0 to {CLASSES - 1}"):
        intact.chosen_label(CLASSES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layer": "conv9_1"}, ["layer", "conv9_1", "conv5_1"]),
        ({"square": 225}, ["square", "225", "224"]),
        ({"square": 0}, ["square"]),
        ({"stride": 0}, ["stride"]),
        ({"gray": 1.5}, ["gray", "1.5"]),
        ({"unit": -2}, ["unit"]),
        ({"label": -2}, ["label"]),
        ({"size": 100}, ["size", "100", "conv5_1", "156"]),
        ({"size": 223, "layer": "conv5_4"}, ["size", "224"]),
        ({"network": {"pool": "mean"}}, ["network.pool"]),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(UserError) as caught:
        fields.from_config(OcclusionSettings, change)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("config", "size", "word"),
    [({}, 200, "224"), ({"normalize": True}, 224, "network.normalize"), ({"weights": "auto"}, 224, "auto")],
)
def test_a_classifier_that_would_mislead_is_refused(whole_file, config, size, word):
    network = VGG(load(whole_file, "slim"), "max")
    given = NetworkConfig(**({"arch": "slim", "weights": str(whole_file)} | config))
    with pytest.raises(UserError, match=word):
        classifier_behind(network, given, size)


def test_heat_rises_in_lightness_and_cells_fill_the_picture():
    colours = maps.heat(np.linspace(-3, 5, 40, dtype=np.float32).reshape(4, 10))
    lightness = colours.reshape(-1, 3) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()
    picture = maps.spread(colours, 3, 11)
    assert picture.shape == (1, 11, 11, 3)
    np.testing.assert_array_equal(picture[0, 9:, 6:9], np.broadcast_to(colours[3, 2], (2, 3, 3)))


def run(workdir, whole_file, **changes):
    settings = {"network.weights": whole_file, "square": 100, "stride": 75, "layer": "conv3_1", **changes}
    given = [f"--config.{name}={value}" for name, value in settings.items()]
    config = "--config=configs/occlusion.py"
    return call(config, f"--workdir={workdir}", *given, module="nst_jax.experiments.occlusion")


def test_the_command_writes_sheet_table_and_maps(tmp_path, whole_file):
    result = run(tmp_path, whole_file, label=3)
    assert result.returncode == 0, result.stderr
    facts = json.loads((tmp_path / "run.json").read_text())
    with np.load(tmp_path / "maps.npz") as file:
        maps = dict(file)
    assert maps["projection"].shape == (224, 224, 3)
    assert maps["projection"].any()
    assert facts["label"] == 3
    assert facts["classifier"]["name"] == "whole.h5"
    assert json.loads((tmp_path / "config.json").read_text())["square"] == 100
    lines = list(csv.DictReader((tmp_path / "occlusion.csv").read_text().splitlines()))
    assert [(int(line["row"]), int(line["column"])) for line in lines][1:4] == [
        (37, 112),
        (37, 187),
        (112, 37),
    ]
    for column in ("activity", "probability", "top_class"):
        np.testing.assert_allclose([float(line[column]) for line in lines], maps[column].ravel(), rtol=1e-6)
    height, width, _ = pixels(tmp_path / "sheet.png").shape
    assert height > 2 * 320
    assert width > 3 * 320


def test_the_command_without_a_classifier(tmp_path, tiny_weights):
    result = run(tmp_path, tiny_weights, size=48, square=20, stride=20)
    assert result.returncode == 0, result.stderr
    assert "skipping maps d and e: " in result.stdout
    lines = list(csv.DictReader((tmp_path / "occlusion.csv").read_text().splitlines()))
    assert len(lines) == 9
    assert {line["probability"] for line in lines} == {""}
    refused = run(tmp_path / "none", tiny_weights, label=3)
    assert_refused(refused, str(tiny_weights), "no classifier")
    assert not (tmp_path / "none").exists()
