"""Hypercolumn matching: the picture's columns are drawn to those of the style that replace the content's.

Kolkin et al. 2022 (arXiv 2203.13215), sections 3.2 and 4.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax.networks.network import Network
from nst_jax.nnst.hypercolumns import Columns, divided, hypercolumns, joined
from nst_jax.nnst.neighbors import improved, nothing_found
from nst_jax.variables.pyramid import finest_detail

SMALLEST, LARGEST = 1e-8, 1e8  # of squared lengths


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Matching:
    """What hypercolumn matching depends on besides the picture and the network."""

    target: dict[str, Any]  # the columns to match, `Columns`
    basis: Any  # of the variable


def matching_and_terms(
    network: Network, matching: Matching, image: Float[Array, "1 h w 3"]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Return the mean over positions of 1 - cos(H, T), not centred, as the form that optimisers minimise."""
    found = hypercolumns(network, image, tuple(matching.target))
    loss = 1 - jnp.mean(cosines(found, matching.target))
    return loss, {"total": loss, "matching": loss}


def cosines(found: Columns, target: Columns) -> Float[Array, "m"]:
    """Return the cosine of each position's columns."""

    def products(a: Columns, b: Columns) -> Array:
        return sum((jnp.sum(a[layer] * b[layer], axis=1) for layer in a), start=jnp.zeros(()))

    lengths = [jnp.clip(products(columns, columns), SMALLEST, LARGEST) for columns in (found, target)]
    return products(found, target) / jnp.sqrt(lengths[0] * lengths[1])


def blended(
    content: Float[np.ndarray, "1 h w 3"], start: Float[np.ndarray, "1 h w 3"], alpha: float
) -> Float[Array, "1 h w 3"]:
    """Return the picture whose columns are replaced: `alpha` of the content, the rest of the coarser result.

    `start` is that result, enlarged; it gets the content's finest detail.
    """
    return jnp.asarray(alpha * content + (1 - alpha) * (start + _finest_detail(content)))


def replaced(
    network: Network,
    image: Float[Array, "1 h w 3"],
    styles: Sequence[Float[np.ndarray, "1 _ _ 3"]],
    layers: Sequence[str],
) -> Columns:
    """Return the columns of `image`, each replaced by the nearest one of the `styles`.

    Memory does not grow with the number of styles: their columns are computed twice, for the mean and for the
    search.
    """

    def columns(picture: Float[np.ndarray, "1 _ _ 3"] | Array) -> Columns:
        return _columns(network, jnp.asarray(picture), tuple(layers))

    wanted = columns(image)
    rows = _centered(wanted)
    # The mean of all styles has to be known before the first search.
    sums = [_sum(columns(style)) for style in styles]
    count = sum(number for _, number in sums)
    mean = sum((total for total, _ in sums), start=jnp.zeros(())) / count
    found = nothing_found(rows)
    for style in styles:
        found = _improved(found, rows, joined(columns(style)), mean)
    return divided(found.columns, wanted)


@jax.jit
def _centered(columns: Columns) -> Float[Array, "m n"]:
    rows = joined(columns)
    return rows - jnp.mean(rows, axis=0)


def _sum(columns: Columns) -> tuple[Float[Array, "n"], int]:
    rows = joined(columns)
    return jnp.sum(rows, axis=0), len(rows)


_finest_detail: Callable[..., Array] = jax.jit(finest_detail)
# One program for the content and all styles of a size.
_columns: Callable[..., Columns] = jax.jit(hypercolumns, static_argnums=2)
# The best match so far is replaced, and is as large as all columns of the picture.
_improved = jax.jit(improved, donate_argnums=0)
