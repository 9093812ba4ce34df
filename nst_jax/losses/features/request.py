"""What terms need of a picture: activations of layers, and statistics of layers under guides."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from nst_jax.devices.split import ByRows
from nst_jax.losses.style import STYLE_LOSSES, LayerLosses

# The region of a style without a mask.
EVERYWHERE = ""
# layer -> region -> the guide over the layer's positions, `ByRows` of "1 h w 1", or None for the whole layer
Guides = dict[str, dict[str, Any]]
# layer -> region -> loss -> statistic, or the target that is made of it
Statistics = dict[str, dict[str, dict[str, Any]]]


class Request(NamedTuple):
    """Layers whose activations are wanted, and those whose statistics are, for which style losses.

    Hashable, because a program depends on it. The statistics are those under the guides that come with it.
    """

    activations: tuple[str, ...] = ()
    statistics: LayerLosses = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers that are needed."""
        return tuple(dict.fromkeys((*self.activations, *dict(self.statistics))))


class Features(NamedTuple):
    """What a `Request` finds in a picture; of a strip of it, its rows and its share of each statistic."""

    activations: dict[str, Float[Array, "1 _ _ _"]]
    statistics: Statistics


def everywhere(layers: Iterable[str]) -> Guides:
    """The guides of one style without a mask."""
    return {layer: {EVERYWHERE: None} for layer in layers}


def merged(needs: Iterable[tuple[Request, Guides]]) -> tuple[Request, Guides]:
    """One request, and its guides, for all `needs`."""
    # Dictionaries in place of sets: a program depends on the order.
    activations: dict[str, None] = {}
    losses: dict[str, dict[str, None]] = {}
    guides: Guides = {}
    for request, its_guides in needs:
        activations |= dict.fromkeys(request.activations)
        for layer, names in request.statistics:
            losses.setdefault(layer, {}).update(dict.fromkeys(names))
            guides.setdefault(layer, {}).update(its_guides[layer])
    statistics = tuple((layer, tuple(names)) for layer, names in losses.items())
    return Request(tuple(activations), statistics), guides


def layer_statistics(
    F: Float[Array, "1 h w n"],
    positions: int,
    guides: Mapping[str, ByRows | None],
    losses: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """The statistics of `losses` for a layer or a tile of it, by region and loss."""
    arrays = {region: guide.values if guide else None for region, guide in guides.items()}
    return {
        region: {name: STYLE_LOSSES[name].statistic(F, positions, guide) for name in losses}
        for region, guide in arrays.items()
    }
