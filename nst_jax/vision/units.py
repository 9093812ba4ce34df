"""Validation of unit numbers."""

from collections.abc import Iterable

from nst_jax.errors import UserError


def require_units(field: str, units: Iterable[int], layer: str, width: int) -> None:
    """Raise `UserError` about `field` unless all `units` are among the `width` units of `layer`."""
    for unit in units:
        if not 0 <= unit < width:
            raise UserError(f"{field}: {layer} has no unit {unit}; choices: 0 to {width - 1}")
