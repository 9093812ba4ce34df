"""Batch normalisation, folded into the convolution that it follows (Ioffe & Szegedy 2015, section 3.1).

With fixed statistics it is an affine map of each channel, so its arrays can be multiplied into the kernel and
the bias. The arrays of the normalisation after a convolution `X` are called "X.norm.scale" and so on.
"""

from collections.abc import Mapping

import numpy as np

from nst_jax.errors import UserError

NORM = ".norm"
EPSILON = 1e-5  # added to the variance; PyTorch's default
PARTS = ("scale", "bias", "mean", "variance")


def fold_batch_norms(file: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fold every normalisation of `arrays` into its convolution; other arrays are unchanged.

    Raises:
        UserError: an array of a normalisation, or the kernel before it, is missing or has another shape.
    """
    owners = {name.rpartition(".")[0].removesuffix(NORM) for name in arrays if f"{NORM}." in name}
    result = {name: array for name, array in arrays.items() if f"{NORM}." not in name}
    for owner in sorted(owners):
        names = [f"{owner}.kernel", *(f"{owner}{NORM}.{part}" for part in PARTS)]
        if missing := [name for name in names if name not in arrays]:
            raise UserError(f"{file}: arrays missing: {', '.join(missing)}")
        kernel, *parts = (arrays[name].astype(np.float64) for name in names)
        width = kernel.shape[-1]
        for name, part in zip(names[1:], parts, strict=True):
            if part.shape != (width,):
                raise UserError(f"{file}: {name} is {part.shape}, not {(width,)}")
        scale, bias, mean, variance = parts
        factor = scale / np.sqrt(variance + EPSILON)
        before = result.get(f"{owner}.bias", np.zeros(width))
        result[f"{owner}.kernel"] = kernel * factor
        result[f"{owner}.bias"] = bias + (before - mean) * factor
    return result
