"""Results of a sweep over style losses, each scored by every loss and by the neutral score.

A loss always favours the pictures that it painted itself: only a table that crosses losses with scores, and a
score that no run optimised, tell more.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax import images
from nst_jax.config import Config
from nst_jax.losses.style import STYLE_LOSSES, fitted_targets
from nst_jax.networks.network import Network
from nst_jax.sweeps import neutral
from nst_jax.sweeps.judging import fits_layer
from nst_jax.sweeps.plan import Run, swept
from nst_jax.transfer.pictures import Pictures

Picture = Float[np.ndarray, "1 _ _ 3"]
KEPT_STYLES = 2  # whose statistics are in memory at a time, 110 MB each


def crosses_losses(runs: Sequence[Run]) -> bool:
    """Whether runs differ in their style losses."""
    return any(name.startswith("style_losses.") for name in swept(runs))


class NeutralScores:
    """Style distances that no run optimises, of the results of one sweep."""

    def __init__(self, network: Network, inputs: Pictures):
        """Compare by `network` with the styles among `inputs`, each of which is measured once."""
        self._network, self._inputs = network, inputs
        self._reference = functools.lru_cache(KEPT_STYLES)(
            lambda style: neutral.StyleReference(network, _fitted(style, inputs))
        )
        self._of_content: dict[tuple[str, str], neutral.Distances] = {}

    def __call__(self, config: Config, picture: Picture) -> dict[str, float]:
        """Return the shares of a result; none for several styles or the content as style."""
        if not _one_style(config) or not neutral.judged_layers(self._network):
            return {}
        pair = config.content, config.style
        reference = self._reference(config.style)
        if pair not in self._of_content:
            self._of_content[pair] = reference.distances(_fitted(config.content, self._inputs))
        shares = neutral.shares(reference.distances(picture), self._of_content[pair])
        return {f"neutral/{name}": share for name, share in shares.items()}


def cross_rows(
    network: Network,
    runs: Sequence[Run],
    results: Mapping[str, Picture],
    inputs: Pictures,
    neutral_scores: NeutralScores,
) -> list[dict[str, Any]]:
    """Return a row per run of one style: its labels, and its distance to the style by each loss of the sweep.

    Distances are given as shares, see `nst_jax.sweeps.neutral`, on average over the layers at which a run
    uses the loss, as far as `network` has them and the pictures are large enough for them.
    """
    runs = [run for run in runs if _one_style(run.config)]
    # One set of layers for all runs, so that the columns can be compared.
    side = min((min(results[run.folder].shape[1:3]) for run in runs), default=0)
    losses = _layers_by_loss(runs, [layer for layer in network.layers if fits_layer(network, layer, side)])
    at_start: dict[tuple[str, str], dict[str, Array]] = {}
    rows = []
    for run in runs:
        content, style = (_fitted(name, inputs) for name in (run.config.content, run.config.style))
        key = run.config.content, run.config.style
        if key not in at_start:
            at_start[key] = _distances(network, content, style, losses)
        # At one size: statistics of textures depend on it.
        found = _distances(network, images.fit(results[run.folder], neutral.SIZE), style, losses)
        shares = {name: float(jnp.mean(found[name] / at_start[key][name])) for name, _ in losses}
        rows.append({"run": run.folder, **shares, **neutral_scores(run.config, results[run.folder])})
    return rows


def _one_style(config: Config) -> bool:
    return not config.styles and config.content != config.style


def _fitted(name: str, inputs: Pictures) -> Picture:
    """The picture `name` at the size at which pictures are compared."""
    return images.fit(inputs.fitted(name, neutral.SIZE).pixels, neutral.SIZE)


def _layers_by_loss(runs: Sequence[Run], present: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each loss of the `runs`, and the layers among `present` at which one of them uses it."""
    used = {(name, layer) for run in runs for layer in present for name in run.config.losses_at(layer)}
    names = dict.fromkeys(name for run in runs for name in run.config.active_losses())
    layers = {name: tuple(layer for layer in present if (name, layer) in used) for name in names}
    return tuple((name, at) for name, at in layers.items() if at)


# One program for all losses: they share the two passes through the network.
@functools.partial(jax.jit, static_argnums=3)
def _distances(
    network: Network,
    image: Float[Array, "1 h w 3"],
    style: Float[Array, "1 h2 w2 3"],
    losses: tuple[tuple[str, tuple[str, ...]], ...],
) -> dict[str, Float[Array, "_"]]:
    """The distance of the image to the style by each loss, at each of its layers."""
    layers = tuple({layer: None for _, at in losses for layer in at})
    F, S = network(image, layers), network(style, layers)
    return {name: jnp.stack([_distance(name, F[layer], S[layer]) for layer in at]) for name, at in losses}


def _distance(name: str, F: Float[Array, "1 h w n"], S: Float[Array, "1 h2 w2 n"]) -> Float[Array, ""]:
    loss = STYLE_LOSSES[name]
    found, other = (loss.statistic(X, X.shape[1] * X.shape[2], None) for X in (F, S))
    target = fitted_targets({name: other}, F.shape[1], F.shape[2])[name]
    return loss.distance(found, target)
