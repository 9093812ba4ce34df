"""Strict checks: every array of a file belongs to the network, has the right shape and is finite."""

from collections.abc import Mapping, Sequence

import numpy as np

from nst_jax.errors import UserError
from nst_jax.networks.architectures import ARCHITECTURES, INPUT_CHANNELS, architecture
from nst_jax.networks.trained import Preprocessing, Weights
from nst_jax.weights.naming import shortened


def checked(file: str, arch: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Check the shape and the values of each array, and convert it to float32.

    Layers may be missing: `require` checks for those that a run needs.

    Raises:
        UserError: a kernel without its bias or vice versa, a wrong shape or dtype, NaN or infinity.
    """
    stored = {name.rpartition(".")[0] for name in arrays}
    present = [name for name in architecture(arch).filters if name in stored]
    if other := _other_arch(arch, present, arrays):
        raise UserError(f"{file}: looks like {other}, not {arch}")
    pairs = [f"{name}.{part}" for name in present for part in ("kernel", "bias")]
    missing = [name for name in pairs if name not in arrays]
    if missing:
        raise UserError(f"{file}: arrays missing: {shortened(missing)}")
    if faults := _wrong_shapes(arch, arrays):
        raise UserError(f"{file}: wrong shapes for {arch}: {shortened(faults, 3)}")
    return {name: finite_float32(file, name, array) for name, array in arrays.items()}


def require(weights: Weights, needed: Sequence[str]) -> Weights:
    """Return `weights` if they include every convolution up to the last of the `needed` layers.

    Raises:
        UserError: they do not, or the network has no such layer.
    """
    whole = architecture(weights.arch)
    unknown = [layer for layer in needed if layer not in whole.names]
    if unknown:
        raise UserError(
            f"{weights.arch} has no layer {shortened(unknown)}; choose from {', '.join(whole.names)}"
        )
    # A run computes all layers before its last one, so their weights are needed too.
    last = max(needed, key=whole.names.index, default=whole.names[0])
    present = weights.layers()
    missing = [layer for layer in whole.weighted_up_to(last) if layer not in present]
    if missing:
        raise UserError(
            f"network.weights: {weights.name} lacks {shortened(missing)}, required for {last}; it has"
            f" {', '.join(present)}"
        )
    return weights


def require_sound(file: str, preprocessing: Preprocessing) -> Preprocessing:
    """Return `preprocessing` if float32 can compute it.

    Raises:
        UserError: a scale or standard deviation is not above 0, or a number is not finite.
    """
    with np.errstate(over="ignore"):  # overflow gives infinity
        factors = np.array([preprocessing.scale, *preprocessing.std], np.float32)
        mean = np.array(preprocessing.mean, np.float32)
    if not (np.isfinite(factors).all() and (factors > 0).all() and np.isfinite(mean).all()):
        raise UserError(
            f"{file}: its preprocessing is invalid: scale {preprocessing.scale}, mean {preprocessing.mean}, "
            f"std {preprocessing.std}"
        )
    return preprocessing


def finite_float32(file: str, name: str, array: np.ndarray) -> np.ndarray:
    """A copy of `array` in float32 and C order.

    Raises:
        UserError: the array is empty, not floating-point, or contains NaN or infinity.
    """
    if not array.size:
        raise UserError(f"{file}: {name} is empty: its shape is {array.shape}")
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise UserError(f"{file}: {name} is {array.dtype}, not a floating-point array")
    with np.errstate(over="ignore"):  # overflow gives infinity, which is rejected below
        # Copy even float32 arrays: readers return views of the memory-mapped file.
        converted = np.array(array, np.float32, order="C")
    if not np.isfinite(converted).all():
        raise UserError(f"{file}: {name} contains NaN or infinity")
    return converted


def _other_arch(arch: str, present: list[str], arrays: Mapping[str, np.ndarray]) -> str | None:
    """Another architecture with exactly the convolutions `present`, and with their shapes if `arch` has the
    same ones; None if `arrays` fit `arch`."""
    ours = list(architecture(arch).filters)
    if present == ours and not _wrong_shapes(arch, arrays):
        return None
    for other in ARCHITECTURES:
        same_names = present == list(architecture(other).filters) and other != arch
        if same_names and (present != ours or not _wrong_shapes(other, arrays)):
            return other
    return None


def _wrong_shapes(arch: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    return [
        f"{name} is {arrays[name].shape}, not {shape}"
        for name, shape in _expected_shapes(arch, arrays).items()
        if name in arrays and arrays[name].shape != shape
    ]


def _expected_shapes(arch: str, arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Array name -> expected shape; widths that `arch` does not fix are the lengths of the biases."""
    shapes: dict[str, tuple[int, ...]] = {}
    before = INPUT_CHANNELS
    for layer in architecture(arch).layers:
        for filters in layer.convolutions():
            width = None if layer.classes else filters.channels
            if width is None and f"{filters.name}.bias" not in arrays:
                continue
            width = width or arrays[f"{filters.name}.bias"].size
            kernel = (filters.kernel, filters.kernel, filters.inputs or before, width)
            shapes |= {f"{filters.name}.kernel": kernel, f"{filters.name}.bias": (width,)}
            if not layer.channels:
                before = width
        before = layer.channels or before
    return shapes
