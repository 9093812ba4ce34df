"""Activations that do not fit into memory are refused before they are computed."""

import pytest

from nst_jax.errors import UserError
from nst_jax.networks.convnet import ConvNet
from nst_jax.vision import activations
from nst_jax.vision.activations import require_activations
from tests.conftest import formula_weights

PIXEL = 4 * 64 * 64  # bytes of a feature map of 64 x 64 float32


@pytest.fixture(scope="module")
def network():
    """Two layers of 8 maps at full size, then 16 at half of it."""
    return ConvNet(formula_weights((8, 16, 8, 8, 8)), "max")


@pytest.mark.parametrize(
    ("layer", "gradient", "needed"),
    [("conv1_1", False, 8), ("conv2_1", False, 8), ("conv2_1", True, 8 + 8 + 2 + 4)],
    ids=["one layer", "the largest", "all of them for a gradient"],
)
def test_what_fits_exactly_passes(network, monkeypatch, layer, gradient, needed):
    bytes_ = 3 * PIXEL * needed
    monkeypatch.setattr(activations, "free_memory_bytes", lambda: bytes_)
    require_activations(network, ("conv1_1", layer), 64, 3, gradient)
    monkeypatch.setattr(activations, "free_memory_bytes", lambda: bytes_ - 1)
    with pytest.raises(UserError, match=r"size: 3 x 64 px need at least .* use a smaller size, or fewer"):
        require_activations(network, ("conv1_1", layer), 64, 3, gradient)
