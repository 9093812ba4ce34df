"""The picture itself, but for the content where no style applies, and gray if all pictures are gray.

Nothing in a loss would restore the content there: deep layers do not see its finest detail, and the receptive
fields of a style's positions reach far beyond its region.
"""

import dataclasses
from typing import Any

import jax
from jaxtyping import Float

from nst_jax.devices.split import ByRows
from nst_jax.variables.variable import Variable


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PixelBasis:
    """What pixels are shown over."""

    kept: ByRows | None = None  # a `Kept`
    gray: bool = dataclasses.field(default=False, metadata={"static": True})


def grayed(picture: Float[Any, "1 h w 3"]) -> Float[Any, "1 h w 3"]:
    """Return the mean of the channels in all three: networks hardly see some colours, which would drift."""
    return picture.mean(-1, keepdims=True).repeat(3, -1)


def _decode(basis: PixelBasis, pixels: Float[Any, "1 h w 3"]) -> Float[Any, "1 h w 3"]:
    picture = grayed(pixels) if basis.gray else pixels
    if basis.kept is None:
        return picture
    content, free = basis.kept.values
    return free * picture + (1 - free) * content


PIXELS = Variable(
    init=lambda canvas: PixelBasis(canvas.kept and ByRows(canvas.kept), canvas.gray),
    encode=lambda basis, picture: picture,
    decode=_decode,
    by_rows=True,
)
