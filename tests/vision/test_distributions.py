"""Histograms, quantiles and exports of every image's maxima: against NumPy over all activations."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.errors import UserError
from nst_jax.vision.searching import distributions
from nst_jax.vision.searching.distributions import (
    BINS,
    bin_edges,
    bin_numbers,
    nothing_counted,
    sampled_images,
    tally,
)
from nst_jax.vision.searching.maxima_file import MaximaFile
from nst_jax.vision.searching.quantile_patches import histogram_of, patches_at
from nst_jax.vision.searching.top_patches import NO_IMAGE, strongest

IMAGES, UNITS = 23, 3


def made_maps():
    """Activations "images h w units" with ties within and between images; the last unit fires in few."""
    F = np.random.default_rng(3).integers(-4, 9, (IMAGES, 4, 5, UNITS)).astype(np.float32)
    F[..., 2] = np.where(np.arange(IMAGES)[:, None, None] % 6 == 1, F[..., 2], -1)
    return np.maximum(F, 0) / 3


def tallied(F, batch, sampled, first=0):
    """The distribution over images `first` to `first + len(F)`, in batches filled up with nothing."""
    made = {"layer": nothing_counted(F.shape[-1], len(sampled))}
    for begin in range(0, len(F), batch):
        part = F[begin : begin + batch]
        numbers = np.full(batch, NO_IMAGE, np.int32)
        numbers[: len(part)] = np.arange(first + begin, first + begin + len(part))
        slots = [list(sampled).index(i) if i in sampled else len(sampled) for i in numbers]
        maps = np.pad(part, ((0, batch - len(part)), (0, 0), (0, 0), (0, 0)), constant_values=5)
        found = {"layer": strongest(jnp.asarray(maps), jnp.asarray(numbers))}
        made = tally(made, found, jnp.array(slots, jnp.int32))
    return jax.device_get(made["layer"])


def test_bins_hold_the_values_between_their_edges():
    edges = bin_edges()
    np.testing.assert_array_equal(np.diff(np.log2(edges[::4])), 1)
    values = np.random.default_rng(0).lognormal(0, 6, 5000).astype(np.float32)
    exact = np.float32(edges)  # every edge belongs to the bin above it
    for each in (values, exact[:-1], np.nextafter(exact[1:], np.float32(0))):
        expected = np.clip(np.searchsorted(exact, each, side="right"), 1, BINS - 1)
        np.testing.assert_array_equal(bin_numbers(jnp.asarray(each)), expected)
    outside = jnp.array([-1.0, 0.0, -0.0, 1e-30, 1e30, jnp.inf])
    assert bin_numbers(outside).tolist() == [0, 0, 0, 1, BINS - 1, BINS - 1]


@pytest.mark.parametrize("batch", [4, 23])
def test_counts_and_samples_equal_those_of_all_maxima(batch):
    F, sampled = made_maps(), sampled_images(IMAGES, 7, seed=1)
    made, peaks = tallied(F, batch, sampled), F.max((1, 2))
    for unit in range(UNITS):
        silent, *counts = made.counts[unit].tolist()
        assert silent == (peaks[:, unit] <= 0).sum()
        fired = peaks[peaks[:, unit] > 0, unit]
        np.testing.assert_array_equal(counts, np.histogram(fired, bin_edges())[0])
        shown = histogram_of(made, unit)
        assert sum(shown["counts"]) + shown["silent"] == IMAGES
        assert shown["edges"][0] <= fired.min() < shown["edges"][1]
        assert shown["edges"][-2] <= fired.max() < shown["edges"][-1]
    np.testing.assert_array_equal(made.activation, peaks[sampled])
    here = F[sampled[:, None], made.row, made.column, np.arange(UNITS)]
    np.testing.assert_array_equal(here, peaks[sampled])


def test_the_sample_is_seeded_uniform_and_ascending():
    assert sampled_images(5, 9, 0).tolist() == [0, 1, 2, 3, 4]
    one = sampled_images(1000, 100, 0)
    np.testing.assert_array_equal(one, sampled_images(1000, 100, 0))
    assert (np.diff(one) > 0).all()
    assert (one != sampled_images(1000, 100, 1)).any()
    drawn = np.bincount(np.concatenate([sampled_images(20, 5, seed) for seed in range(2000)]))
    np.testing.assert_allclose(drawn, 500, atol=100)  # five standard deviations


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_the_merge_of_shards_equals_one_pass(shards):
    F, sampled = made_maps(), sampled_images(IMAGES, 9, seed=2)
    cuts = np.linspace(0, IMAGES, shards + 1).astype(int)
    parts = []
    for begin, end in itertools.pairwise(cuts):
        inside = sampled[(begin <= sampled) & (sampled < end)]
        parts.append(tallied(F[begin:end], 4, inside, begin))
    merged, whole = distributions.join_distributions(parts), tallied(F, 4, sampled)
    for ours, theirs in zip(merged, whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_patches_at_quantiles_are_the_nearest_in_rank():
    F = made_maps()
    sampled, peaks = np.arange(IMAGES), F.max((1, 2))
    made = tallied(F, 8, sampled)
    for unit in range(UNITS):
        order = sorted(range(IMAGES), key=lambda i: (-peaks[i, unit], i))
        for at in patches_at(made, sampled, unit, (0.0, 0.5, 0.9, 1.0), 3):
            assert at.activation == pytest.approx(np.quantile(peaks[:, unit], at.quantile))
            middle = (1 - at.quantile) * (IMAGES - 1)
            nearest = sorted(range(IMAGES), key=lambda rank: (abs(rank - middle), rank))[:3]
            expected = [order[rank] for rank in sorted(nearest) if peaks[order[rank], unit] > 0]
            assert [patch.image for patch in at.patches] == expected
            for patch in at.patches:
                assert F[patch.image, patch.row, patch.column, unit] == patch.activation
            assert set(at.above) == {i for i in range(IMAGES) if peaks[i, unit] >= np.float32(at.activation)}


def test_images_that_could_not_be_read_are_no_part_of_the_sample():
    F, sampled = made_maps(), np.array([2, 5, 90])  # there is no image 90
    (at,) = patches_at(tallied(F, 8, sampled), sampled, 0, (0.0,), 3)
    assert sorted(patch.image for patch in at.patches) == [2, 5]
    nothing = jax.device_get(nothing_counted(UNITS, 3))
    assert patches_at(nothing, sampled, 0, (0.5,), 3) == []
    assert histogram_of(nothing, 0) == {"silent": 0, "edges": [], "counts": []}


def test_exported_rows_survive_a_crash_after_the_checkpoint(tmp_path):
    F = made_maps()

    def append(file, begin, end):
        numbers = jnp.arange(begin, end, dtype=jnp.int32)
        file.append({"layer": strongest(jnp.asarray(F[begin:end]), numbers)}, end - begin)

    path = tmp_path / "maxima.rows"
    file = MaximaFile(path, {"layer": UNITS}, 0)
    append(file, 0, 10)  # of which the checkpoint holds eight
    file.flush()
    file = MaximaFile(path, {"layer": UNITS}, 8)
    append(file, 8, IMAGES)
    file.write_npz(tmp_path / "all.npz", "picture {}".format, lambda i: "even" if i % 2 == 0 else None)
    made = np.load(tmp_path / "all.npz")
    np.testing.assert_array_equal(made["layer"], F.max((1, 2)))
    assert made["images"].tolist() == [f"picture {i}" for i in range(IMAGES)]
    assert made["labels"].tolist() == ["even" if i % 2 == 0 else "" for i in range(IMAGES)]
    with pytest.raises(UserError, match="missing or incomplete"):
        MaximaFile(path, {"layer": UNITS}, IMAGES + 1)
    file.delete()
    assert not path.exists()
    with pytest.raises(UserError, match="missing or incomplete"):
        MaximaFile(path, {"layer": UNITS}, 1)
