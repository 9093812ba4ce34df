"""What a search for concepts needs, from its settings: pictures, network and classifier."""

from collections.abc import Collection

import jax
import jax.numpy as jnp

from nst_jax.errors import UserError
from nst_jax.images.streams import Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.vision.activations import require_activations
from nst_jax.vision.classes import classifier_behind
from nst_jax.vision.concepts.concept_search import require_positions
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.labels import class_names
from nst_jax.weights import load_network


def concept_inputs(
    settings: ConceptSettings, begun: Collection[str] = ()
) -> tuple[Stream, Network, Weights, Classifier | None, tuple[str, ...]]:
    """List the pictures, load the network, and check that they suffice for as many concepts.

    Returns the classifier and the names of its classes too, if importance is measured. `begun` is as in
    `load_network`.

    Raises:
        UserError: there is no data; the weights cannot be obtained, or lack the layer or the class; there are
            fewer channels or positions than concepts; or a batch does not fit into memory.
    """
    stream = Stream(
        settings.data, settings.size, settings.limit, settings.shuffle, settings.seed, settings.workers
    )
    network, weights = load_network(settings.network, (settings.layer,), begun)
    image = jax.ShapeDtypeStruct((1, settings.size, settings.size, 3), jnp.float32)
    shape = jax.eval_shape(lambda x: network(x, (settings.layer,))[settings.layer], image).shape
    _, height, width, channels = shape
    if settings.concepts > channels:
        raise UserError(
            f"concepts: {settings.concepts} are more than the {channels} channels of {settings.layer}"
        )
    require_positions(settings, len(stream) * height * width)
    require_activations(network, (settings.layer,), settings.size, settings.batch)
    if settings.towards is None:
        return stream, network, weights, None, ()
    classifier, scores = classifier_behind(network, settings.network, settings.size)
    if settings.towards.number >= scores.classes:
        raise UserError(f"target: no class {settings.towards.number}; choices: 0 to {scores.classes - 1}")
    return stream, network, weights, classifier, class_names(settings.labels, scores.classes)
