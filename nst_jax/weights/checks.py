"""The strict check: every array of a file is one the network has, of its shape, and finite."""

from collections.abc import Mapping, Sequence

import numpy as np

from nst_jax.errors import UserError
from nst_jax.networks.architectures import ARCHITECTURES, INPUT_CHANNELS, architecture
from nst_jax.networks.trained import Weights
from nst_jax.weights.naming import shortened


def checked(file: str, arch: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`arrays` as float32, each shape and value verified.

    Layers may be lacking: `require` sees to those that a run needs.

    Raises:
        UserError: a kernel without its bias or the reverse, a wrong shape or dtype, NaN, infinity.
    """
    present = _present(arch, arrays)
    if other := _whole_other(arch, present):
        raise UserError(f"{file}: looks like {other}, not {arch}")
    pairs = [f"{layer}.{part}" for layer in present for part in ("kernel", "bias")]
    missing = [name for name in pairs if name not in arrays]
    if missing:
        raise UserError(f"{file}: arrays missing: {shortened(missing)}")
    faults = [
        f"{name} is {arrays[name].shape}, not {shape}"
        for name, shape in _expected_shapes(arch, arrays).items()
        if arrays[name].shape != shape
    ]
    if faults:
        raise UserError(f"{file}: wrong shapes for {arch}: {shortened(faults, 3)}")
    return {name: finite_float32(file, name, array) for name, array in arrays.items()}


def require(weights: Weights, needed: Sequence[str]) -> Weights:
    """`weights`, if they hold every convolution up to the last of the `needed` layers.

    Raises:
        UserError: they do not, or a layer is not the network's.
    """
    whole = architecture(weights.arch)
    unknown = [layer for layer in needed if layer not in whole.names]
    if unknown:
        raise UserError(
            f"{weights.arch} has no layer {shortened(unknown)}; choose from {', '.join(whole.names)}"
        )
    last = max(needed, key=whole.names.index, default=whole.names[0])
    held = weights.layers()
    lacking = [layer for layer in whole.weighted_up_to(last) if layer not in held]
    if lacking:
        raise UserError(
            f"network.weights: {weights.name} lacks {shortened(lacking)}, which a run up to {last}"
            f" needs; it holds {', '.join(held)}"
        )
    return weights


def finite_float32(file: str, name: str, array: np.ndarray) -> np.ndarray:
    """A copy of `array` in float32 and C order.

    Raises:
        UserError: it is not of floating point, or holds NaN or infinity.
    """
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise UserError(f"{file}: {name} is {array.dtype}, not a floating-point array")
    with np.errstate(over="ignore"):  # what overflows float32 is refused below
        # A copy, even of float32: readers hand out views of the mapped file.
        converted = np.array(array, np.float32, order="C")
    if not np.isfinite(converted).all():
        raise UserError(f"{file}: {name} holds NaN or infinity")
    return converted


def _present(arch: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """The layers of which there is a kernel or a bias, in network order."""
    found = {name.split(".")[0] for name in arrays}
    return [layer for layer in architecture(arch).weighted if layer in found]


def _whole_other(arch: str, present: list[str]) -> str | None:
    """The network whose layers these are, all of them, where `arch` has more."""
    for other in ARCHITECTURES.values():
        if present == list(other.weighted) != list(architecture(arch).weighted):
            return other.name
    return None


def _expected_shapes(arch: str, arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of all that is held; widths that `arch` leaves open are the biases' lengths."""
    shapes: dict[str, tuple[int, ...]] = {}
    before = INPUT_CHANNELS
    for layer in architecture(arch).layers:
        if not layer.weighted or not (layer.channels or f"{layer.name}.bias" in arrays):
            continue
        width = layer.channels or arrays[f"{layer.name}.bias"].size
        if f"{layer.name}.kernel" in arrays:
            shapes[f"{layer.name}.kernel"] = (layer.kernel, layer.kernel, before, width)
            shapes[f"{layer.name}.bias"] = (width,)
        before = width
    return shapes
