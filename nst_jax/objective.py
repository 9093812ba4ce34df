"""J(G): the whole objective of one picture, and its terms one by one."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax import losses, tiling
from nst_jax.config import OptimizerConfig
from nst_jax.networks import VGG
from nst_jax.optimize import Optimizer

CONTENT_LOSSES = {"sum": losses.content_loss, "mean": losses.mean_content_loss}


class LossWeights(NamedTuple):
    """alpha, beta, the weight of total variation, and each layer's own; arrays, so that they can be swept."""

    alpha: Array
    beta: Array
    tv: Array
    content: dict[str, Array]
    style: dict[str, Array]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Problem:
    """All that J(G) depends on besides the image: network, targets, weights."""

    network: VGG
    content: dict[str, Any]  # P, "1 h w n": the content's activations by layer
    style: dict[str, Any]  # A, "n n": the style's Gram matrices by layer
    weights: LossWeights
    content_loss: str = dataclasses.field(default="sum", metadata={"static": True})
    tile: int = dataclasses.field(default=0, metadata={"static": True})  # see nst_jax.tiling; 0 for none


def make_problem(
    network: VGG,
    content: Float[Array, "1 h w 3"],
    style: Float[Array, "1 _ _ 3"],
    weights: LossWeights,
    content_loss: str = "sum",
    tile: int = 0,
) -> Problem:
    """Compute the targets once: activations of the content, Gram matrices of the style."""
    P, _ = targets(network, content, tuple(weights.content), (), tile)
    _, A = targets(network, style, (), tuple(weights.style), tile)
    return Problem(network, P, A, weights, content_loss, tile)


def statistics(
    network: VGG, image: Float[Array, "1 h w 3"], content: Sequence[str], style: Sequence[str], tile: int = 0
) -> tuple[dict[str, Float[Array, "1 _ _ _"]], dict[str, Float[Array, "n n"]]]:
    """Activations of `image` at the layers `content`, Gram matrices at the layers `style`.

    With a `tile` they are the same, in less memory: see `nst_jax.tiling`.
    """
    if tile:
        return tiling.statistics(network, image, content, style, tile)
    F = network(image, tuple({*content, *style}))
    return {layer: F[layer] for layer in content}, {layer: losses.gram(F[layer]) for layer in style}


def terms(problem: Problem, image: Float[Array, "1 h w 3"]) -> dict[str, Float[Array, ""]]:
    """`total = alpha * content + beta * style + tv_weight * tv`, and what it is made of.

    `content/L` and `style/L` are the losses of layer L before their weights: `style` is the sum over
    layers of w_L times `style/L`. Gatys et al. 2015, equations 1, 4, 5 and 7.
    """
    weights = problem.weights
    F, G = statistics(problem.network, image, tuple(problem.content), tuple(problem.style), problem.tile)
    content_loss = CONTENT_LOSSES[problem.content_loss]
    content = {layer: content_loss(F[layer], P) for layer, P in problem.content.items()}
    style = {layer: losses.gram_loss(G[layer], A) for layer, A in problem.style.items()}
    parts = {
        "content": losses.weighted_sum(content, weights.content),
        "style": losses.weighted_sum(style, weights.style),
        "tv": losses.total_variation(image),
    }
    total = weights.alpha * parts["content"] + weights.beta * parts["style"] + weights.tv * parts["tv"]
    return {
        "total": total,
        **parts,
        **{f"content/{layer}": value for layer, value in content.items()},
        **{f"style/{layer}": value for layer, value in style.items()},
    }


def total(problem: Problem, image: Float[Array, "1 h w 3"]) -> Float[Array, ""]:
    """J(G), the scalar that is minimised."""
    return terms(problem, image)["total"]


def optimizer(settings: OptimizerConfig) -> Optimizer:
    """Minimises `total` as the config says."""
    return Optimizer(total, settings.name, settings.learning_rate, settings.memory, settings.bands)


targets = jax.jit(statistics, static_argnums=(2, 3, 4))


def loss_weights(
    alpha: float, beta: float, tv: float, content: dict[str, float], style: dict[str, float]
) -> LossWeights:
    """`LossWeights` as float32 scalars."""

    def scalars(weights: dict[str, float]) -> dict[str, Array]:
        return {layer: jnp.float32(weight) for layer, weight in weights.items()}

    return LossWeights(
        jnp.float32(alpha), jnp.float32(beta), jnp.float32(tv), scalars(content), scalars(style)
    )
