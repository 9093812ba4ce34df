"""The terms of Gatys et al. 2015 (arXiv 1508.06576): pure functions of activations and images.

F is a layer's activation, "1 h w n": n filters at m = h * w positions.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

# Positions summed in one product. Rounding errors of float32 grow with the length of a sum; sums of
# a bounded length, themselves summed pairwise, keep a 2048 px Gram within 1e-5 of float64.
POSITIONS_PER_SUM = 4096


def gram(F: Float[Array, "1 h w n"]) -> Float[Array, "n n"]:
    """Gram matrix of the filters, divided by the number of positions: F F^T / m.

    Gatys et al. 2015, equation 3; the division lets pictures of different sizes be compared.
    """
    return _products(F.reshape(-1, F.shape[-1])) * (F.shape[-1] / F.size)


@jax.custom_vjp
def _products(rows: Float[Array, "m n"]) -> Float[Array, "n n"]:
    """`rows`^T `rows`. Its own gradient takes one product where the general rule takes two."""
    blocks = _blocks(rows)
    # HIGHEST: accelerators would otherwise round the factors to fewer bits.
    return jnp.einsum("bpi,bpj->bij", blocks, blocks, precision=lax.Precision.HIGHEST).sum(0)


def _blocks(rows: Float[Array, "m n"]) -> Float[Array, "b p n"]:
    """Positions summed together: a divisor of all where there is a large one, to spare a padded copy."""
    positions, filters = rows.shape
    most = min(POSITIONS_PER_SUM, positions)
    size = next((size for size in range(most, most // 4, -1) if positions % size == 0), most)
    return jnp.pad(rows, ((0, -positions % size), (0, 0))).reshape(-1, size, filters)


def _products_gradient(rows: Array, cotangent: Array) -> tuple[Array]:
    # Blocks here too: XLA would compute what `rows` are made of once for each shape that they are used in.
    both = jnp.matmul(_blocks(rows), cotangent + cotangent.T, precision=lax.Precision.HIGHEST)
    return (both.reshape(-1, rows.shape[1])[: len(rows)],)


_products.defvjp(lambda rows: (_products(rows), rows), _products_gradient)


def content_loss(F: Float[Array, "1 h w n"], P: Float[Array, "1 h w n"]) -> Float[Array, ""]:
    """Half the sum of squared differences of activations: equation 1 of Gatys et al. 2015."""
    return 0.5 * jnp.sum(jnp.square(F - P))


def mean_content_loss(F: Float[Array, "1 h w n"], P: Float[Array, "1 h w n"]) -> Float[Array, ""]:
    """The mean of squared differences, as in the authors' released code: 2 / (n m) of `content_loss`."""
    return jnp.mean(jnp.square(F - P))


def style_loss(F: Float[Array, "1 h w n"], A: Float[Array, "n n"]) -> Float[Array, ""]:
    """E = 1/(4 n^2) sum (G - A)^2, with `A` the `gram` of the style: equation 4 of Gatys et al. 2015.

    Each Gram is divided by its own number of positions: the paper's 1/(4 n^2 m^2) when the sizes agree.
    """
    return gram_loss(gram(F), A)


def gram_loss(G: Float[Array, "n n"], A: Float[Array, "n n"]) -> Float[Array, ""]:
    """`style_loss` of a picture whose `gram` is `G`."""
    return jnp.sum(jnp.square(G - A)) / (4 * A.shape[0] ** 2)


def total_variation(image: Float[Array, "1 h w c"]) -> Float[Array, ""]:
    """Sum of squared differences between neighbouring pixels, in [0,1] units.

    Mahendran & Vedaldi 2015, section 3, with beta = 2; not in Gatys et al.
    """
    rows = jnp.diff(image, axis=1)
    columns = jnp.diff(image, axis=2)
    return jnp.sum(jnp.square(rows)) + jnp.sum(jnp.square(columns))


def weighted_sum(terms: Mapping[str, Array], weights: Mapping[str, Array]) -> Array:
    """The sum over layers of weight times term; 0 without layers."""
    return sum((weights[layer] * term for layer, term in terms.items()), start=jnp.zeros(()))
