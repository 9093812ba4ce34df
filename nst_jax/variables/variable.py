"""The interface of a variable: a record of pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float


class Kept(NamedTuple):
    """The content, and the share of each pixel that is free to change."""

    content: Float[Any, "*lanes 1 h w 3"]
    free: Float[Any, "*lanes 1 h w 1"]


class Canvas(NamedTuple):
    """What is known of a picture before it is painted."""

    size: tuple[int, int]  # height and width
    kept: Kept | None = None  # of the content; None if all pixels are free
    gray: bool = False


class Variable(NamedTuple):
    """An array of three colours that is optimised in place of a picture, and how the two are converted.

    `init(canvas)` makes the basis: a pytree of arrays that the conversion depends on. In one program, those
    of all runs have the same structure and shapes. `decode(basis, array)` is the picture that an array stands
    for, and is differentiable; losses and users see nothing else of it. `encode(basis, picture)` is an array
    that stands for a picture, as far as the variable can express it.

    With `by_rows`, the array has the shape of the picture, each of its rows is decoded alone, and zeros give
    zeros. Only such a variable can be divided among devices.
    """

    init: Callable[[Canvas], Any]
    encode: Callable[[Any, Any], Array]
    decode: Callable[[Any, Any], Array]
    by_rows: bool = False


def on_pictures(
    variable: Variable, loss: Callable[[Any, Any, Array], Any]
) -> Callable[[Any, Any, Array], Any]:
    """Return `loss(shared, data, picture)` as a function of the variable's array, with `data.basis`."""
    return lambda shared, data, array: loss(shared, data, variable.decode(data.basis, array))
