"""Units that respond to the same images, against NumPy's correlations."""

import numpy as np

from nst_jax.vision.searching.distributions import NOT_SEEN
from nst_jax.vision.searching.similar_units import MOST_SIMILAR, similar_units

IMAGES, UNITS = 40, 12


def made_maxima() -> np.ndarray:
    """Maxima of a few common causes, of very different sizes, many of them 0."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(IMAGES, 4)) @ rng.normal(size=(4, UNITS)) + 0.3 * rng.normal(
        size=(IMAGES, UNITS)
    )
    return (np.maximum(mixed, 0) * np.geomspace(1e-3, 1e4, UNITS)).astype(np.float32)


def test_the_most_similar_units_are_those_of_the_highest_correlation():
    maxima = made_maxima()
    correlations = np.corrcoef(maxima.T)
    for unit, similar in enumerate(similar_units(maxima)):
        others = [other for other in np.argsort(-correlations[unit]) if other != unit]
        expected = [other for other in others if correlations[unit, other] > 0][:MOST_SIMILAR]
        assert [each.unit for each in similar] == expected
        np.testing.assert_allclose(
            [each.correlation for each in similar], correlations[unit, expected], atol=1e-5
        )


def test_a_duplicated_unit_finds_its_twin_whatever_its_scale():
    maxima = made_maxima()
    maxima[:, 9] = 100 * maxima[:, 2]
    for unit, twin in ((2, 9), (9, 2)):
        nearest = similar_units(maxima)[unit][0]
        assert nearest.unit == twin
        np.testing.assert_allclose(nearest.correlation, 1, atol=1e-6)


def test_images_that_were_not_read_do_not_count():
    maxima = made_maxima()
    with_gaps = np.insert(maxima, [3, 20, IMAGES], NOT_SEEN, axis=0)
    assert similar_units(with_gaps) == similar_units(maxima)


def test_constant_units_and_too_few_images_resemble_nothing():
    maxima = made_maxima()
    maxima[:, 5] = 1234.567
    maxima[:, 6] = 0
    similar = similar_units(maxima)
    assert similar[5] == similar[6] == []
    assert not {5, 6} & {each.unit for unit in similar for each in unit}
    assert similar_units(maxima[:2]) == [[]] * UNITS
