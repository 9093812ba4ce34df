"""The style losses: against PyTorch, by their properties, and where they degenerate."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.losses import objective
from nst_jax.losses.quantiles import quantile_distance, quantiles
from nst_jax.losses.sliced import directions
from nst_jax.losses.style import STYLE_LOSSES, fitted_targets
from nst_jax.networks.vgg import VGG
from tests.conftest import formula_image, formula_weights

LOSSES = ("covariance", "moments", "w2", "sliced", "histogram", "mrf")
LAYERS = ("conv1_1", "conv2_1", "conv3_4")
SIZE = (64, 56)
STYLE_SIZES = ((48, 64), (61, 40))


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


def tolerance(name, F):
    """Of a gradient. In true layers, rounding swaps ranks, and covariances are nearly singular."""
    return 1e-3 if name in ("sliced", "histogram", "w2") and F.shape[3] >= 64 else 1e-4


def random_layer(height, width, filters, seed):
    values = np.random.default_rng(seed).normal(size=(1, height, width, filters)) * 50
    return jnp.asarray(np.maximum(values, 0), jnp.float32)


def random_guide(height, width, seed):
    """A soft mask with a third of its positions at 0, and a mean square of 1."""
    T = np.maximum(np.random.default_rng(seed).uniform(-0.5, 1, (1, height, width, 1)), 0)
    return jnp.asarray(T / np.sqrt(np.mean(T**2)), jnp.float32)


@pytest.fixture(scope="module", params=["formula", "vgg19"])
def activations(request):
    """Activations of a picture and of styles of two sizes, by layer."""
    weights = formula_weights()
    if request.param == "vgg19":
        from nst_jax.weights import load

        folder = request.getfixturevalue("reference") / "weights"
        weights = load(folder / "vgg19_conv1_1-conv3_4.safetensors", "vgg19")
    network = VGG(weights)
    pictures = [formula_image(*SIZE), *(formula_image(*size, 2.0) for size in STYLE_SIZES)]
    return [network(picture, LAYERS) for picture in pictures]


@pytest.mark.parametrize("guided", [False, True], ids=["whole", "guided"])
@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_agree_with_pytorch(name, guided, activations):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from tests.losses import style_loss_reference

    def tensor(array):
        return torch.tensor(np.asarray(array, np.float64))

    ours, *styles = activations
    for style in styles:
        for seed, layer in enumerate(LAYERS):
            F, S = ours[layer], style[layer]
            guides = [random_guide(*X.shape[1:3], seed) if guided else None for X in (F, S)]
            goal = target(name, S, guides[1], F.shape[1:3])
            value, gradient = value_and_gradient(name, F, goal, guides[0])

            reference = getattr(style_loss_reference, name)
            if name == "sliced":
                reference = reference(directions(F.shape[3]))
            G = tensor(F)[0].permute(2, 0, 1).requires_grad_(True)
            weights = [None if T is None else tensor(T)[0, :, :, 0] ** 2 for T in guides]
            expected = reference(G, tensor(S)[0].permute(2, 0, 1), *weights)
            expected.backward()
            assert float(value) == pytest.approx(float(expected.detach()), rel=1e-4), layer
            wanted = G.grad.permute(1, 2, 0).numpy()
            # Ranks, and so the gradient, are not unique where activations are equal, as those at 0 are.
            counted = np.asarray(F[0]) > 0 if name in ("sliced", "histogram") else 1
            error = np.linalg.norm(counted * (gradient[0] - wanted))
            assert error < tolerance(name, F) * np.linalg.norm(counted * wanted), layer


@pytest.mark.parametrize("name", LOSSES)
def test_a_picture_is_at_no_distance_from_itself(name):
    F, S = random_layer(12, 10, 6, 0), random_layer(12, 10, 6, 1)
    scale, slope = value_and_gradient(name, F, target(name, S))
    value, gradient = value_and_gradient(name, F, target(name, F))
    assert abs(float(value)) < 1e-5 * float(scale)
    assert np.abs(gradient).max() < 1e-5 * np.abs(slope).max()


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
    found = loss.statistic(S, 72, None)
    blend = loss.blend([found, found], [0.25, 0.75])
    value, _ = value_and_gradient(name, F, loss.fit(blend, *size))
    expected, _ = value_and_gradient(name, F, target(name, S))
    # Interpolated between ranks of the pool, and with patches that repeat.
    tolerance = {"sliced": 0.02, "histogram": 0.02, "mrf": 0.1}.get(name, 1e-5)
    assert float(value) == pytest.approx(float(expected), rel=tolerance)


def test_patches_of_a_blend_are_chosen_by_share():
    loss = STYLE_LOSSES["mrf"]
    zeros, ones = (loss.statistic(jnp.full((1, 21, 21, 2), value), 441, None) for value in (0.0, 1.0))
    chosen = loss.fit(loss.blend([zeros, ones], [0.2, 0.8]), 21, 21)
    assert chosen.shape == (100, 18)
    assert float(chosen.mean()) == pytest.approx(0.8)


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


def test_tiles_leave_additive_losses_as_they_are():
    network = VGG(formula_weights())
    pictures = [formula_image(*size, phase) for size, phase in (((70, 56), 0.0), ((48, 64), 2.0))]
    losses = dict.fromkeys(("covariance", "moments", "w2"), 1.0)
    weights = objective.loss_weights(1.0, 1.0, 0.0, {}, {"conv1_1": 0.5, "conv2_1": 0.5}, losses)
    (value, gradient), (tiled, other) = (
        jax.jit(jax.value_and_grad(objective.total, argnums=2))(
            network, objective.make_objective(network, *pictures, weights, tile=tile), pictures[0]
        )
        for tile in (0, 32)
    )
    assert float(tiled) == pytest.approx(float(value), rel=1e-4)
    assert np.linalg.norm(other - gradient) < 1e-4 * np.linalg.norm(gradient)
