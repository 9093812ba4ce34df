"""Hypercolumns and nearest neighbours against NumPy and PyTorch, and the losses' properties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.networks.vgg import VGG
from nst_jax.nnst import matching, neighbors, splitting
from nst_jax.nnst.hypercolumns import divided, hypercolumns, interpolated, joined, turned_copies
from nst_jax.variables import pyramid
from tests.conftest import formula_image, formula_weights

LAYERS = ("conv1_1", "conv2_1")
RANDOM = np.random.default_rng(0)
columns_of = jax.jit(hypercolumns, static_argnums=2)


def features(count, channels):
    return jnp.asarray(RANDOM.random((count, channels), np.float32))


@pytest.fixture(scope="module")
def network():
    return VGG(formula_weights())


def centered(rows):
    return rows - rows.mean(0)


def cosine_matrix(a, b):
    """Every row of `a` with every row of `b`."""
    a, b = (np.asarray(rows, np.float64) for rows in (a, b))
    return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


@pytest.mark.parametrize("size", [((9, 14), (5, 6)), ((3, 4), (8, 8)), ((6, 5), (1, 5)), ((1, 2), (3, 1))])
@pytest.mark.parametrize("corners", [True, False])
def test_interpolation_is_that_of_pytorch(size, corners):
    torch = pytest.importorskip("torch")
    before, after = size
    F = RANDOM.random((1, *before, 3), dtype=np.float32)
    planes = torch.from_numpy(np.moveaxis(F, 3, 1).copy())
    expected = torch.nn.functional.interpolate(planes, size=after, mode="bilinear", align_corners=corners)
    ours = (interpolated if corners else pyramid.bilinear)(jnp.asarray(F), *after)
    np.testing.assert_allclose(ours, np.moveaxis(expected.numpy(), 1, 3), atol=1e-6)


def test_interpolation_keeps_corners_and_straight_lines():
    ramp = np.add.outer(2 * np.arange(7.0), np.arange(5.0)).astype(np.float32)[None, :, :, None]
    expected = np.add.outer(2 * np.linspace(0, 6, 4), np.linspace(0, 4, 9))
    np.testing.assert_allclose(interpolated(jnp.asarray(ramp), 4, 9)[0, :, :, 0], expected, atol=1e-5)


def test_columns_are_activations_by_their_number_of_channels(network):
    image = formula_image(32, 24)
    columns = columns_of(network, image, LAYERS)
    F = network(image, LAYERS)
    assert {layer: rows.shape for layer, rows in columns.items()} == {
        layer: (8 * 6, F[layer].shape[3]) for layer in LAYERS
    }
    for layer in LAYERS:
        top_left, bottom_right = F[layer][0, 0, 0], F[layer][0, -1, -1]
        np.testing.assert_allclose(columns[layer][0], top_left / F[layer].shape[3], rtol=1e-5)
        np.testing.assert_allclose(columns[layer][-1], bottom_right / F[layer].shape[3], rtol=1e-5)
    again = divided(joined(columns), columns)
    assert all(np.array_equal(again[layer], columns[layer]) for layer in LAYERS)


def test_rotations_are_by_quarter_turns():
    image = np.asarray(formula_image(6, 4))
    turned = turned_copies(image)
    assert [copy.shape[1:3] for copy in turned] == [(6, 4), (4, 6), (6, 4), (4, 6)]
    np.testing.assert_array_equal(turned[0], image)
    np.testing.assert_array_equal(turned[2], image[:, ::-1, ::-1])
    np.testing.assert_array_equal(turned[1][0, 0], image[0, :, -1])


@pytest.mark.parametrize("together", [neighbors.PAIRS_ON_ACCELERATORS, 40 * 7])
def test_the_search_finds_what_all_pairs_give(monkeypatch, together):
    """In one part, and in parts of seven features, the last of which is not full."""
    monkeypatch.setattr(neighbors, "pairs_together", lambda: together)
    wanted, style = features(30, 12), features(40, 12)
    similarity, index = neighbors.most_alike(centered(wanted), style, style.mean(0))
    expected = cosine_matrix(centered(wanted), centered(style))
    np.testing.assert_array_equal(index, expected.argmax(1))
    lengths = np.linalg.norm(centered(wanted), axis=1)
    np.testing.assert_allclose(similarity / lengths, expected.max(1), rtol=1e-4)


def test_columns_are_replaced_by_the_nearest_of_all_styles(network):
    image = formula_image(32, 28)
    styles = [np.asarray(formula_image(*size, phase)) for size, phase in (((24, 32), 1.0), ((28, 20), 2.0))]
    found = joined(matching.replaced(network, image, styles, LAYERS))
    wanted = joined(columns_of(network, image, LAYERS))
    style = np.concatenate([joined(columns_of(network, jnp.asarray(one), LAYERS)) for one in styles])
    index = cosine_matrix(centered(np.asarray(wanted)), centered(style)).argmax(1)
    np.testing.assert_allclose(found, style[index], rtol=1e-5, atol=1e-6)


def test_the_picture_itself_as_style_replaces_nothing(network):
    image = formula_image(32, 32)
    found = matching.replaced(network, image, [np.asarray(image)], LAYERS)
    for layer, rows in columns_of(network, image, LAYERS).items():
        np.testing.assert_allclose(found[layer], rows, rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_cosine_of_whole_columns_and_ignores_their_lengths(network):
    image, other = formula_image(24, 16), formula_image(24, 16, 1.5)
    found, target = (columns_of(network, one, LAYERS) for one in (image, other))
    expected = 1 - np.diag(cosine_matrix(np.asarray(joined(found)), np.asarray(joined(target)))).mean()
    lengths = RANDOM.uniform(0.5, 20, (len(joined(target)), 1)).astype(np.float32)
    for factor in (1.0, lengths):
        scaled = matching.Matching({layer: factor * rows for layer, rows in target.items()}, None)
        loss, _ = jax.jit(matching.matching_and_terms)(network, scaled, image)
        assert loss == pytest.approx(expected, rel=1e-4)
    loss, terms = jax.jit(matching.matching_and_terms)(network, matching.Matching(found, None), image)
    assert terms["matching"] == loss == pytest.approx(0, abs=1e-5)


def test_what_is_replaced_has_the_content_s_detail():
    content, start = np.asarray(formula_image(16, 16)), np.asarray(formula_image(16, 16, 2.0))
    np.testing.assert_array_equal(matching.blended(content, start, 1.0), content)
    smooth = content - np.asarray(pyramid.finest_detail(jnp.asarray(content)))
    np.testing.assert_allclose(matching.blended(content, smooth, 0.25), content, atol=1e-6)
    detail = np.asarray(pyramid.finest_detail(jnp.asarray(content)))
    expected = 0.75 * content + 0.25 * (start + detail)
    np.testing.assert_allclose(matching.blended(content, start, 0.75), expected, atol=1e-6)


def test_splitting_is_the_nearest_of_all_style_features_in_each_layer():
    found, style = features(25, 9), features(33, 9)
    expected = 1 - cosine_matrix(centered(found), centered(style)).max(1).mean()
    assert splitting.nearest_distance(found, style) == pytest.approx(expected, rel=1e-4)
    assert splitting.nearest_distance(style, style) == pytest.approx(0, abs=1e-5)
    assert splitting.nearest_distance(3 * style, style) == pytest.approx(0, abs=1e-5)


def test_the_gradient_of_splitting_is_that_of_the_minimum():
    found, style = features(6, 5), features(7, 5)

    def reference(rows):
        a, b = rows - rows.mean(0), style - style.mean(0)
        a, b = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        return jnp.mean(jnp.min(1 - a @ b.T, axis=1))

    ours, theirs = (
        jax.jit(jax.grad(splitting.nearest_distance))(found, style),
        jax.jit(jax.grad(reference))(found),
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("size", "distance"), [((40, 30), 1), ((150, 130), 2), ((200, 2), 3)])
def test_features_are_drawn_at_regular_distances(size, distance):
    F = jnp.asarray(np.indices(size).transpose(1, 2, 0)[np.newaxis], jnp.float32)
    firsts = set()
    for seed in range(12):
        places = np.asarray(splitting.sampled(F, jax.random.key(seed)))
        rows, columns = (np.unique(places[:, axis]) for axis in (0, 1))
        assert len(places) == len(rows) * len(columns)
        assert set(np.diff(rows)) | set(np.diff(columns)) <= {distance, min(distance, size[1])}
        assert len(rows) == size[0] // distance
        firsts.add((rows[0], columns[0]))
    assert len(firsts) == 1 if distance == 1 else len(firsts) > 1


def test_all_styles_together_give_as_many_features_as_one(network):
    image = np.asarray(formula_image(256, 256))
    for styles in ([image], turned_copies(image)):
        features = splitting.style_features(network, styles, LAYERS[:1], seed=0)
        assert len(features["conv1_1"]) == 64**2


def test_features_are_drawn_anew_at_each_step_and_again_with_the_same_seed(network):
    image = formula_image(130, 130)
    style = splitting.style_features(network, [np.asarray(formula_image(40, 40, 1.0))], LAYERS[:1], 0)
    evaluate = jax.jit(splitting.splitting_and_terms)
    values = [
        evaluate(network, splitting.Splitting(style, jnp.uint32(seed), jnp.int32(step), None), image)[0]
        for seed, step in ((0, 1), (0, 1), (0, 2), (1, 1))
    ]
    assert values[0] == values[1]
    assert len({float(value) for value in values}) == 3
