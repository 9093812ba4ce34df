"""The two algorithms of the 3x3 convolution: the same function, gradients and lanes included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.networks import winograd
from nst_jax.networks.conv import conv3x3, turned
from nst_jax.networks.convnet import Conv
from nst_jax.networks.vgg import VGG
from tests.conftest import formula_image, formula_weights
from tests.losses.objectives import make_objective
from tests.losses.test_objective import GOLDEN, fields, relative_error, terms_and_gradient

# Winograd's transforms magnify float32 rounding: about ten times that of the plain sum, less than this.
TOLERANCE = 1e-5


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in shapes]


def transformed(kernel):
    kernel = np.asarray(kernel)
    return tuple(jnp.asarray(winograd.transform_filters(k)) for k in (kernel, turned(kernel)))


def by_winograd(x, kernel):
    return winograd.conv3x3_by_tiles(x, *transformed(kernel))


# One tile and less, sides that are no multiple of 4, two pictures, several strips of unequal need.
@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (2, 9, 7, 5), (1, 33, 70, 4), (1, 130, 131, 3)])
def test_winograd_is_the_direct_convolution(shape):
    x, kernel = arrays(shape, (3, 3, shape[-1], 6))

    def evaluate(convolve):
        def loss(x):
            y = convolve(x, kernel)
            return jnp.sum(jnp.sin(y)), y

        gradient, y = jax.jit(jax.grad(loss, has_aux=True))(x)
        return y, gradient

    for found, expected in zip(evaluate(by_winograd), evaluate(conv3x3), strict=True):
        assert relative_error(found, expected) < TOLERANCE


@pytest.mark.parametrize("shape", [(1, 1, 1, 5), (2, 9, 7, 4), (1, 33, 6, 64)])
def test_few_outputs_by_rows_are_the_plain_sum(shape):
    x, kernel = arrays(shape, (3, 3, shape[-1], 3))
    plain = jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
    )
    assert relative_error(conv3x3(x, kernel), plain) < 2e-6


def test_winograds_filters_are_constants():
    x, kernel = arrays((1, 4, 4, 2), (3, 3, 2, 3))
    gradients = jax.grad(lambda filters: jnp.sum(winograd.conv3x3_by_tiles(x, *filters)))(transformed(kernel))
    assert all(jnp.isnan(gradient).all() for gradient in gradients)


def test_winograd_is_accurate_where_many_channels_are_summed():
    x, kernel = arrays((1, 12, 12, 512), (3, 3, 512, 8))
    double = np.zeros((12, 12, 8))
    padded = np.pad(np.asarray(x[0], np.float64), ((1, 1), (1, 1), (0, 0)))
    for i in range(3):
        for j in range(3):
            double += padded[i : i + 12, j : j + 12] @ np.asarray(kernel[i, j], np.float64)
    assert relative_error(by_winograd(x, kernel)[0], double) < TOLERANCE


def test_a_lane_is_bit_for_bit_the_single_picture():
    xs, kernel = arrays((3, 1, 10, 14, 4), (3, 3, 4, 5))

    def gradient(x):
        return jax.grad(lambda x: jnp.sum(jnp.square(by_winograd(x, kernel))))(x)

    single = jax.jit(gradient)
    np.testing.assert_array_equal(jax.jit(jax.vmap(gradient))(xs), jnp.stack([single(x) for x in xs]))


def test_strips_are_rows_of_one_whole(monkeypatch):
    x, kernel = arrays((50, 20, 4), (3, 3, 4, 5))
    filters, _ = transformed(kernel)
    whole = winograd._convolve(x, filters)
    monkeypatch.setattr(winograd, "TILES_PER_STRIP", 10)
    monkeypatch.setattr(winograd, "TILE_CHANNELS", 0)
    in_strips = winograd._convolve(x, filters)
    assert relative_error(in_strips, whole) < TOLERANCE


def test_auto_takes_winograd_for_many_channels_on_cpu_only(monkeypatch):
    def taken():
        network = VGG(formula_weights((32, 64, 128, 8, 8)), conv="auto")
        return {name for name, layer in network.convs.items() if layer.algorithm == "winograd"}

    assert taken() == {"conv2_2", *(f"conv3_{i}" for i in range(1, 5))}
    monkeypatch.setattr(winograd.jax, "default_backend", lambda: "gpu")
    assert taken() == set()


def test_auto_convolves_small_pictures_directly():
    kernel = arrays((3, 3, 64, 64))[0]
    layer = Conv(np.asarray(kernel), np.zeros(64, np.float32))

    def products(side):
        """How many products of matrices the program has: only Winograd's convolutions have any."""
        return str(jax.make_jaxpr(layer)(jnp.ones((1, side, side, 64)))).count("dot_general")

    assert (products(60), products(61)) == (0, 1)
    (x,) = arrays((1, 8, 8, 64))
    np.testing.assert_array_equal(layer(x), jax.nn.relu(conv3x3(x, kernel)))


def test_a_network_by_winograd_has_the_golden_terms_and_gradient():
    image, content, style = formula_image(48, 40), formula_image(48, 40, 1.0), formula_image(33, 57, 2.0)
    network = VGG(formula_weights(), "avg", "winograd")
    J = make_objective(network, content, style, **fields(GOLDEN["config"]))
    terms, gradient = terms_and_gradient(network, J, image)
    for name, expected in GOLDEN["avg"]["terms"].items():
        assert float(terms[name]) == pytest.approx(expected, rel=1e-4), name
    assert relative_error(gradient[0, ::7, ::7].ravel(), GOLDEN["avg"]["gradient"]) < 1e-4
