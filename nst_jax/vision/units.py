"""Whether a network has the layers and units that a user asks for."""

from collections.abc import Iterable

from nst_jax.errors import UserError
from nst_jax.networks import VGG
from nst_jax.weights import Weights


def require_layers(field: str, layers: Iterable[str], network: VGG, weights: Weights) -> None:
    """Raise `UserError` about `field` unless the network reaches all `layers`."""
    if missing := [layer for layer in layers if layer not in network.layers]:
        choices = ", ".join(network.layers)
        raise UserError(f"{field}: {weights.name} ends before {missing[0]}; choices: {choices}")


def require_units(field: str, units: Iterable[int], layer: str, width: int) -> None:
    """Raise `UserError` about `field` unless all `units` are among the `width` of the layer."""
    for unit in units:
        if not 0 <= unit < width:
            raise UserError(f"{field}: {layer} has no unit {unit}; choices: 0 to {width - 1}")
