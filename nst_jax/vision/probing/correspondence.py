"""Correspondence of object parts between pictures (Zeiler & Fergus 2013, section 4.3, Table 1).

The same part is masked in every picture: eps_i = features(picture i) - features(picture i, masked) is the
effect of the part in picture i. If the signs of eps agree between pictures more than they do for random
masks, the features represent the part itself.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int8

from nst_jax.config import NetworkConfig, fields
from nst_jax.config.schema import SMALLEST_SIDE
from nst_jax.images.streams import Box
from nst_jax.networks.counterparts import require_layer
from nst_jax.networks.network import Network
from nst_jax.vision.activations import require_activations
from nst_jax.vision.framing import LARGEST_INPUT
from nst_jax.vision.probing import masks
from nst_jax.vision.probing.masks import Marked

# Changes below this, relative to the layer's largest activation, are rounding errors. Some convolution
# algorithms spread these over the whole layer, whereas a mask only affects units that can see it.
ROUNDING = 1e-5
MOST_DRAWS = 10_000  # each masks every picture once


@dataclasses.dataclass(frozen=True)
class CorrespondenceSettings:
    """The settings of the experiment; see configs/correspondence.py."""

    masks: str  # a JSON file, see masks.py
    layers: tuple[str, ...] = ("conv4_1", "conv5_1")
    size: int = 224  # side of the square that the network sees, pixels
    draws: int = 10  # random boxes in each picture
    seed: int = 0  # of the random boxes
    network: NetworkConfig = dataclasses.field(default_factory=NetworkConfig)

    def __post_init__(self) -> None:
        fields.not_empty("masks", self.masks)
        fields.at_least("size", self.size, SMALLEST_SIDE, LARGEST_INPUT)
        fields.at_least("draws", self.draws, 1, MOST_DRAWS)
        fields.at_least("seed", self.seed, 0, fields.LARGEST_SEED)
        fields.some("layers", self.layers)
        for layer in self.layers:
            require_layer("layers", layer, self.network.arch)


def boxes(pictures: Sequence[Marked], draws: int, seed: int) -> dict[str, list[list[Box]]]:
    """Return for each part a list of boxes, one per picture; for the part 'random', `draws` such lists."""
    rng = np.random.default_rng(seed)
    marked = {part: [[picture.parts[part] for picture in pictures]] for part in pictures[0].parts}
    return marked | {
        masks.RANDOM: [[masks.anywhere(picture, rng) for picture in pictures] for _ in range(draws)]
    }


def measure_correspondence(
    network: Network,
    pictures: Sequence[Marked],
    covered: Mapping[str, Sequence[Sequence[Box]]],
    layers: Sequence[str],
) -> dict[tuple[str, str], Float[np.ndarray, "pairs"]]:
    """Return by (part, layer) the sign changes of all pairs of pictures, concatenated over lists of boxes.

    Raises:
        UserError: the pictures do not fit into memory together.
    """
    require_activations(network, layers, pictures[0].picture.shape[1], len(pictures))
    plain = _features(network, np.concatenate([marked.picture for marked in pictures]), tuple(layers))
    changes: dict[tuple[str, str], list[np.ndarray]] = {}
    for part, lists in covered.items():
        for part_boxes in lists:
            masked = [masks.masked(marked, box) for marked, box in zip(pictures, part_boxes, strict=True)]
            without = _features(network, np.concatenate(masked), tuple(layers))
            for layer in layers:
                pairs = sign_changes(signs(plain[layer], without[layer]))
                changes.setdefault((part, layer), []).append(pairs)
    return {key: np.concatenate(pairs) for key, pairs in changes.items()}


def signs(plain: Float[Array, "n h w c"], without: Float[Array, "n h w c"]) -> Int8[np.ndarray, "n features"]:
    """Return sign(eps_i) of every feature: -1, 0 or 1."""
    eps = (plain - without).reshape(len(plain), -1)
    # A sign of noise would count as a change as often as not.
    eps = jnp.where(jnp.abs(eps) > ROUNDING * jnp.max(jnp.abs(plain)), eps, 0)
    return np.asarray(jnp.sign(eps), np.int8)


def sign_changes(signs: Int8[np.ndarray, "n features"]) -> Float[np.ndarray, "pairs"]:
    """Return the fraction of features whose signs differ, for each pair of pictures i < j.

    This is the Hamming distance H(sign eps_i, sign eps_j) divided by the number of features, as in Table 1
    ("mean feature sign change"). The paper's Delta is the sum over all i != j; its table gives the mean.
    A sign of 0 equals 0 and differs from -1 and 1: a feature that no mask reaches has not changed.
    """
    return np.array([np.mean(a != b) for a, b in itertools.combinations(signs, 2)])


_features = jax.jit(lambda network, pictures, layers: network(pictures, layers), static_argnums=2)
