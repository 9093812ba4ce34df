"""Objectives of pictures, without a job."""

from functools import partial

import jax

from nst_jax.config import Config
from nst_jax.losses import objective
from nst_jax.losses.features.choosing import chosen
from nst_jax.losses.features.request import Request, everywhere
from nst_jax.losses.terms.style_term import fitted_statistics
from nst_jax.losses.terms.term import Inputs, StyleTargets
from nst_jax.variables.pixels import PIXELS
from nst_jax.variables.variable import Canvas


def total(network, J, array):
    """J(G) alone, for gradients."""
    return objective.total_and_terms(network, J, array)[0]


def terms(network, J, array):
    return objective.total_and_terms(network, J, array)[1]


def losses_of(config):
    return tuple((layer, tuple(config.losses_at(layer))) for layer in config.active_style())


def make_objective(
    network,
    content,
    style,
    tile=0,
    guides=None,
    style_guides=None,
    shares=None,
    split=None,
    kept=None,
    **fields,
):
    """The objective of a config with `fields` for a content and a style picture; regions count alike."""
    config, evaluator = Config(**fields), chosen(tile, split)
    of_style = chosen(tile, split and split.of_height(style.shape[1]))
    guides = guides or everywhere(config.active_style())
    regions = next(iter(guides.values()), {})
    found = of_style.find(network, style, Request(statistics=losses_of(config)), style_guides or guides)
    size = content.shape[1:3]
    style_targets = StyleTargets(
        fitted_statistics(network, found.statistics, size),
        guides,
        dict.fromkeys(guides, shares or dict.fromkeys(regions, 1 / max(1, len(regions)))),
        jax.eval_shape(lambda x: network(x, tuple(config.active_style())), content),
    )
    features = partial(evaluator.find, network, content)
    inputs = Inputs(config, (config,), network, content, features, style_targets, size)
    basis = PIXELS.init(Canvas(size, kept))
    return evaluator.place(objective.make_objective(inputs, evaluator, PIXELS, basis))


def style_weights(layers, losses=("gram",), **fields):
    """The fields of a config whose terms are these style losses alone."""
    return {
        "content_weight": 0.0,
        "content_layers": {},
        "style_layers": dict(layers),
        "style_losses": dict.fromkeys(losses, 1.0),
        **fields,
    }
