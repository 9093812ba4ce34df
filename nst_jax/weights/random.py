"""Untrained weights: random orthogonal filters, which capture texture surprisingly well.

The orthogonal filters follow Saxe et al. 2013, the gain He et al. 2015. He, Wang & Hopcroft 2016 show that a
random network can represent style and content.
"""

import numpy as np

from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import PREPROCESSINGS, Weights, make_weights

RELU_GAIN = 2.0**0.5  # keeps the mean square of activations from layer to layer
SLIM_WIDTHS = (16, 32, 64, 128, 128)


def random_weights(arch: str, seed: int = 0) -> Weights:
    """All layers of `arch`: semi-orthogonal kernels times sqrt(2), zero biases, its usual preprocessing."""
    generator = np.random.Generator(np.random.PCG64(seed))
    arrays: dict[str, np.ndarray] = {}
    for name, shape in architecture(arch).kernel_shapes(SLIM_WIDTHS).items():
        arrays[f"{name}.kernel"] = RELU_GAIN * _semi_orthogonal(generator, shape)
        arrays[f"{name}.bias"] = np.zeros(shape[-1], np.float32)
    return make_weights("random", arch, arrays, PREPROCESSINGS[architecture(arch).preprocessing])


def _semi_orthogonal(generator: np.random.Generator, shape: tuple[int, int, int, int]) -> np.ndarray:
    """An HWIO kernel with orthonormal filters, or with orthonormal inputs if there are more filters."""
    fan_in, filters = int(np.prod(shape[:-1])), shape[-1]
    normal = generator.standard_normal((max(fan_in, filters), min(fan_in, filters)), np.float32)
    # The QR decomposition with a positive diagonal, which is unique and Haar distributed, by way of Cholesky:
    # several times faster than by Householder, and accurate because tall Gaussians are well conditioned.
    triangle = np.linalg.cholesky(normal.T @ normal)
    orthogonal = normal @ np.linalg.inv(triangle).T
    return (orthogonal if fan_in >= filters else orthogonal.T).reshape(shape)
