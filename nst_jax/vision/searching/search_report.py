"""What a report of a search for top patches is made from."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from nst_jax.images.streams import Stream
from nst_jax.networks import receptive
from nst_jax.networks.network import Network
from nst_jax.vision.searching.distributions import Maxima
from nst_jax.vision.searching.quantile_patches import AtQuantile, patches_at
from nst_jax.vision.searching.search_settings import TopPatchesSettings
from nst_jax.vision.searching.top_patches import Patch, Strongest, patches_of


class Report(NamedTuple):
    """The inputs of the report."""

    settings: TopPatchesSettings
    network: Network
    stream: Stream
    lists: Mapping[str, Strongest]
    summary: str
    names: Sequence[str] = ()  # of classes, if relevance is measured towards them
    distributions: Mapping[str, Maxima] = {}
    sampled: Int[np.ndarray, "sampled"] = np.arange(0)

    def units(self, layer: str) -> tuple[int, ...]:
        """Return the units of a layer that are listed."""
        return self.settings.units_of(layer, len(self.lists[layer].image))

    def shown(self, layer: str) -> tuple[int, ...]:
        """Return the units of a layer that are drawn."""
        return self.settings.shown_of(layer, len(self.lists[layer].image))

    def top(self, layer: str, unit: int) -> list[Patch]:
        """Return the strongest patches of a unit."""
        return patches_of(self.lists[layer], unit)

    def quantiles(self, layer: str, unit: int, count: int) -> list[AtQuantile]:
        """Return up to `count` patches of a unit at each quantile."""
        distribution = self.distributions[layer]
        return patches_at(distribution, self.sampled, unit, self.settings.quantiles, count)

    def side(self, layer: str) -> int:
        """Return the side of the receptive field, in pixels of the network's input."""
        return receptive.field_side(self.network.geometry, layer)

    def box(self, layer: str, patch: Patch) -> tuple[int, int, int, int]:
        """Return the receptive field of a patch, in pixels of the network's input."""
        size = self.settings.size
        return receptive.box(self.network.geometry, layer, patch.row, patch.column, size, size)

    @property
    def measure(self) -> str:
        """What units are ranked by."""
        return "relevance" if self.settings.target else "activation"
