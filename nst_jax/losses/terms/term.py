"""The interface of a term: a record of pure functions."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax.config import Config
from nst_jax.losses.features.request import Features, Guides, Request, Statistics
from nst_jax.networks.network import Network

SMALLEST_SIZE = 1e-30  # of a target of zeros, by which its loss of 0 can be divided
Value = tuple[Float[Array, ""], dict[str, Float[Array, ""]]]  # of a term, and of its parts by name


class StyleTargets(NamedTuple):
    """What the style losses of a run compare with and where, by layer and region.

    A lane holds all layers and regions of its program. What its own run does not set has a target of zeros
    and a share of 0.
    """

    targets: Statistics
    guides: Guides
    shares: dict[str, dict[str, float]]  # of a layer's loss
    activations: dict[str, jax.ShapeDtypeStruct]  # of the result


class Inputs(NamedTuple):
    """What the targets of one run at one size are made of."""

    config: Config
    together: tuple[Config, ...]  # of all runs of the program: its lanes hold targets of the same layers
    network: Network
    content: Float[Array, "1 h w 3"]
    features: Callable[[Request, Guides], Features]  # of the content
    style: StyleTargets
    size: tuple[int, int]  # height and width of the result
    extra: Mapping[str, np.ndarray] = MappingProxyType(
        {}
    )  # pictures that a term of the run is about, "1 h w c"

    @property
    def wrap(self) -> bool:
        """Whether pictures are periodic."""
        return self.config.network.padding == "circular"


class Seen(NamedTuple):
    """What terms see of a picture, or of a strip of it."""

    pixels: Float[Array, "1 r w 3"]
    activations: dict[str, Float[Array, "1 _ _ _"]]
    statistics: Statistics  # of a strip: its share
    positions: dict[str, int]  # of each layer in `activations`, for the whole picture
    height: int  # of the whole picture
    wrap: bool  # whether the picture is periodic


class Term(NamedTuple):
    """A term of an objective, and how it is made of a picture.

    `prepare(inputs)` makes the target, a pytree of arrays; in one program, targets of all runs have the same
    structure and shapes. `measure(seen, target)` is a pytree of what has to be summed up over the picture,
    and `value(measured, target)` the scalar, and its parts by name. Both are differentiable with respect to
    the picture. They may compute with all that `needs(target)` asks for.

    A term is `additive` if it is a sum over positions: what it measures of the strips of a picture then adds
    up to what it measures of the whole. Rows of a strip that are below the picture are zeros, as are those
    of the target. `share(seen, target)` takes the place of `measure` for a strip, if that is not the same.
    Strips have a multiple of `rows`.

    `weight(config)` is the factor of the term. None stands for the config's field `terms.NAME`. A term is in
    use if its weight is above 0, or if it is `always`. `parts(config)` are the names of the parts that a run
    logs.
    """

    prepare: Callable[[Inputs], Any]
    measure: Callable[[Seen, Any], Any]
    additive: bool
    share: Callable[[Seen, Any], Any] | None = None
    rows: int = 1
    value: Callable[[Any, Any], Value] = lambda measured, target: (measured, {})
    needs: Callable[[Any], tuple[Request, Guides]] = lambda target: (Request(), {})
    weight: Callable[[Config], float] | None = None
    always: bool = False
    parts: Callable[[Config], Iterable[str]] = lambda config: ()


def weighted_sum(values: Mapping[str, Array], weights: Mapping[str, Array]) -> Float[Array, ""]:
    """The sum of `values`, each times the weight of the same name."""
    return sum((weights[name] * value for name, value in values.items()), start=jnp.zeros(()))
