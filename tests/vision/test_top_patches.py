"""The strongest activations of every unit: against a search in PyTorch and NumPy that keeps everything."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.images.streams import Stream
from nst_jax.networks.trained import make_weights
from nst_jax.networks.vgg import VGG
from nst_jax.vision.searching import top_patches
from nst_jax.vision.searching.top_patches import NO_IMAGE, Patch, patches_of
from nst_jax.weights import load
from tests.conftest import formula_weights

LAYERS = ("conv1_2", "conv2_1")


def made_pictures(count: int, size: int = 32) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def searched(network: VGG, pictures: np.ndarray, batch: int, top: int, layers=LAYERS) -> dict:
    """The lists after one pass, its last batch filled up with white."""
    lists = top_patches.empty_lists(network, layers, pictures.shape[1], top)
    for first in range(0, len(pictures), batch):
        part = pictures[first : first + batch]
        missing = ((0, batch - len(part)), (0, 0), (0, 0), (0, 0))
        numbers = [*range(first, first + len(part)), *[NO_IMAGE] * (batch - len(part))]
        filled = jnp.asarray(np.pad(part, missing, constant_values=255))
        lists, _ = top_patches.step(network, lists, filled, jnp.array(numbers, jnp.int32))
    return jax.device_get(lists)


def brute_force(responses: np.ndarray, unit: int, top: int) -> list[Patch]:
    """From all activations, "n units h w": each image's best, then the best images, written out in full."""
    found = []
    for image, one in enumerate(responses[:, unit]):
        row, column = np.unravel_index(np.argmax(one), one.shape)
        if one[row, column] > 0:
            found.append(Patch(float(one[row, column]), image, int(row), int(column)))
    return sorted(found, key=lambda patch: (-patch.activation, patch.image))[:top]


def pytorch_responses(weights, pictures: np.ndarray, layers=LAYERS) -> dict[str, np.ndarray]:
    torch = pytest.importorskip("torch")
    from tests.torch_reference import activations

    tensors = torch.tensor(pictures.astype(np.float64) / 255).permute(0, 3, 1, 2)
    found = activations(weights.arrays, tensors, layers, "max", weights.arch)
    return {layer: responses.numpy() for layer, responses in found.items()}


def assert_same(found: list[Patch], expected: list[Patch]) -> None:
    assert [patch[1:] for patch in found] == [patch[1:] for patch in expected]
    np.testing.assert_allclose([p.activation for p in found], [p.activation for p in expected], rtol=1e-4)


@pytest.mark.parametrize("batch", [4, 16])
def test_every_unit_of_two_layers_equals_a_search_in_pytorch(batch):
    weights, pictures = formula_weights(), made_pictures(13)
    lists = searched(VGG(weights, "max"), pictures, batch, top=5)
    responses = pytorch_responses(weights, pictures)
    for layer in LAYERS:
        for unit in range(responses[layer].shape[1]):
            assert_same(patches_of(lists[layer], unit), brute_force(responses[layer], unit, top=5))


def test_every_unit_of_the_true_vgg19_over_photos(reference):
    weights = load(reference / "weights" / "vgg19_conv1_1-conv3_4.safetensors", "vgg19")
    stream = Stream(f"folder:{reference / 'images' / 'photos_bsds500'}", 40, limit=30)
    (batch,) = stream.batches(30)
    lists = searched(VGG(weights, "max"), batch.pixels, batch=8, top=9)
    responses = pytorch_responses(weights, batch.pixels)
    alike = []
    for layer in LAYERS:
        for unit in range(responses[layer].shape[1]):
            found = patches_of(lists[layer], unit)
            expected = brute_force(responses[layer], unit, top=9)
            assert len({patch.image for patch in found}) == len(found) == len(expected)
            # Black and white areas make ties but for rounding: another place must then be as good.
            there = [responses[layer][p.image, unit, p.row, p.column] for p in found]
            np.testing.assert_allclose(there, [p.activation for p in expected], rtol=1e-5)
            np.testing.assert_allclose([p.activation for p in found], there, rtol=1e-3)
            alike += [a.image == b.image for a, b in zip(found, expected, strict=True)]
    assert np.mean(alike) > 0.99


def test_equal_activations_go_to_the_first_position_and_the_first_image():
    F = np.random.default_rng(3).integers(-1, 3, (6, 5, 7, 4)).astype(np.float32)
    F[:, :, :, 3] = 0  # this unit never fires
    F[2] = F[4]  # the same picture twice
    numbers = jnp.arange(6, dtype=jnp.int32)
    lists = top_patches.nothing_yet(4, 9)
    for part in (slice(0, 3), slice(3, 6)):
        lists = top_patches.merge(lists, top_patches.strongest(jnp.asarray(F[part]), numbers[part]))
    for unit in range(4):
        expected = brute_force(np.moveaxis(F, -1, 1), unit, top=9)
        assert patches_of(lists, unit) == expected
    assert patches_of(lists, 3) == []


def test_the_lists_are_shorter_where_a_unit_fires_in_fewer_images():
    lists = top_patches.nothing_yet(1, 3)
    F = jnp.zeros((4, 2, 2, 1)).at[1, 1, 0].set(2.0).at[3, 0, 1].set(5.0)
    lists = top_patches.merge(lists, top_patches.strongest(F, jnp.arange(4, dtype=jnp.int32)))
    assert patches_of(lists, 0) == [Patch(5.0, 3, 0, 1), Patch(2.0, 1, 1, 0)]
    assert lists.image.tolist() == [[3, 1, NO_IMAGE]]


def test_a_unit_with_a_strongly_negative_bias_has_no_patches():
    weights = formula_weights()
    arrays = {**weights.arrays, "conv2_1.bias": np.array([-1e9, 0, 0, 0, 0, 0], np.float32)}
    network = VGG(make_weights("silent", "slim", arrays, weights.preprocessing), "max")
    lists = searched(network, made_pictures(3), batch=2, top=2)
    assert patches_of(lists["conv2_1"], 0) == []
    assert len(patches_of(lists["conv2_1"], 1)) == 2


def test_pooling_outputs_are_units_too():
    network, pictures = VGG(formula_weights(), "avg"), made_pictures(3)
    lists = searched(network, pictures, batch=3, top=3, layers=("pool1", "conv1_1"))
    F = network(jnp.asarray(pictures, jnp.float32) / 255, ("pool1",))["pool1"]
    for unit in range(F.shape[-1]):
        expected = brute_force(np.moveaxis(np.asarray(F), -1, 1), unit, top=3)
        assert_same(patches_of(lists["pool1"], unit), expected)
