"""How much the score of a class depends on each concept, as in CRAFT (Fel et al. 2023, arXiv 2211.10154).

The activations of the layer are replaced by those of the concepts alone, U W, and go through the rest of the
network. Its score depends on U then: by its gradient times U, a first-order estimate, or by total Sobol
indices, which take all interactions into account.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int
from scipy.stats import qmc

from nst_jax.images.streams import Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network, walk
from nst_jax.optimizers import compiler
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.concepts.nmf import weights_of
from nst_jax.vision.relevance import MOST_PROBABLE


class Importance(NamedTuple):
    """What the scores of single pictures depend on."""

    label: Int[Array, "pictures"]  # the class whose score it is
    score: Float[Array, "pictures"]  # of the picture itself
    of_concepts: Float[Array, "pictures"]  # of the concepts alone
    gradient: Float[Array, "pictures concepts"]  # times U, summed over positions
    sobol: Float[Array, "pictures concepts"] | None  # total indices


def importance(
    network: Network,
    classifier: Classifier,
    stream: Stream,
    settings: ConceptSettings,
    W: Float[Array, "concepts channels"],
) -> Importance:
    """Measure the importance of the concepts `W` for the first `settings.scored` readable pictures."""
    number = settings.towards.number if settings.towards else MOST_PROBABLE
    parts: list[Importance] = []
    left = settings.scored or len(stream)
    for batch in stream.batches(settings.batch):
        count = min(left, len(batch.frames))
        of_batch, U = importance_by_gradient(
            network, classifier, batch.pixels, W, number, layer=settings.layer
        )
        found = jax.tree.map(lambda part, count=count: np.asarray(part)[:count], of_batch)
        if settings.designs:
            found = found._replace(sobol=_sobol(network, classifier, settings, W, U[:count], found.label))
        parts.append(found)
        left -= count
        if not left:
            break
    return jax.tree.map(lambda *each: np.concatenate(each), *parts)


@compiler.jit_at_first_call(static_argnames="layer")
def importance_by_gradient(
    network: Network,
    classifier: Classifier,
    pixels: Array,
    W: Float[Array, "concepts channels"],
    number: int | Int[Array, ""],
    layer: str,
) -> tuple[Importance, Float[Array, "b h w concepts"]]:
    """Return the importance by gradient for a batch, and its U; `number` is the class or MOST_PROBABLE."""
    F = network(jnp.asarray(pixels, jnp.float32) / 255, (layer,))[layer]
    scores = scores_from(network, classifier, layer, F)
    label = jnp.where(number == MOST_PROBABLE, jnp.argmax(scores, 1), number).astype(jnp.int32)

    def chosen(U: Array) -> tuple[Array, Array]:
        reached = scores_from(network, classifier, layer, U @ W)
        of_label = jnp.take_along_axis(reached, label[:, None], 1)[:, 0]
        return of_label.sum(), of_label

    U = weights_of(F, W)
    gradient, of_concepts = jax.grad(chosen, has_aux=True)(U)
    score = jnp.take_along_axis(scores, label[:, None], 1)[:, 0]
    return Importance(label, score, of_concepts, (gradient * U).sum((1, 2)), None), U


def scores_from(
    network: Network, classifier: Classifier, layer: str, F: Float[Array, "b h w channels"]
) -> Float[Array, "b classes"]:
    """Return the scores of the classes from activations of `layer`, by the rest of the network."""
    if layer != classifier.layer:
        rest = network.geometry[network.layers.index(layer) + 1 :]
        F = walk(rest, (classifier.layer,), F, lambda step, x: network.apply(step.name, x))[classifier.layer]
    return classifier(F)


def _sobol(
    network: Network,
    classifier: Classifier,
    settings: ConceptSettings,
    W: Array,
    U: Array,
    labels: np.ndarray,
) -> Float[np.ndarray, "pictures concepts"]:
    masks = jnp.asarray(sobol_masks(len(W), settings.designs, settings.seed))
    of = (
        _masked_scores(network, classifier, u, W, masks, label, layer=settings.layer, batch=settings.batch)
        for u, label in zip(U, labels, strict=True)
    )
    return np.stack([total_indices(np.asarray(scores), len(W)) for scores in of])


@compiler.jit_at_first_call(static_argnames=("layer", "batch"))
def _masked_scores(
    network: Network,
    classifier: Classifier,
    U: Array,
    W: Array,
    masks: Array,
    label: Array,
    layer: str,
    batch: int,
) -> Array:
    """Return the score of one picture, "h w concepts", with its concepts multiplied by each of `masks`."""

    def score(mask: Array) -> Array:
        return scores_from(network, classifier, layer, ((U * mask) @ W)[None])[0, label]

    return lax.map(score, masks, batch_size=batch)


def sobol_masks(inputs: int, designs: int, seed: int = 0) -> Float[np.ndarray, "evaluations inputs"]:
    """Return points in [0, 1] whose values give `total_indices`; `designs` is a power of 2.

    They are the rows of two quasi-random designs A and B, and for each input those of A with its column
    from B: `designs` x (`inputs` + 2) altogether.
    """
    points = qmc.Sobol(2 * inputs, seed=seed).random_base2(designs.bit_length() - 1).astype(np.float32)
    A, B = points[:, :inputs], points[:, inputs:]
    mixed = np.where(np.eye(inputs, dtype=bool)[:, None], B, A)
    return np.concatenate([A, B, *mixed])


def total_indices(values: Float[np.ndarray, "evaluations"], inputs: int) -> Float[np.ndarray, "inputs"]:
    """Return the total Sobol index of each input, from the values at `sobol_masks`.

    It is the share of the variance that goes when all other inputs are known. By Jansen's estimator (Saltelli
    et al. 2010, "Variance based sensitivity analysis of model output", table 2); 0 if no value differs.
    """
    A, B, *mixed = values.astype(np.float64).reshape(inputs + 2, -1)
    variance = np.concatenate([A, B]).var()
    return np.array([np.square(A - each).mean() / 2 / variance if variance else 0.0 for each in mixed])
