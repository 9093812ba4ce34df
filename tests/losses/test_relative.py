"""Relative losses: each is divided by its value for a picture that excites no filter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.devices.split import ByRows
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.losses.terms.content import CONTENT_LOSSES, content_size
from nst_jax.losses.terms.style_term import style_sizes
from nst_jax.methods.gatys import Session
from nst_jax.networks.trained import OXFORD, make_weights
from nst_jax.transfer.preparing import prepare
from nst_jax.weights import save
from tests.conftest import formula_image, formula_weights
from tests.losses.objectives import terms
from tests.seams.jobs import settings

PICTURE = formula_image(43, 64, phase=1.0)  # of the shape of the content at 64 px


def measured(weights, **fields):
    """The terms of a picture under the objective of a run."""
    job = prepare(from_dict(settings(weights, relative_losses=True, content_weight=0.5, **fields)))
    return terms(job.network, Session([job]).objective(job, 1.0), PICTURE)


@pytest.fixture(scope="module")
def stronger(tmp_path_factory):
    """The narrow network with all activations 30 times as strong from conv1_1 on."""
    weights = formula_weights()
    arrays = {
        name: array * np.float32(30) if name.startswith("conv1_1") or name.endswith("bias") else array
        for name, array in weights.arrays.items()
    }
    path = tmp_path_factory.mktemp("weights") / "stronger.safetensors"
    save(path, make_weights("stronger", "slim", arrays, OXFORD), "stronger")
    return path


@pytest.mark.parametrize("loss", ["gram", "covariance", "moments", "sliced", "histogram", "sums"])
def test_the_strength_of_a_network_makes_no_difference(tiny_weights, stronger, loss):
    ours, others = (measured(path, style_losses={loss: 1.0}) for path in (tiny_weights, stronger))
    for name in ("total", "content", "style"):
        assert others[name] == pytest.approx(float(ours[name]), rel=1e-3), name


@pytest.mark.parametrize("kind", CONTENT_LOSSES)
def test_the_content_is_compared_with_its_own_size(tiny_weights, kind):
    found = measured(tiny_weights, content_loss=kind)
    job = prepare(from_dict(settings(tiny_weights)))
    F, P = (np.asarray(job.network(x, ["conv2_2"])["conv2_2"]) for x in (PICTURE, jnp.asarray(job.content)))
    assert found["content"] == pytest.approx(np.sum((F - P) ** 2) / np.sum(P**2), rel=1e-4)


def test_gram_matrices_are_compared_with_their_own_size(tiny_weights):
    layers = {"conv1_1": 0.25, "conv2_1": 0.75}
    found = measured(tiny_weights, style_layers=layers)
    job = prepare(from_dict(settings(tiny_weights)))
    style = images.fit(job.styles[0].pictures[0], 64)
    G, A = (job.network(jnp.asarray(image), list(layers)) for image in (PICTURE, style))
    shares = [w * neutral_share(G[layer], A[layer]) for layer, w in layers.items()]
    assert found["style"] == pytest.approx(sum(shares), rel=1e-4)
    assert found["total"] == pytest.approx(0.5 * float(found["content"]) + float(found["style"]), rel=1e-5)


def neutral_share(F, S):
    """The squared distance of two Gram matrices, divided by the square of the second."""
    G, A = (np.einsum("bhwi,bhwj->ij", x, x) / np.prod(x.shape[:3]) for x in map(np.asarray, (F, S)))
    return np.sum((G - A) ** 2) / np.sum(A**2)


def test_without_activations_every_relative_loss_is_one():
    target = jnp.asarray(np.random.default_rng(0).random((1, 5, 6, 4), np.float32))
    shape = jax.ShapeDtypeStruct(target.shape, target.dtype)
    for kind, loss in CONTENT_LOSSES.items():
        assert loss(0 * target, target) / content_size(target, kind, 30) == pytest.approx(1)
    for name, loss in STYLE_LOSSES.items():
        statistic = loss.statistic(target, 30, None)
        goal, nothing = loss.fit(statistic, 5, 6), loss.statistic(0 * target, 30, None)
        sizes = style_sizes({"x": {"": {name: goal}}}, {"x": shape}, {"x": {"": None}}, {"x": {"": 1.0}})
        assert loss.distance(nothing, goal) / sizes["x"][name] == pytest.approx(1, rel=1e-5), name


def test_a_region_counts_by_its_share():
    grams = {region: {"gram": scale * jnp.eye(3)} for region, scale in {"a": 1.0, "b": 3.0}.items()}
    F, T = (jax.ShapeDtypeStruct((1, 4, 5, n), jnp.float32) for n in (3, 1))
    guides, shares = dict.fromkeys("ab", ByRows(T)), {"a": 0.5, "b": 0.5}
    sizes = style_sizes({"x": grams}, {"x": F}, {"x": guides}, {"x": shares})
    assert sizes["x"]["gram"] == pytest.approx(np.mean([3 / 36, 27 / 36]))
