"""The temporal loss of a frame: its distance to what earlier frames, warped along the flow, say it should be.

Ruder, Dosovitskiy & Brox 2016, "Artistic style transfer for videos" (arXiv 1604.08610), equation 7; on the
scale of pixels in [0, 1].
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax import images
from nst_jax.devices.split import ByRows
from nst_jax.errors import UserError
from nst_jax.losses.terms.term import Inputs, Seen, Term

CARRIED, WEIGHT = "carried", "carried_weight"  # among a job's `extra` pictures, each "1 h w 3"


def _prepare(inputs: Inputs) -> dict[str, ByRows]:
    height, width = inputs.size
    if CARRIED not in inputs.extra:
        raise UserError("terms.temporal: a single picture follows from no other; use python -m nst_jax.video")
    picture, weight = (images.resize(inputs.extra[name], height, width) for name in (CARRIED, WEIGHT))
    # A mean over the picture is a sum of shares, so that strips and tiles add up.
    return {
        "picture": ByRows(jnp.asarray(picture)),
        "weight": ByRows(jnp.asarray(weight / (3 * height * width))),
    }


def _measure(seen: Seen, target: dict[str, ByRows]) -> Float[Array, ""]:
    return jnp.sum(target["weight"].values * jnp.square(seen.pixels - target["picture"].values))


TEMPORAL = Term(prepare=_prepare, measure=_measure, additive=True)
