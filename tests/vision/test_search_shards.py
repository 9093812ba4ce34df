"""A search in shards, merged: equal to one pass bit for bit."""

import itertools

import jax
import numpy as np
import pytest
from PIL import Image

from nst_jax.images.streams import Stream
from nst_jax.networks.vgg import VGG
from nst_jax.vision.searching.search import SearchPass
from nst_jax.vision.searching.search_file import join_searches, start
from nst_jax.vision.searching.search_settings import TopPatchesSettings
from tests.conftest import formula_weights

PICTURES, UNREADABLE = 41, (0, 17, 18, 40)


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """Pictures of which every third is the same, so that activations tie, and some that cannot be read."""
    folder = tmp_path_factory.mktemp("pictures")
    made = np.random.default_rng(0)
    same = 255 * made.integers(0, 2, (40, 40, 3), np.uint8)
    for number in range(PICTURES):
        pixels = same if number % 3 == 0 else made.integers(0, 200, (32, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    for number in UNREADABLE:
        (folder / f"{number:02d}.png").write_bytes(b"")
    return lambda: Stream(f"folder:{folder}", 32)


def searched(stream, settings, begin, end):
    network = VGG(formula_weights(), "max")
    found = SearchPass(network, stream, settings, start(network, settings, PICTURES, begin, end))
    assert list(found.positions(end))[-1] == end
    return found.now()


def test_the_merge_of_shards_is_one_pass(stream):
    settings = TopPatchesSettings(layers=("conv1_2", "conv2_1"), size=32, batch=4, top=5, sample=12)
    whole = searched(stream(), settings, 0, PICTURES)
    assert whole.images == PICTURES - len(UNREADABLE)
    top = whole.lists["conv2_1"]
    fired = top.activation[:, 0] > 0
    assert fired.any()
    assert ((np.diff(top.activation[fired]) == 0) & (np.diff(top.image[fired]) > 0)).any(), "there are ties"
    for shards in (1, 2, 3, 7):
        cuts = np.linspace(0, PICTURES, shards + 1).astype(int).tolist()
        parts = [searched(stream(), settings, begin, end) for begin, end in itertools.pairwise(cuts)]
        merged = join_searches(parts)
        assert merged[3:5] == whole[3:5]
        assert merged.skipped == whole.skipped
        ours, theirs = jax.tree.leaves(merged[:3]), jax.tree.leaves(whole[:3])
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_a_shard_without_any_readable_picture_is_no_error(stream):
    settings = TopPatchesSettings(layers=("conv1_2",), size=32, batch=4)
    empty = searched(stream(), settings, 17, 19)
    assert empty.images == 0
    assert len(empty.skipped) == 2
