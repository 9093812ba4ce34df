"""The style loss of Gatys et al. 2015 (arXiv 1508.06576): squared differences of Gram matrices.

F is a layer's activation, "1 h w n": n filters at m = h * w positions.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

# Positions summed in one product. Rounding errors of float32 grow with the length of a sum; sums of
# bounded length, themselves summed pairwise, keep a 2048 px Gram within 1e-5 of float64.
POSITIONS_PER_SUM = 4096


def gram(F: Float[Array, "1 h w n"], positions: int | None = None) -> Float[Array, "n n"]:
    """Gram matrix of the filters, divided by the number of positions: F F^T / m.

    Gatys et al. 2015, equation 3; the division makes pictures of different sizes comparable. For a part of
    a layer `positions` counts those of the whole, so that the parts' matrices add up to the whole's.
    """
    return _products(F.reshape(-1, F.shape[-1])) * (1 / (positions or F.shape[1] * F.shape[2]))


def gram_distance(G: Float[Array, "n n"], A: Float[Array, "n n"]) -> Float[Array, ""]:
    """E = 1/(4 n^2) sum (G - A)^2: equation 4 of Gatys et al. 2015.

    Each Gram is divided by its own number of positions: the paper's 1/(4 n^2 m^2) if the sizes agree.
    """
    return jnp.sum(jnp.square(G - A)) / (4 * A.shape[0] ** 2)


@jax.custom_vjp
def _products(rows: Float[Array, "m n"]) -> Float[Array, "n n"]:
    """`rows`^T `rows`. Its own gradient takes one product where the general rule takes two."""
    blocks = _blocks(rows)
    # HIGHEST: accelerators would otherwise round the factors to fewer bits.
    return jnp.einsum("bpi,bpj->bij", blocks, blocks, precision=lax.Precision.HIGHEST).sum(0)


def _blocks(rows: Float[Array, "m n"]) -> Float[Array, "b p n"]:
    """The positions in blocks to be summed together.

    The block size divides the number of positions if a large divisor exists, which spares a padded copy.
    """
    positions, filters = rows.shape
    most = min(POSITIONS_PER_SUM, positions)
    size = next((size for size in range(most, most // 4, -1) if positions % size == 0), most)
    return jnp.pad(rows, ((0, -positions % size), (0, 0))).reshape(-1, size, filters)


def _products_gradient(rows: Array, cotangent: Array) -> tuple[Array]:
    # Blocks here too: XLA would compute what `rows` are made of once for each shape that they are used in.
    both = jnp.matmul(_blocks(rows), cotangent + cotangent.T, precision=lax.Precision.HIGHEST)
    return (both.reshape(-1, rows.shape[1])[: len(rows)],)


_products.defvjp(lambda rows: (_products(rows), rows), _products_gradient)
