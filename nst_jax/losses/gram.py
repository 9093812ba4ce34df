"""The style loss of Gatys et al. 2015 (arXiv 1508.06576): squared differences of Gram matrices.

F is a layer's activation, "1 h w n": n filters at m = h * w positions.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

# Positions summed in one product. Float32 rounding errors grow with the length of a sum; partial sums of
# bounded length keep the Gram matrix of a 2048 px image within 1e-5 of float64.
POSITIONS_PER_SUM = 4096


def gram(
    F: Float[Array, "1 h w n"], positions: int | None = None, guide: Float[Array, "1 h w 1"] | None = None
) -> Float[Array, "n n"]:
    """Gram matrix of the filters, divided by the number of positions: F F^T / m.

    Gatys et al. 2015, equation 3; the division makes images of different sizes comparable. For a tile, pass
    the number of `positions` of the whole layer: the matrices of all tiles then sum to that of the whole.
    With a `guide` T it is the guided Gram matrix of T o F: Gatys et al. 2017, equation 3.
    """
    if guide is not None:
        F = guide * F
    return _products(F.reshape(-1, F.shape[-1])) * (1 / (positions or F.shape[1] * F.shape[2]))


def gram_distance(G: Float[Array, "n n"], A: Float[Array, "n n"]) -> Float[Array, ""]:
    """E = 1/(4 n^2) sum (G - A)^2: equation 4 of Gatys et al. 2015.

    Each Gram matrix is already divided by its own m: if the sizes agree, this is the paper's 1/(4 n^2 m^2).
    """
    return jnp.sum(jnp.square(G - A)) / (4 * A.shape[0] ** 2)


# G is symmetric, so its gradient is one product of rows with C + C^T.
@jax.custom_vjp
def _products(rows: Float[Array, "m n"]) -> Float[Array, "n n"]:
    """`rows`^T `rows`; the custom gradient takes one matrix product, the general rule two."""
    blocks = position_blocks(rows)
    # HIGHEST: accelerators round the operands to fewer bits by default.
    return jnp.einsum("bpi,bpj->bij", blocks, blocks, precision=lax.Precision.HIGHEST).sum(0)


def position_blocks(rows: Float[Array, "m n"]) -> Float[Array, "b p n"]:
    """Split the positions into blocks that are summed separately.

    The block size divides the number of positions if there is a large divisor, which avoids a padded copy.
    """
    positions, filters = rows.shape
    most = min(POSITIONS_PER_SUM, positions)
    size = next((size for size in range(most, most // 4, -1) if positions % size == 0), most)
    return jnp.pad(rows, ((0, -positions % size), (0, 0))).reshape(-1, size, filters)


def _products_gradient(rows: Array, cotangent: Array) -> tuple[Array]:
    # In blocks as well: otherwise XLA would compute `rows` twice, once for each shape that it is used in.
    both = jnp.matmul(position_blocks(rows), cotangent + cotangent.T, precision=lax.Precision.HIGHEST)
    return (both.reshape(-1, rows.shape[1])[: len(rows)],)


_products.defvjp(lambda rows: (_products(rows), rows), _products_gradient)
