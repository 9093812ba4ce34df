"""J(G) and its gradient against PyTorch: golden values always, live where PyTorch and the weights are."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from nst_jax.losses.objective import total_and_terms
from nst_jax.networks.vgg import VGG
from nst_jax.weights import load
from tests.conftest import formula_image, formula_weights
from tests.losses.objectives import make_objective
from tests.losses.objectives import terms as terms_of

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "golden_objective.json").read_text())


def network_and_objective(weights, content, style, config, pool, content_loss="sum"):
    network = VGG(weights, pool)
    return network, make_objective(network, content, style, content_loss=content_loss, **fields(config))


def fields(config):
    """The fields of a run for a config of golden values."""
    weights = {"content_weight": config["alpha"], "style_weight": config["beta"], "tv_weight": config["tv"]}
    return weights | {name: config[name] for name in ("content_layers", "style_layers")}


@jax.jit
def terms_and_gradient(network, J, image):
    gradient, found = jax.grad(total_and_terms, argnums=2, has_aux=True)(network, J, image)
    return found, gradient


def relative_error(found, expected):
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_golden_terms_and_gradient(pool):
    """If this fails on purpose, because the definition changed: `python -m scripts.golden_values`."""
    pictures = [formula_image(48, 40), formula_image(48, 40, 1.0), formula_image(33, 57, 2.0)]
    J = network_and_objective(formula_weights(), *pictures[1:], GOLDEN["config"], pool)
    terms, gradient = terms_and_gradient(*J, pictures[0])
    assert terms.keys() == GOLDEN[pool]["terms"].keys()
    for name, expected in GOLDEN[pool]["terms"].items():
        assert float(terms[name]) == pytest.approx(expected, rel=2e-5), name
    assert relative_error(gradient[0, ::7, ::7].ravel(), GOLDEN[pool]["gradient"]) < 2e-5


@pytest.mark.parametrize(
    ("pool", "size", "style_size"), [("avg", (64, 80), (64, 80)), ("max", (75, 51), (48, 96))]
)
def test_true_vgg19_agrees_with_pytorch(reference, pool, size, style_size):
    torch_reference = pytest.importorskip("tests.torch_reference", reason="PyTorch is not installed")
    weights = load(reference / "weights" / "vgg19_conv1_1-conv3_4.safetensors", "vgg19")
    config = {
        "content_layers": {"conv3_2": 1.0, "conv2_2": 0.5},
        "style_layers": {"conv1_1": 0.2, "conv2_1": 0.3, "conv3_1": 0.5},
        "alpha": 1e-3,
        "beta": 1.0,
        "tv": 10.0,
    }
    # A picture of which no activation is so near 0 that rounding decides on which side of the ReLU it is.
    pictures = [formula_image(*size, 0.3), formula_image(*size, 1.0), formula_image(*style_size, 2.0)]
    expected, gradient = torch_reference.objective(weights.arrays, *pictures, config, pool)
    J = network_and_objective(weights, *pictures[1:], config, pool)
    terms, found = terms_and_gradient(*J, pictures[0])
    for name in expected:
        assert float(terms[name]) == pytest.approx(expected[name], rel=1e-4), name
    assert relative_error(found, gradient) < 1e-4


def test_the_total_is_the_weighted_sum_of_its_terms():
    J = network_and_objective(
        formula_weights(), formula_image(32, 32, 1.0), formula_image(32, 32, 2.0), GOLDEN["config"], "avg"
    )
    found = jax.jit(terms_of)(*J, formula_image(32, 32))
    terms = {name: float(value) for name, value in found.items()}
    config = GOLDEN["config"]
    for kind in ("content", "style"):
        weighted = sum(w * terms[f"{kind}/{layer}"] for layer, w in config[f"{kind}_layers"].items())
        assert terms[kind] == pytest.approx(weighted, rel=1e-5)
    total = config["alpha"] * terms["content"] + config["beta"] * terms["style"] + config["tv"] * terms["tv"]
    assert terms["total"] == pytest.approx(total, rel=1e-5)


def test_a_picture_that_is_content_and_style_at_once_costs_nothing():
    picture = formula_image(32, 40)
    J = network_and_objective(formula_weights(), picture, picture, {**GOLDEN["config"], "tv": 0.0}, "avg")
    found = jax.jit(terms_of)(*J, picture)
    # Grams are sums in another order inside one program: equal to rounding, not bit by bit.
    scale = float(jax.jit(terms_of)(*J, formula_image(32, 40, 3.0))["total"])
    assert float(found["total"]) < 1e-9 * scale


def test_the_mean_content_loss_is_the_sum_scaled():
    args = (
        formula_weights(),
        formula_image(32, 32, 1.0),
        formula_image(32, 32, 2.0),
        GOLDEN["config"],
        "avg",
    )
    image = formula_image(32, 32)
    by_sum, by_mean = (
        jax.jit(terms_of)(*network_and_objective(*args, loss), image) for loss in ("sum", "mean")
    )
    entries = 8 * 4 * 4  # filters and positions of conv4_2
    assert float(by_mean["content/conv4_2"]) == pytest.approx(
        2 * float(by_sum["content/conv4_2"]) / entries, rel=1e-5
    )
    assert float(by_mean["style"]) == float(by_sum["style"])
