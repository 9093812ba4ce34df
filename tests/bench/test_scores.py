"""Every score against an independent computation in PyTorch, NumPy or SciPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from nst_jax import images
from nst_jax.bench import scores
from nst_jax.config import from_dict
from nst_jax.networks.trained import TORCHVISION
from nst_jax.networks.vgg import VGG
from nst_jax.sweeps import neutral
from nst_jax.transfer.pictures import Pictures
from tests.conftest import formula_image, formula_weights

torch = pytest.importorskip("torch")
functional = torch.nn.functional

STYLE_LAYERS = ("conv2_1", "conv3_1")
CONFIG = from_dict({"content": "sample:coffee", "style": "sample:sunset", "size": 64})
RESULT = np.asarray(formula_image(43, 64))


def small(name):
    return images.fit(images.read(name), neutral.SIZE)


@pytest.fixture(scope="module")
def found():
    weights = formula_weights()
    judge = scores.Judge(VGG(weights), weights, STYLE_LAYERS, Pictures([CONFIG]))
    return judge(CONFIG, RESULT)


@pytest.fixture(scope="module")
def features():
    """Activations by PyTorch, positions x channels: of the result, the photo and the painting."""
    from tests.torch_reference import activations

    photo = small(CONFIG.content)
    pictures = images.resize(RESULT, *photo.shape[1:3]), photo, small(CONFIG.style)
    layers = (*STYLE_LAYERS, "conv4_2")
    arrays = formula_weights().arrays
    of_each = []
    for picture in pictures:
        tensor = torch.from_numpy(np.moveaxis(picture, -1, 1).copy())
        maps = activations(arrays, tensor, layers, "avg", "slim")
        of_each.append({name: maps[name][0].flatten(1).T.numpy().astype(float) for name in layers})
        of_each[-1]["pixels"] = picture.reshape(-1, 3).astype(float)
    return of_each


def sliced_distance(F, S):
    """Of random directions; quantiles at the middles of equal shares are interpolated."""
    directions = np.random.default_rng(0).standard_normal((F.shape[1], neutral.DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    ours, theirs = (np.sort(X @ directions, axis=0).T for X in (F, S))
    levels, known = ((np.arange(len(X)) + 0.5) / len(X) for X in (F, S))
    return np.mean([(a - np.interp(levels, known, b)) ** 2 for a, b in zip(ours, theirs, strict=True)])


def gram_distance(F, S):
    return np.sum((F.T @ F / len(F) - S.T @ S / len(S)) ** 2)


@pytest.mark.parametrize(
    ("score", "distance", "layers"),
    [
        ("gram", gram_distance, STYLE_LAYERS),
        ("sliced", sliced_distance, STYLE_LAYERS),
        ("palette", sliced_distance, ("pixels",)),
    ],
)
def test_distances_to_the_style_are_shares_of_the_photos(found, features, score, distance, layers):
    result, photo, style = features
    shares = [distance(result[at], style[at]) / distance(photo[at], style[at]) for at in layers]
    assert found[score] == pytest.approx(np.mean(shares), rel=1e-4)


def test_content_is_relative_to_the_photos_square(found, features):
    F, P = (each["conv4_2"] for each in features[:2])
    assert found["content_distance"] == pytest.approx(np.sum((F - P) ** 2) / np.sum(P**2), rel=1e-4)


def test_self_similarity_is_what_the_evaluation_of_styleid_computes(found, features):
    unit = 255 * np.mean(TORCHVISION.std)
    F, P = (torch.from_numpy(each["conv3_1"] / unit / each["conv3_1"].shape[1]) for each in features[:2])
    ours, theirs = functional.log_softmax(F @ F.T, dim=-1), functional.softmax(P @ P.T, dim=-1)
    expected = functional.kl_div(ours.reshape(1, -1), theirs.reshape(1, -1), reduction="batchmean")
    assert found["cfsd"] == pytest.approx(float(expected), rel=1e-4, abs=1e-4)


def test_self_similarity_of_other_patterns_is_large_and_of_equal_ones_zero():
    F, P = (jnp.float32(np.random.default_rng(seed).normal(0, 5, (1, 30, 40, 5))) for seed in (0, 1))
    rows = [torch.from_numpy(np.asarray(X, float).reshape(-1, 5) / 5) for X in (F, P)]
    ours, theirs = (functional.log_softmax(X @ X.T, dim=-1) for X in rows)
    expected = functional.kl_div(ours, theirs, reduction="sum", log_target=True)
    assert float(expected) > 100
    # 1200 positions: two blocks of rows and a part of one.
    assert float(scores.self_similarity_divergence(F, P)) == pytest.approx(float(expected), rel=1e-4)
    assert float(scores.self_similarity_divergence(F, F)) == pytest.approx(0, abs=1e-4)


def gray(picture):
    return picture[0] @ np.array([0.299, 0.587, 0.114], np.float32)


def ssim(x, y):
    """The formula of Wang et al. 2004, without a border of half the window of 11 pixels."""
    x, y = x.astype(float), y.astype(float)

    def mean(values):
        return gaussian_filter(values, 1.5, truncate=3.5)[5:-5, 5:-5]

    a, b = mean(x), mean(y)
    covariance, of_x, of_y = mean(x * y) - a * b, mean(x * x) - a * a, mean(y * y) - b * b
    c1, c2 = 0.01**2, 0.03**2
    ratio = (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (of_x + of_y + c2))
    return ratio.mean()


def test_similarity_of_luminance(found):
    photo = small(CONFIG.content)
    x, y = gray(images.resize(RESULT, *photo.shape[1:3])), gray(photo)
    assert found["ssim"] == pytest.approx(ssim(x, y), abs=1e-4)
    assert scores.luminance_similarity(y, y) == pytest.approx(1)


def test_overlap_of_edges_is_the_f1_score_within_two_pixels(found):
    photo = small(CONFIG.content)
    ours, theirs = (
        np.argwhere(scores.edges(gray(picture)))
        for picture in (images.resize(RESULT, *photo.shape[1:3]), photo)
    )
    near = cdist(ours, theirs) <= 2
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    assert found["edges"] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-4)


def test_edges_may_move_a_little_and_change_their_contrast():
    square = np.zeros((64, 64), np.float32)
    square[20:40, 20:40] = 1
    assert scores.edge_overlap(square, square) == 1
    assert scores.edge_overlap(0.2 + 0.3 * np.roll(square, 1, axis=1), square) == 1
    assert scores.edge_overlap(np.roll(square, 12, axis=(0, 1)), square) < 0.3
    assert scores.edge_overlap(np.zeros_like(square), square) == 0
