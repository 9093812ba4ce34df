"""Importance of concepts: Sobol indices of known functions, and a linear head under which all is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nst_jax import images
from nst_jax.images.streams import Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.vgg import VGG
from nst_jax.vision.concepts.concept_importance import importance, scores_from, sobol_masks, total_indices
from nst_jax.vision.concepts.concept_report import report_concepts
from nst_jax.vision.concepts.concept_search import Survey
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.searching.top_patches import Strongest
from tests.conftest import formula_image, formula_weights

LAYER, SIZE, CHANNELS = "conv2_1", 32, 6


def ishigami(points):
    x = 2 * np.pi * points - np.pi
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def test_total_indices_of_known_functions():
    found = total_indices(ishigami(sobol_masks(3, 1024)), 3)
    np.testing.assert_allclose(found, [0.5574, 0.4424, 0.2436], atol=0.03)
    coefficients = np.array([1.0, 2.0, 0.0, 3.0])
    linear = total_indices(sobol_masks(4, 512) @ coefficients, 4)
    np.testing.assert_allclose(linear, coefficients**2 / (coefficients**2).sum(), atol=0.02)
    assert not total_indices(np.ones(6 * 8), 4).any()


class Linear(Classifier):
    """Scores from the means of the maps of a layer, by a matrix."""

    def __init__(self, kernel, layer):
        self.kernel, self.layer = nnx.Param(jnp.asarray(kernel, jnp.float32)), layer

    def __call__(self, activations):
        return activations.mean((1, 2)) @ self.kernel[...]


@pytest.fixture
def stream(tmp_path):
    for number in range(7):
        images.write(tmp_path / f"{number}.png", np.asarray(formula_image(SIZE, SIZE, 0.7 * number)))
    return Stream(f"folder:{tmp_path}", SIZE)


def test_importance_under_a_linear_head_is_known(stream):
    made = np.random.default_rng(0)
    kernel = made.normal(size=(CHANNELS, 5))
    network, head = VGG(formula_weights()), Linear(kernel, LAYER)
    W = jnp.asarray(np.eye(CHANNELS, dtype=np.float32)[:3])
    settings = ConceptSettings(layer=LAYER, size=SIZE, batch=4, scored=6, designs=256)
    found = importance(network, head, stream, settings, W)
    inputs = jnp.asarray(np.stack([picture for picture, _ in stream.inputs(range(6))]))
    F = jax.jit(lambda inputs: network(inputs / np.float32(255), (LAYER,))[LAYER])(inputs)
    scores = np.asarray(head(F))
    np.testing.assert_array_equal(found.label, scores.argmax(1))
    np.testing.assert_allclose(found.score, scores.max(1), rtol=1e-4)
    # Each concept is a channel here, which adds its mean times a weight.
    added = np.asarray(F).mean((1, 2))[:, :3] * kernel[:3, found.label].T
    np.testing.assert_allclose(found.gradient, added, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.of_concepts, added.sum(1), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.sobol, added**2 / np.square(added).sum(1, keepdims=True), atol=0.03)


def test_the_rest_of_a_network_gives_its_scores():
    network, image = VGG(formula_weights()), formula_image(SIZE, SIZE)
    reading = Linear(np.eye(8)[:, :4], "conv3_1")
    F = jax.jit(lambda image: network(image, (LAYER, "conv3_1")))(image)
    scores = jax.jit(lambda F: scores_from(network, reading, LAYER, F))(F[LAYER])
    np.testing.assert_allclose(scores, reading(F["conv3_1"]), rtol=1e-5)


def test_the_report_tells_the_importance_for_a_class(stream):
    network, head = VGG(formula_weights()), Linear(np.eye(CHANNELS), LAYER)
    settings = ConceptSettings(
        layer=LAYER, size=SIZE, batch=4, concepts=2, target="class:3", scored=6, designs=8, steps=0
    )
    W = np.eye(CHANNELS, dtype=np.float32)[[3, 1]]  # the first one is the class, the other has no part in it
    at_a_corner = Strongest(jnp.ones((2, 1)), *(jnp.zeros((2, 1), jnp.int32) for _ in range(4)))
    found = Survey(jnp.asarray(W), at_a_corner, jnp.array([2.0, 1.0]), jnp.float32(4))
    record = report_concepts(network, stream, settings, found, head, "abcdef").record
    told = record["importance"]
    assert told["classes"] == {"d": 6}
    assert told["score"] == pytest.approx(told["score_of_concepts"], rel=1e-4)
    first, other = record["concepts"]
    assert first["gradient"] == pytest.approx(told["score"], rel=1e-4)
    assert other["gradient"] == 0
    assert first["sobol"] > 0.5
    assert other["sobol"] == 0
    assert [first["share"], other["share"], record["explained"]] == [0.5, 0.25, 0.75]
