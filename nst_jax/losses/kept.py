"""What an optimised image shows: the content where no style applies, and gray if all pictures are gray.

Nothing in a loss would restore the content there: deep layers do not see its finest detail, and the receptive
fields of a style's positions reach far beyond its region.
"""

from typing import Any, NamedTuple

from jaxtyping import Float


class Kept(NamedTuple):
    """The content, and the share of each pixel that is free to change."""

    content: Float[Any, "*lanes 1 h w 3"]
    free: Float[Any, "*lanes 1 h w 1"]


def shown(image: Float[Any, "1 h w 3"], kept: Kept | None, gray: bool) -> Float[Any, "1 h w 3"]:
    """Return the picture that the variable `image` of an optimisation stands for, pixel by pixel.

    With `gray`, it has the mean of the channels in all three: networks hardly see some colours, which would
    drift.
    """
    if gray:
        image = image.mean(-1, keepdims=True).repeat(3, -1)
    return image if kept is None else kept.free * image + (1 - kept.free) * kept.content
