"""Few programs for many jobs: those that agree in shape and network are painted together, lane by lane.

Within a group may differ: pictures of the same shape, layers and their weights, alpha, beta, tv, init, seed,
the learning rate. Each result is the single run's up to rounding.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nst_jax import memory, objective, stylize
from nst_jax.lanes import Lanes
from nst_jax.objective import Problem
from nst_jax.stylize import Job


def group(jobs: Sequence[Job]) -> list[list[int]]:
    """The indices of `jobs` in groups that one program can paint, in order of their first."""
    groups: dict[Any, list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault(_key(job), []).append(index)
    return list(groups.values())


def _key(job: Job) -> Any:
    config = job.config
    return (
        (job.weights.sha256, job.weights.arch, job.weights.preprocessing),
        (config.network.pool, config.network.conv, config.network.precision),
        tuple(stylize.shape_at(job, scale) for scale in config.scales),
        (dataclasses.replace(config.optimizer, learning_rate=1.0), config.scales),
        (config.content_loss, config.tile),
        (config.log_every, config.snapshot_every),
    )


class Painter:
    """Paints jobs of one group, up to `width` at a time, with one program per scale."""

    def __init__(self, jobs: Sequence[Job], width: int | None = None):
        """Take the union of the jobs' layers; `width` is chosen from the memory at hand where it is None.

        It is no more than the number of batches asks for: five jobs of which four fit are three and two.
        """
        self.config = config = jobs[0].config
        # Every lane computes the layers of all jobs: a weight of 0 turns off those that are not its own.
        self.content_layers = sorted({layer for job in jobs for layer in job.config.active_content()})
        self.style_layers = sorted({layer for job in jobs for layer in job.config.active_style()})
        optimizer = objective.optimizer(config.optimizer)
        self.lanes = Lanes(optimizer, self.join)
        self.network = self.lanes.replicate(jobs[0].network)
        self.terms = jax.jit(jax.vmap(self._terms, (None, 0, 0)))
        if width is None:
            width = self._affordable(jobs[0]) if len(jobs) > 1 else 1
        batches = -(-len(jobs) // width)
        self.width = self.lanes.width(-(-len(jobs) // batches))

    @property
    def compilations(self) -> int:
        """How many step programs were compiled: one per scale."""
        return self.lanes.advance._cache_size()

    def pace(self, job: Job) -> float:
        """The learning rate of `job` over that which the programs hold."""
        return job.config.optimizer.learning_rate / self.config.optimizer.learning_rate

    def join(self, network: Any, own: Any) -> Problem:
        """The problem of one lane."""
        content, style, weights = own
        return Problem(network, content, style, weights, self.config.content_loss, self.config.tile)

    def own(self, job: Job, scale: float) -> Any:
        """Targets and weights of `job` for all layers of the group: its problem without the network."""
        problem = stylize.problem_at(job, scale)
        image = jax.ShapeDtypeStruct(stylize.shape_at(job, scale), jnp.float32)
        layers = tuple({*self.content_layers, *self.style_layers})
        shapes = jax.eval_shape(lambda network, x: network(x, layers), job.network, image)
        F = {layer: shapes[layer].shape for layer in self.content_layers}
        G = {layer: 2 * shapes[layer].shape[-1:] for layer in self.style_layers}
        weights = problem.weights._replace(
            content=_filled(problem.weights.content, dict.fromkeys(F, ())),
            style=_filled(problem.weights.style, dict.fromkeys(G, ())),
        )
        return _filled(problem.content, F), _filled(problem.style, G), weights

    def _terms(self, network: Any, own: Any, image: jax.Array) -> dict[str, jax.Array]:
        return objective.terms(self.join(network, own), image)

    def _affordable(self, job: Job) -> int:
        own = self.own(job, 1.0)
        image = jax.ShapeDtypeStruct(stylize.shape_at(job, 1.0), jnp.float32)
        problem = self.join(job.network, own)
        return memory.affordable_lanes(self.lanes.optimizer._start, problem, image, job.network)


def _filled(held: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> dict[str, jax.Array]:
    return {layer: held.get(layer, jnp.zeros(shape, jnp.float32)) for layer, shape in shapes.items()}
