"""What outlives a picture: the network, compiled programs and style targets that many jobs share.

Jobs of one group are painted together, lane by lane, or one after the other without another trace. Within a
group may differ: pictures of the same shape, layers and their weights, alpha, beta, tv, init, seed, the
learning rate. Each result is the single run's up to rounding.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import images
from nst_jax.losses import objective
from nst_jax.losses.objective import EVERYWHERE, ONLY_STYLE, Objective, Targets
from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.loop import Loop
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.runs.checkpoint import picture_digest
from nst_jax.transfer import memory
from nst_jax.transfer.job import Job


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
        tuple(job.shape_at(scale) for scale in config.scales),
        (dataclasses.replace(config.optimizer, learning_rate=1.0), config.scales),
        (config.content_loss, tuple(config.active_losses()), config.tile),
        (config.log_every, config.snapshot_every),
    )


class Session:
    """Paints jobs of one group, up to `width` at a time, with one program per scale."""

    def __init__(self, jobs: Sequence[Job], width: int | None = None):
        """Take the union of the jobs' layers; by default `width` is what the memory at hand allows.

        It is no more than the number of batches asks for: five jobs of which four fit are three and two.
        """
        self._job = jobs[0]
        self.config = config = jobs[0].config
        # Every lane computes the layers of all jobs: a weight of 0 turns off those that are not its own.
        self.content_layers = tuple(sorted({layer for job in jobs for layer in job.config.active_content()}))
        self.style_layers = tuple(sorted({layer for job in jobs for layer in job.config.active_style()}))
        self.losses = tuple(config.active_losses())
        self.optimizer = Optimizer(objective.total, find_method(config.optimizer))
        self._style_targets: dict[Any, Any] = {}
        self._shapes: dict[tuple[int, ...], Targets] = {}
        if width is None:
            width = memory.affordable_lanes(self.lane_bytes) if len(jobs) > 1 else 1
        batches = -(-len(jobs) // width)
        devices = jax.devices() if len(jobs) > 1 else jax.devices()[:1]
        self.lanes = Lanes(self.optimizer, -(-len(jobs) // batches), devices)
        self.width = self.lanes.width
        self.network = self.lanes.replicate(jobs[0].network)
        self._terms = jax.jit(self.lanes.over_lanes(objective.terms, (None, 0, 0)))

    @property
    def compilations(self) -> int:
        """How many step programs were compiled: one per scale."""
        return self.lanes.advance._cache_size()

    def begin(self, jobs: Sequence[Job], scale: float, pictures: np.ndarray) -> Loop:
        """The runs of `jobs`, as many as `width`, at `scale` times the full size, from stacked `pictures`."""
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[self.objective(j, scale) for j in jobs])
        rates = [job.config.optimizer.learning_rate for job in jobs]
        return Loop(self.lanes, self.network, stacked, pictures, rates)

    def terms(self, loop: Loop) -> dict[str, np.ndarray]:
        """The objective's terms where the lanes of `loop` stand, an entry per lane."""
        return jax.device_get(self._terms(self.network, loop.data, loop.state.image))

    def objective(self, job: Job, scale: float) -> Objective:
        """The objective of `job` at `scale`, with targets for all layers of the group."""
        content_size, style_size = job.sizes_at(scale)
        content = jnp.asarray(images.resize(job.content, *content_size))
        key = picture_digest(job.style), style_size, tuple(job.config.active_style())
        if key not in self._style_targets:
            style = jnp.asarray(images.resize(job.style, *style_size))
            self._style_targets[key] = self._style(job, style)
        return self._assembled(job, content, self._style_targets[key])

    def abstract_objective(self, job: Job) -> tuple[Objective, jax.ShapeDtypeStruct]:
        """The shapes of `job`'s objective and image at full size; nothing is computed."""
        content, style = (jax.ShapeDtypeStruct((1, *size, 3), jnp.float32) for size in job.sizes_at(1.0))
        shapes = jax.eval_shape(lambda c, s: self._assembled(job, c, self._style(job, s)), content, style)
        return shapes, content

    @functools.cached_property
    def lane_bytes(self) -> int:
        """What one lane takes at full size."""
        return memory.lane_bytes(self.optimizer, self._job.network, *self.abstract_objective(self._job))

    def _style(self, job: Job, style: Any) -> Any:
        layers = tuple(job.config.active_style())
        return objective.style_targets(job.network, style, layers, self.losses, job.config.tile)

    def _assembled(self, job: Job, content: Any, style_targets: Any) -> Objective:
        """The objective of `job`, filled up with zeros of weight 0 for the layers of other jobs."""
        config = job.config
        layers = tuple(config.active_content())
        content_targets = objective.content_targets(job.network, content, layers, config.tile)
        weights = objective.loss_weights(
            config.content_weight,
            config.style_weight,
            config.tv_weight,
            _filled(config.active_content(), dict.fromkeys(self.content_layers, 0.0)),
            _filled(config.active_style(), dict.fromkeys(self.style_layers, 0.0)),
            config.active_losses(),
        )
        zeros = self._zeros(job, content.shape)
        targets = Targets(_filled(content_targets, zeros.content), _filled(style_targets, zeros.style))
        return Objective(targets, weights, config.content_loss, config.tile)

    def _zeros(self, job: Job, shape: tuple[int, ...]) -> Targets:
        """Targets of zeros for all layers of the group and a result of `shape`."""
        if shape not in self._shapes:
            content, by_layer = jax.eval_shape(
                lambda network, image: objective.statistics(
                    network, image, self.content_layers, self.style_layers, self.losses
                ),
                job.network,
                jax.ShapeDtypeStruct(shape, jnp.float32),
            )
            style = {layer: {EVERYWHERE: {ONLY_STYLE: by_loss}} for layer, by_loss in by_layer.items()}
            self._shapes[shape] = Targets(content, style)
        return jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), self._shapes[shape])


def _filled(held: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    return {name: held.get(name, value) for name, value in default.items()}
