"""Ablation of the initial noise: what remains of it in the result.

    python -m nst_jax.sweep --config=configs/sweeps/noise.py
    python -m nst_jax.sweep --config=configs/sweeps/noise.py:quick

The papers start from "white noise". In the authors' code (leongatys/DeepTextures) this is Gaussian noise with
a standard deviation of 1/255 about the mean colour of the network's training images: almost a flat gray.
74/255 is the standard deviation of noise that is uniform in [0,1]. The finest noise lies where the gradient
of the losses is almost zero, so that no number of steps removes it. Expected: as smooth as from the content
at 1/255, a fine grain at 16/255, salt and pepper at 74/255. With `:quick`, the total variation of the results
is 2,207, 4,176 and 37,240; from the content it is 2,302.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common


def get_config(variant: str = "paper") -> ConfigDict:
    return common.base(variant, coarse_to_fine=False)  # coarse scales would blur the noise away


def sweep(add: Callable[..., None]) -> None:
    for level in (1, 16, 74):
        add(f"noise {level} of 255", noise=level / 255)
    add("content", init="content")
