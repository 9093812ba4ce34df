"""The distribution of each unit's maximum over the images: a histogram of all images, and a sample of them.

The strongest patches alone mislead about what a unit responds to (Bolukbasi et al. 2021, arXiv 2104.07143),
so the pass also counts the maximum of every image in a histogram, and keeps value and position for a sample
of the images, from which patches at quantiles are taken. Both merge exactly: the bins are fixed, and the
sample is drawn before the pass.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float64, Int

from nst_jax.images.streams import Batch
from nst_jax.optimizers import compiler
from nst_jax.vision.searching.top_patches import NO_IMAGE, Strongest

# A bin is a quarter of an octave, cut at 1, 1.25, 1.5 and 1.75 times a power of two. Its number is then the
# exponent and the first two bits of the significand of a float32, so there is no rounding at the edges. Bin 0
# counts what is not above 0. The first and the last bin also count what is outside the range.
LOWEST, HIGHEST = -32, 32  # powers of two
_PER_OCTAVE, _SIGNIFICAND_BITS, _EXPONENT_BIAS = 4, 23, 127
BINS = 1 + _PER_OCTAVE * (HIGHEST - LOWEST)
NOT_SEEN = -np.inf  # activation of a sampled image that has not been read


class Maxima(NamedTuple):
    """The maxima of all units of a layer."""

    counts: Int[Array, "units bins"]  # images by bin
    # Of the sampled images, in the order of the stream; `activation` is NOT_SEEN for those not read (yet).
    activation: Float[Array, "sampled units"]
    row: Int[Array, "sampled units"]
    column: Int[Array, "sampled units"]


def nothing_counted(units: int, sampled: int) -> Maxima:
    """Return the distribution before the first image."""
    place = np.zeros((sampled, units), np.int16)
    activation = np.full((sampled, units), NOT_SEEN, np.float32)
    # Arrays of NumPy are copied to the device one by one, so the program can donate each of them.
    counts = np.zeros((units, BINS), np.int32)
    return Maxima(*map(jnp.array, (counts, activation, place, place)))


# Donated: the histograms of all units of all layers are updated in place.
@compiler.jit_at_first_call(donate_argnums=0)
def tally(
    distributions: Mapping[str, Maxima],
    found: Mapping[str, Strongest],
    slots: Int[Array, "b"],
) -> dict[str, Maxima]:
    """Add the maxima "units b" of a batch; images at `slots` beyond the sample are only counted.

    `distributions` is donated.
    """
    return {layer: _added(distributions[layer], found[layer], slots) for layer in found}


def _added(distribution: Maxima, found: Strongest, slots: Int[Array, "b"]) -> Maxima:
    bins = jnp.where(found.image == NO_IMAGE, BINS, bin_numbers(found.activation))
    units = jnp.arange(len(bins))[:, None]
    sample = (
        old.at[slots].set(new.T.astype(old.dtype), mode="drop")
        for old, new in zip(distribution[1:], (found.activation, found.row, found.column), strict=True)
    )
    return Maxima(distribution.counts.at[units, bins].add(1, mode="drop"), *sample)


def bin_numbers(values: Float[Array, "*shape"]) -> Int[Array, "*shape"]:
    """Return the bin of each value."""
    bits = lax.bitcast_convert_type(values, jnp.int32)
    quarters = (bits >> (_SIGNIFICAND_BITS - 2)) - _PER_OCTAVE * (_EXPONENT_BIAS + LOWEST)
    return jnp.where(values > 0, jnp.clip(quarters + 1, 1, BINS - 1), 0)


def bin_edges() -> Float64[np.ndarray, "bins"]:
    """Return the lower edges of all bins but bin 0, and the upper edge of the last one."""
    octaves, quarters = np.divmod(np.arange(BINS), _PER_OCTAVE)
    return np.ldexp(1 + quarters / _PER_OCTAVE, octaves + LOWEST)


def sampled_images(images: int, sample: int, seed: int) -> Int[np.ndarray, "sampled"]:
    """Draw `sample` of `images` indices without replacement, or all if there are fewer; ascending."""
    if sample >= images:
        return np.arange(images)
    return np.sort(np.random.default_rng(seed).choice(images, sample, replace=False))


def slots_of(batch: Batch, sampled: Int[np.ndarray, "sampled"]) -> Int[Array, "b"]:
    """Return the place of each row of `batch` in the sample; `len(sampled)` for rows that are not in it."""
    slots = np.full(len(batch.pixels), len(sampled), np.int32)
    for row, frame in enumerate(batch.frames):
        place = np.searchsorted(sampled, frame.index)
        if place < len(sampled) and sampled[place] == frame.index:
            slots[row] = place
    return jnp.asarray(slots)


def join_distributions(parts: Sequence[Maxima]) -> Maxima:
    """Merge the distributions over consecutive ranges of the stream; equal to that of one pass over them all.

    The sample of the whole is the concatenation of the samples.
    """
    counts, *samples = zip(*parts, strict=True)
    whole = [np.concatenate(sample) for sample in samples]
    return Maxima(*map(jnp.asarray, (np.sum(counts, axis=0, dtype=np.int32), *whole)))
