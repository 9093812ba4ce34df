"""Objectives of pictures, without a job."""

import jax

from nst_jax.config import Config
from nst_jax.losses import objective
from nst_jax.losses.features.request import Request, everywhere
from nst_jax.losses.terms.style_term import fitted
from nst_jax.losses.terms.term import Inputs, StyleTargets


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
    style_split=None,
    kept=None,
    **fields,
):
    """The objective of a config with `fields` for a content and a style picture; regions count alike."""
    config = Config(**fields)
    guides = guides or everywhere(config.active_style())
    regions = next(iter(guides.values()), {})
    shares = shares or dict.fromkeys(regions, 1 / max(1, len(regions)))
    find = objective.jitted_features
    request = Request(statistics=losses_of(config))
    found = find(network, style, request, style_guides or guides, tile, style_split).statistics
    size = (split.height if split else content.shape[1], content.shape[2])
    inputs = Inputs(
        config,
        (config,),
        network,
        content,
        lambda request: find(network, content, request, {}, tile, split),
        StyleTargets(
            fitted(network, found, size),
            guides,
            dict.fromkeys(guides, shares),
            jax.eval_shape(lambda x: network(x, tuple(config.active_style())), content),
        ),
        size,
        split,
    )
    return objective.make_objective(inputs, tile, kept=kept)


def style_weights(layers, losses=("gram",), **fields):
    """The fields of a config whose terms are these style losses alone."""
    return {
        "content_weight": 0.0,
        "content_layers": {},
        "style_layers": dict(layers),
        "style_losses": dict.fromkeys(losses, 1.0),
        **fields,
    }
