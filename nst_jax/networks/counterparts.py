"""Layers of different networks that see about as much of the picture."""

import math

from nst_jax.errors import UserError, unknown
from nst_jax.networks import receptive
from nst_jax.networks.architectures import ARCHITECTURES, architecture


def counterpart(layer: str, of: str, among: str) -> str:
    """The layer of the architecture `among` whose receptive field is closest to that of `layer` of `of`."""
    side = math.log(receptive.field_side(architecture(of).layers, layer))
    layers = architecture(among).layers
    return min(
        architecture(among).names, key=lambda name: abs(math.log(receptive.field_side(layers, name)) - side)
    )


def require_layer(field: str, layer: str, arch: str) -> None:
    """Raise `UserError` about `field` unless `arch` has `layer`.

    For a layer of another architecture, the message names the one that would do.
    """
    names = architecture(arch).names
    if layer in names:
        return
    for other in ARCHITECTURES:
        if layer in architecture(other).names:
            match = counterpart(layer, other, arch)
            raise UserError(
                f"{field}: unknown {layer!r}; choices: {', '.join(names)}; {match} of {arch} sees about "
                f"as much as {layer} of {other}"
            )
    raise unknown(field, layer, names)
