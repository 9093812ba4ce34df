"""Features of a whole picture, at once."""

from jaxtyping import Array, Float

from nst_jax.losses.features.evaluator import Evaluator
from nst_jax.losses.features.request import Features, Guides, Request, layer_statistics
from nst_jax.networks.network import Network


def whole_features(
    network: Network, picture: Float[Array, "1 h w 3"], request: Request, guides: Guides
) -> Features:
    """What `request` finds in `picture` under `guides`."""
    F = network(picture, request.layers)
    statistics = {
        layer: layer_statistics(F[layer], F[layer].shape[1] * F[layer].shape[2], guides[layer], names)
        for layer, names in request.statistics
    }
    return Features({layer: F[layer] for layer in request.activations}, statistics)


WHOLE = Evaluator(whole_features, whole_features)
