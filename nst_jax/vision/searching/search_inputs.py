"""What a search for top patches needs, from its settings: pictures, network and classifier."""

from collections.abc import Collection

from nst_jax.errors import UserError
from nst_jax.images.streams import Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.vision.activations import require_activations
from nst_jax.vision.classes import classifier_behind
from nst_jax.vision.labels import class_names
from nst_jax.vision.maximizing.maximize_settings import MARGIN
from nst_jax.vision.relevance import CLASS
from nst_jax.vision.searching.search_settings import TopPatchesSettings
from nst_jax.vision.searching.top_patches import empty_lists
from nst_jax.vision.units import require_units
from nst_jax.weights import load_network


def stream_of(settings: TopPatchesSettings) -> Stream:
    """List the pictures of `data`; see `Stream`."""
    return Stream(
        settings.data, settings.size, settings.limit, settings.shuffle, settings.seed, settings.workers
    )


def search_inputs(
    settings: TopPatchesSettings, begun: Collection[str] = ()
) -> tuple[Stream, Network, Weights, Classifier | None, tuple[str, ...]]:
    """List the pictures, load the network, and check that it has all layers, units and classes in question.

    Returns the classifier and the names of its classes too, if units are ranked towards a class. `begun` is
    as in `load_network`.

    Raises:
        UserError: there is no data, the weights cannot be obtained, or they lack a layer, a unit or a class;
            or a batch does not fit into memory.
    """
    stream, towards = stream_of(settings), settings.towards
    deeper = (towards.layer,) if towards and towards.layer != CLASS else ()
    network, weights = load_network(settings.network, (*settings.layers, *deeper), begun)
    require_activations(network, (*settings.layers, *deeper), settings.size, settings.batch)
    if settings.maximized:
        side = settings.maximized + 2 * MARGIN
        require_activations(network, settings.layers, side, 1, gradient=True, field="maximized")
    units = {
        layer: len(lists.image)
        for layer, lists in empty_lists(network, (*settings.layers, *deeper), settings.size, 1).items()
    }
    for layer in settings.layers:
        settings.units_of(layer, units[layer])
    if towards and deeper:
        require_units("target", [towards.number], towards.layer, units[towards.layer])
    if towards is None or deeper:
        return stream, network, weights, None, ()
    classifier, scores = classifier_behind(network, settings.network, settings.size)
    if towards.number >= scores.classes:
        raise UserError(f"target: no class {towards.number}; choices: 0 to {scores.classes - 1}")
    names = class_names(settings.labels, scores.classes)
    return stream, network, weights, classifier, names
