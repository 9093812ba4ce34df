"""The style losses: against PyTorch, by their properties, and where they degenerate."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax import images
from nst_jax.config import NetworkConfig
from nst_jax.losses.quantiles import quantile_distance, quantiles
from nst_jax.losses.sliced import directions
from nst_jax.losses.style import STYLE_LOSSES, fitted_targets
from nst_jax.losses.w2 import SHARE_OF_SQUARES, STEPS, trace_of_root
from nst_jax.networks.vgg import VGG
from nst_jax.weights import load, load_network
from tests.conftest import formula_image, formula_weights
from tests.losses.objectives import make_objective, style_weights, total

LOSSES = ("covariance", "moments", "w2", "sliced", "histogram", "mrf")
LAYERS = ("conv1_1", "conv2_1", "conv3_4")


@partial(jax.jit, static_argnums=(0, 3))
def target(name, S, guide=None, size=None):
    """The target of a loss from activations of a style, for a result of `size`."""
    height, width = size or S.shape[1:3]
    found = STYLE_LOSSES[name].statistic(S, S.shape[1] * S.shape[2], guide)
    return fitted_targets({name: found}, height, width)[name]


@partial(jax.jit, static_argnums=0)
def value_and_gradient(name, F, goal, guide=None):
    loss = STYLE_LOSSES[name]

    def distance(F):
        return loss.distance(loss.statistic(F, F.shape[1] * F.shape[2], guide), goal)

    return jax.value_and_grad(distance)(F)


def random_layer(height, width, filters, seed):
    values = np.random.default_rng(seed).normal(size=(1, height, width, filters)) * 50
    return jnp.asarray(np.maximum(values, 0), jnp.float32)


def random_guide(height, width, seed):
    """A soft mask with a third of its positions at 0, and a mean square of 1."""
    T = np.maximum(np.random.default_rng(seed).uniform(-0.5, 1, (1, height, width, 1)), 0)
    return jnp.asarray(T / np.sqrt(np.mean(T**2)), jnp.float32)


def disagreement(name, F, S, guides):
    """The relative errors of value and gradient from PyTorch in float64."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from tests.losses import style_loss_reference

    def tensor(array):
        return torch.tensor(np.asarray(array, np.float64))

    value, gradient = value_and_gradient(name, F, target(name, S, guides[1], F.shape[1:3]), guides[0])
    reference = getattr(style_loss_reference, name)
    if name == "sliced":
        reference = reference(directions(F.shape[3]))
    G = tensor(F)[0].permute(2, 0, 1).requires_grad_(True)
    weights = [None if T is None else tensor(T)[0, :, :, 0] ** 2 for T in guides]
    expected = reference(G, tensor(S)[0].permute(2, 0, 1), *weights)
    expected.backward()
    wanted = G.grad.permute(1, 2, 0).numpy()
    # Ranks, and so the gradient, are not unique where activations are equal, as those at 0 are.
    counted = np.asarray(F[0]) > 0 if name in ("sliced", "histogram") else 1
    error = np.linalg.norm(counted * (gradient[0] - wanted)) / np.linalg.norm(counted * wanted)
    return abs(float(value) / float(expected.detach()) - 1), error


@pytest.mark.parametrize("guided", [False, True], ids=["whole", "guided"])
@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_agree_with_pytorch(name, guided):
    F, S = random_layer(11, 9, 5, 0), random_layer(8, 13, 5, 1)
    guides = [random_guide(*X.shape[1:3], seed) if guided else None for seed, X in enumerate((F, S))]
    assert max(disagreement(name, F, S, guides)) < 1e-4


@pytest.fixture(scope="module", params=["vgg19", "slim"])
def activations(request):
    """Activations of a picture and of styles of two sizes, by layer of a trained network."""
    if request.param == "vgg19":
        folder = request.getfixturevalue("reference") / "weights"
        network = VGG(load(folder / "vgg19_conv1_1-conv3_4.safetensors", "vgg19"))
    else:
        network = load_network(NetworkConfig("slim"), LAYERS)[0]
    # Photos: in pictures drawn by a formula, many activations are equal, and covariances nearly singular.
    sizes = {"chelsea": (64, 56), "swirls": (48, 64), "stained_glass": (61, 40)}
    return [
        network(jnp.asarray(images.resize(images.read(f"sample:{name}"), *size)), LAYERS)
        for name, size in sizes.items()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("guided", [False, True], ids=["whole", "guided"])
@pytest.mark.parametrize("name", LOSSES)
def test_trained_layers_agree_with_pytorch(name, guided, activations):
    ours, *styles = activations
    for style in styles:
        for seed, layer in enumerate(LAYERS):
            pair = ours[layer], style[layer]
            guides = [random_guide(*X.shape[1:3], seed) if guided else None for X in pair]
            assert max(disagreement(name, *pair, guides)) < 1e-4, layer


@pytest.mark.parametrize("name", LOSSES)
def test_a_picture_is_at_no_distance_from_itself(name):
    F, S = random_layer(12, 10, 6, 0), random_layer(12, 10, 6, 1)
    scale, slope = value_and_gradient(name, F, target(name, S))
    value, gradient = value_and_gradient(name, F, target(name, F))
    assert abs(float(value)) < 1e-5 * float(scale)
    assert np.abs(gradient).max() < 1e-4 * np.abs(slope).max()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [(1, 1), (9, 8)])
def test_degenerate_layers_have_finite_gradients(name, size):
    """Constant pictures, dead filters, single positions, vanished guides, and targets of zeros."""
    S, guide = random_layer(7, 6, 16, 0), jnp.zeros((1, *size, 1))
    constant = jnp.broadcast_to(jnp.linspace(0, 3000, 16), (1, *size, 16))
    goals = [target(name, source, None, size) for source in (S, constant)]
    goals.append(jax.tree.map(jnp.zeros_like, goals[0]))
    for F in (random_layer(*size, 16, 1), constant, jnp.zeros_like(constant)):
        for goal in goals:
            for T in (None, guide):
                value, gradient = value_and_gradient(name, F, goal, T)
                assert np.isfinite(value)
                assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", LOSSES)
def test_positions_without_weight_have_no_influence(name):
    F, S = random_layer(9, 8, 5, 0), random_layer(9, 8, 5, 1)
    T = jnp.ones((1, 9, 8, 1)).at[:, :, 4:].set(0) * np.sqrt(2)
    goal, other = (target(name, X, T) for X in (S, S.at[:, :, 5:].multiply(100)))
    if name != "mrf":  # whose patches reach beyond the region of their centres
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), goal, other)
    _, gradient = value_and_gradient(name, F, goal, T)
    assert not np.any(gradient[:, :, 5:])
    assert np.any(gradient[:, :, :4])


@pytest.mark.parametrize("name", LOSSES)
def test_a_blend_of_a_style_with_itself_is_the_style(name):
    loss, size = STYLE_LOSSES[name], (9, 8)
    F, S = random_layer(*size, 5, 0), random_layer(*size, 5, 1)
    found = jax.jit(lambda S: loss.statistic(S, 72, None))(S)
    blend = loss.blend([found, found], [0.25, 0.75])
    value, _ = value_and_gradient(name, F, loss.fit(blend, *size))
    expected, _ = value_and_gradient(name, F, target(name, S))
    # Interpolated between ranks of the pool.
    tolerance = {"sliced": 0.02, "histogram": 0.02}.get(name, 1e-5)
    assert float(value) == pytest.approx(float(expected), rel=tolerance)


@pytest.mark.parametrize("count", [3, 7, 20])
def test_quantiles_with_equal_weights_are_those_without(count):
    values = jax.random.normal(jax.random.key(0), (3, 7)) - 0.5
    found = quantiles(values, jnp.ones(7), count)
    np.testing.assert_allclose(found, quantiles(values, None, count), rtol=1e-5, atol=1e-6)
    if count == 7:
        np.testing.assert_array_equal(quantiles(values, None, 7), np.sort(values, axis=1))


def test_equal_values_are_drawn_to_the_mean_of_their_quantiles():
    values, goal = jnp.array([[2.0, -1.0, 2.0, 5.0]]), jnp.array([[-1.0, 3.0, 7.0, 6.0]])
    gradient = jax.grad(quantile_distance)(values, None, goal)
    np.testing.assert_allclose(gradient, [[-1.5, 0.0, -1.5, -0.5]])


def covariances(spectra, seed):
    """Symmetric matrices with given eigenvalues, and the ridge that the loss adds to them."""
    rng, n = np.random.default_rng(seed), len(spectra[0])
    turns = [np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in spectra]
    matrices = [Q * values @ Q.T for Q, values in zip(turns, spectra, strict=True)]
    ridge = SHARE_OF_SQUARES * sum(np.trace(matrix) for matrix in matrices)
    return [matrix + ridge * np.eye(n) for matrix in matrices]


SPECTRA = {
    "decaying": (np.logspace(0, -8, 24), np.logspace(-1, -5, 24)),
    "rank one": (np.eye(24)[0], np.eye(24)[5]),
    "dead": (np.ones(24), np.zeros(24)),
    "scales": (np.logspace(8, 4, 24), np.logspace(-2, -3, 24)),
}


@pytest.mark.parametrize("spectra", SPECTRA.values(), ids=SPECTRA)
def test_the_trace_of_a_root_agrees_with_eigenvalues(spectra):
    C, S = covariances(spectra, 0)
    values, vectors = np.linalg.eigh(S)
    half = vectors * np.sqrt(values) @ vectors.T
    values, vectors = np.linalg.eigh(half @ C @ half)
    roots = np.sqrt(values)
    value, gradient = jax.value_and_grad(trace_of_root)(jnp.float32(C), jnp.float32(S))
    assert float(value) == pytest.approx(roots.sum(), rel=1e-4)
    # Weighted by C, as in the gradient with respect to activations.
    error = (gradient - 0.5 * half @ (vectors / roots @ vectors.T) @ half) @ C
    assert np.linalg.norm(error) < 1e-3 * np.linalg.norm(gradient @ C)


def test_scaled_steps_take_every_eigenvalue_to_one():
    x = np.geomspace(2 * SHARE_OF_SQUARES, 1, 1000)
    for scale in STEPS:
        x = 0.5 * scale * x * (3 - scale**2 * x**2)
    np.testing.assert_allclose(x, 1, atol=1e-12)


def test_tiles_leave_additive_losses_as_they_are():
    network = VGG(formula_weights())
    pictures = [formula_image(*size, phase) for size, phase in (((70, 56), 0.0), ((48, 64), 2.0))]
    weights = style_weights({"conv2_1": 1.0}, ("covariance", "moments", "w2"))
    (value, gradient), (tiled, other) = (
        jax.jit(jax.value_and_grad(total, argnums=2))(
            network, make_objective(network, *pictures, tile, **weights), pictures[0]
        )
        for tile in (0, 32)
    )
    assert float(tiled) == pytest.approx(float(value), rel=1e-4)
    assert np.linalg.norm(other - gradient) < 1e-4 * np.linalg.norm(gradient)
