"""Projection of a unit's activation to pixels: Zeiler & Fergus 2013, section 2.1, and related methods.

All other activations of the layer are set to zero, and the remaining signal is passed backwards through the
network. This equals the gradient of the network except at the ReLU, where the three methods differ:

    gradient   passes the signal where the forward activation is positive (Simonyan et al. 2013)
    deconvnet  passes the signal where the signal itself is positive (Zeiler & Fergus 2013)
    guided     passes the signal where both are positive (Springenberg et al. 2014)

The gradient of a convolution is the paper's transposed filter; that of max pooling is its unpooling with
switches. If several values of a window are equal to its maximum, the first in row-major order has the switch.
Average pooling has no switches: its gradient gives each of the four inputs a quarter of the signal. Zero
padding, and rows and columns that pooling drops, receive nothing.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from nst_jax.errors import unknown
from nst_jax.networks import receptive
from nst_jax.networks.layers import Relu
from nst_jax.networks.network import Network

MID_GRAY = 0.5  # stands for 0
# Percentage of the nonzero values that a picture shows without clipping. Scaled to their maximum, a few
# outliers would leave everything else gray.
SHOWN_PERCENT = 99.5


def _relu(rule: Callable[[Array, Array], Array]) -> Relu:
    """Return a ReLU whose gradient passes the signal where `rule(output, signal)` holds."""

    # The three methods differ in this gradient alone.
    @jax.custom_vjp
    def relu(x: Array) -> Array:
        return jnp.maximum(x, 0)

    def forward(x: Array) -> tuple[Array, Array]:
        y = relu(x)
        return y, y

    def backward(y: Array, signal: Array) -> tuple[Array]:
        return (jnp.where(rule(y, signal), signal, 0),)

    relu.defvjp(forward, backward)
    return relu


RELUS: dict[str, Relu] = {
    "deconvnet": _relu(lambda y, signal: signal > 0),
    "gradient": _relu(lambda y, signal: y > 0),
    "guided": _relu(lambda y, signal: (y > 0) & (signal > 0)),
}
RULES = tuple(RELUS)


@partial(jax.jit, static_argnames=("layer", "rule"))
def project(
    network: Network,
    images: Float[Array, "b h w 3"],
    layer: str,
    at: Sequence[Int[Array, "b"]] | Int[Array, "3 b"],
    rule: str = "deconvnet",
) -> Float[Array, "b h w 3"]:
    """Project one unit of `layer` at one position per image down to pixels, with respect to [0,1] RGB.

    `at` are the units, rows and columns.

    The signal starts as the activation itself, so `gradient` returns the activation times its gradient, which
    is the gradient of half its square. Preprocessing is part of the network: the result is in RGB and
    includes its scale. Only pixels around the receptive field are computed; all others are 0.
    The positions must lie within the layer; JAX does not check this.
    """
    (unit, row, col), (height, width) = at, images.shape[1:3]
    down, across = (receptive.window(network.geometry, layer, side) for side in (height, width))
    y, inner_row = _cut(down, row, height)
    x, inner_col = _cut(across, col, width)
    patches = jax.vmap(lambda image, *at: lax.dynamic_slice(image, (*at, 0), (down.length, across.length, 3)))
    # Of each image its own unit, at its own place in the patch.
    selected = jnp.arange(images.shape[0]), inner_row, inner_col, unit
    patch = _pull_back(
        network,
        patches(images, y, x),
        layer,
        rule,
        lambda F: jnp.zeros_like(F).at[selected].set(F[selected]),
    )
    place = jax.vmap(
        lambda patch, *at: lax.dynamic_update_slice(jnp.zeros((height, width, 3)), patch, (*at, 0))
    )
    return place(patch, y, x)


@partial(jax.jit, static_argnames=("layer", "rule"))
def project_map(
    network: Network,
    images: Float[Array, "b h w 3"],
    layer: str,
    unit: Int[Array, "b"],
    rule: str = "deconvnet",
) -> Float[Array, "b h w 3"]:
    """Project the whole feature map of one `unit` per image, all positions together; see `project`."""

    def only_unit(F: Array) -> Array:
        return jnp.where(jnp.arange(F.shape[-1]) == unit[:, None, None, None], F, 0)

    return _pull_back(network, images, layer, rule, only_unit)


def to_picture(projection: Float[Any, "b h w 3"]) -> Float[np.ndarray, "b h w 3"]:
    """Convert each projection to a picture in [0,1]: 0 is mid-gray, its robust maximum black or white."""
    pictures = []
    for values in np.asarray(projection):
        magnitudes = np.abs(values[values != 0])
        scale = np.percentile(magnitudes, SHOWN_PERCENT) if magnitudes.size else 1
        pictures.append(np.clip(MID_GRAY + MID_GRAY * values / scale, 0, 1).astype(np.float32))
    return np.stack(pictures)


def _cut(window: receptive.Window, position: Array, side: int) -> tuple[Array, Array]:
    """Return the first pixel of the window for `position`, and the position relative to the window."""
    start = jnp.clip(window.stride * (position - window.lead), 0, side - window.length)
    return start, position - start // window.stride


def _pull_back(
    network: Network, images: Array, layer: str, rule: str, keep: Callable[[Array], Array]
) -> Array:
    """Run the backward pass from the activations that `keep` selects, with the ReLU that `rule` names."""
    if rule not in RELUS:
        raise unknown("rule", rule, RULES)
    activations, backward = jax.vjp(lambda x: network(x, (layer,), RELUS[rule])[layer], images)
    return backward(keep(activations))[0]
