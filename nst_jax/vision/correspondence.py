"""Whether a part means the same in different pictures (Zeiler & Fergus 2013, section 4.3, Table 1).

Mask the same part in every picture: eps_i = features(picture i) - features(picture i, masked) is what the
part did in picture i. Where the signs of eps agree between pictures more than they do for random masks, the
features hold something of the part itself.
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
from nst_jax.errors import UserError
from nst_jax.images.streams import Box
from nst_jax.networks.architectures import architecture
from nst_jax.networks.network import Network
from nst_jax.vision import masks
from nst_jax.vision.masks import Marked

# A smaller change, relative to the layer's largest activation, is rounding: some convolution algorithms
# spread it over the whole layer, where the mask itself reaches only what can see it.
ROUNDING = 1e-5


@dataclasses.dataclass(frozen=True)
class CorrespondenceSettings:
    """The experiment."""

    masks: str  # a JSON file: see masks.py
    layers: tuple[str, ...] = ("conv4_1", "conv5_1")
    size: int = 224  # side of the square that the network sees, pixels
    draws: int = 10  # random boxes in each picture
    seed: int = 0  # of the random boxes
    network: NetworkConfig = dataclasses.field(default_factory=NetworkConfig)

    def __post_init__(self) -> None:
        fields.not_empty("masks", self.masks)
        fields.at_least("size", self.size, SMALLEST_SIDE)
        fields.at_least("draws", self.draws, 1)
        fields.at_least("seed", self.seed, 0)
        if not self.layers:
            raise UserError("layers: is empty; give at least one")
        for layer in self.layers:
            fields.one_of("layers", layer, architecture(self.network.arch).names)


def boxes(pictures: Sequence[Marked], draws: int, seed: int) -> dict[str, list[list[Box]]]:
    """Part -> what to mask, a list with a box for each picture; `draws` such lists for the part 'random'."""
    rng = np.random.default_rng(seed)
    marked = {part: [[of_one.parts[part] for of_one in pictures]] for part in pictures[0].parts}
    return marked | {masks.RANDOM: [[masks.anywhere(one, rng) for one in pictures] for _ in range(draws)]}


def measure_correspondence(
    network: Network,
    pictures: Sequence[Marked],
    covered: Mapping[str, Sequence[Sequence[Box]]],
    layers: Sequence[str],
) -> dict[tuple[str, str], Float[np.ndarray, "pairs"]]:
    """(part, layer) -> the sign changes of all pairs of pictures, those of every list of boxes together."""
    plain = _features(network, np.concatenate([one.picture for one in pictures]), tuple(layers))
    changes: dict[tuple[str, str], list[np.ndarray]] = {}
    for part, lists in covered.items():
        for of_each in lists:
            shown = [masks.masked(one, box) for one, box in zip(pictures, of_each, strict=True)]
            without = _features(network, np.concatenate(shown), tuple(layers))
            for layer in layers:
                found = sign_changes(signs(plain[layer], without[layer]))
                changes.setdefault((part, layer), []).append(found)
    return {key: np.concatenate(found) for key, found in changes.items()}


def signs(plain: Float[Array, "n h w c"], without: Float[Array, "n h w c"]) -> Int8[np.ndarray, "n features"]:
    """sign(eps_i) of every feature: -1, 0 or 1."""
    eps = (plain - without).reshape(len(plain), -1)
    eps = jnp.where(jnp.abs(eps) > ROUNDING * jnp.max(jnp.abs(plain)), eps, 0)
    return np.asarray(jnp.sign(eps), np.int8)


def sign_changes(signs: Int8[np.ndarray, "n features"]) -> Float[np.ndarray, "pairs"]:
    """The part of the features whose signs differ, for each pair of pictures i < j.

    It is H(sign eps_i, sign eps_j), the Hamming distance, over the number of features, as Table 1 gives
    it ("mean feature sign change"). The paper's Delta sums over all i != j; the table's is the mean.
    A sign of 0 differs from -1 and from 1, and agrees with 0: what no mask reaches has not changed.
    """
    return np.array([np.mean(a != b) for a, b in itertools.combinations(signs, 2)])


_features = jax.jit(lambda network, pictures, layers: network(pictures, layers), static_argnums=2)
