"""Tiles give the objective of the whole picture, and its gradient, in less memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.config import OptimizerConfig, from_dict
from nst_jax.losses.features import tile_plan
from nst_jax.losses.features.request import Request
from nst_jax.losses.features.tiled import tiled
from nst_jax.losses.objective import total_and_terms
from nst_jax.methods.gatys import Session
from nst_jax.networks.vgg import VGG
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.transfer.preparing import prepare
from tests.conftest import formula_image, formula_weights
from tests.losses.objectives import make_objective, style_weights, terms, total

CONTENT = {"conv1_2": 1e-3, "pool2": 0.5, "conv4_2": 1.0}
STYLE = {"conv1_1": 0.2, "conv2_2": 0.1, "pool3": 0.1, "conv4_1": 0.3, "conv5_1": 0.3}


def network_and_objective(size, tile, pool="avg", content=CONTENT, style=STYLE, content_loss="sum"):
    pictures = formula_image(*size, 1.0), formula_image(100, 83, 2.0)
    network = VGG(formula_weights(), pool)
    weights = {"content_weight": 1e-3, "style_weight": 1.0, "tv_weight": 10.0, "content_loss": content_loss}
    layers = {"content_layers": content, "style_layers": style}
    return network, make_objective(network, *pictures, tile, **weights, **layers)


def assert_close(found, expected, tolerance=1e-5):
    """Equal to within `tolerance` of the largest entry, array by array."""
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance * np.abs(b).max(), rtol=0)


@pytest.mark.parametrize(
    ("size", "tile", "pool", "content_loss"),
    [((131, 77), 32, "avg", "sum"), pytest.param((96, 150), 48, "max", "mean", marks=pytest.mark.slow)],
    ids=["odd sizes", "max pooling"],
)
def test_targets_terms_and_gradient_are_those_of_the_whole(size, tile, pool, content_loss):
    image = formula_image(*size)
    gradient = jax.grad(total, argnums=2)
    evaluate = jax.jit(lambda *J: (terms(*J, image), gradient(*J, image)))
    whole, tiled = (network_and_objective(size, t, pool, content_loss=content_loss) for t in (0, tile))
    assert_close(tiled[1].targets, whole[1].targets)
    assert_close(evaluate(*tiled), evaluate(*whole))


def test_tiles_hold_as_many_activations_in_every_block():
    network = VGG(formula_weights())
    blocks = list(
        tile_plan.tile_blocks(
            network, (400, 300), Request(tuple(CONTENT), tuple((name, ("gram",)) for name in STYLE)), 64
        )
    )
    assert blocks[0].rows.count == 7
    assert [block.rows.halo for block in blocks[:4]] == [2, 2, 4, 4]
    for block in blocks:
        weighted = [layer.name for layer in block.layers if layer.weighted]
        filters = sum(network.convs[name].bias.shape[0] for name in weighted)
        assert block.rows.tile * block.columns.tile * filters <= 1.1 * 64 * 64 * 2 * 4
        # Every position is some tile's, and no tile lies wholly beyond the picture.
        assert 0 <= block.rows.count * block.rows.tile - block.rows.length < block.rows.tile


@pytest.mark.parametrize(
    ("content", "style", "tile"),
    [({}, {"conv1_1": 1.0, "conv2_1": 1.0}, 32), ({"conv2_2": 1.0}, {}, 1000)],
    ids=["style alone", "content alone, in one tile"],
)
def test_layers_of_one_kind_are_enough(content, style, tile):
    image = formula_image(75, 51)
    evaluate = jax.jit(jax.value_and_grad(total, argnums=2))
    whole, tiled = (network_and_objective((75, 51), t, content=content, style=style) for t in (0, tile))
    assert_close(evaluate(*tiled, image), evaluate(*whole, image))


@pytest.mark.slow
def test_an_optimisation_goes_the_same_way():
    image = formula_image(72, 72)
    optimizer = Optimizer(total_and_terms, find_method(OptimizerConfig()))
    ends = []
    for tile in (0, 32):
        layers = {"content": {"conv2_1": 1.0}, "style": {"conv1_1": 0.5, "conv3_1": 0.5}}
        J = network_and_objective((72, 72), tile, **layers)
        state = optimizer.start(*J, image, jnp.float32(1))
        ends.append(optimizer.advance(*J, state, jnp.int32(5), jnp.int32(100)))
    assert_close(ends[1].variable, ends[0].variable, 1e-3)
    assert int(ends[1].evaluations) == int(ends[0].evaluations)


def test_memory_is_bounded_by_the_tile():
    small, large = (temporary_bytes(size, tile=64) for size in (256, 512))
    more_pixels = 512**2 - 256**2
    whole = temporary_bytes(512, tile=0)
    # What grows with the picture are its poolings and gradients, 20 numbers a pixel; the network has 400.
    assert (large - small) / more_pixels < 0.3 * whole / 512**2
    assert large < 0.4 * whole


def temporary_bytes(size, tile):
    """What one evaluation needs besides its arguments, by the compiler's count."""
    network = VGG(formula_weights((32, 64, 64, 64, 64)))
    picture = formula_image(32, 32)
    J = make_objective(network, picture, picture, tile, **style_weights({"conv1_1": 1.0, "conv3_1": 1.0}))
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    evaluate = jax.jit(jax.value_and_grad(total, argnums=2))
    return evaluate.lower(network, J, image).compile().memory_analysis().temp_size_in_bytes


def test_the_config_field_reaches_the_objective(tiny_weights):
    settings = {"content": "sample:coffee", "size": 100, "tile": 64}
    network = {"arch": "slim", "weights": str(tiny_weights)}
    job = prepare(from_dict({**settings, "network": network}))
    assert Session([job]).objective(job, 1.0).evaluator is tiled(64)
