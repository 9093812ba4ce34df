"""The objectives of the jobs of a group: terms and their targets, from the pictures of a job."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nst_jax import images
from nst_jax.devices.split import ByRows, Split
from nst_jax.losses.features.choosing import chosen
from nst_jax.losses.features.evaluator import Evaluator
from nst_jax.losses.features.request import Request, Statistics, everywhere
from nst_jax.losses.objective import Objective, make_objective
from nst_jax.losses.terms.term import Inputs, StyleTargets
from nst_jax.networks.network import Network
from nst_jax.transfer import memory
from nst_jax.transfer.job import Job
from nst_jax.transfer.targets import TargetMaker
from nst_jax.variables.variable import Canvas, Kept, Variable


class ObjectiveMaker:
    """Makes the objectives of jobs of one group, which share the statistics of their styles."""

    def __init__(self, jobs: Sequence[Job], variable: Variable, split: Split | None):
        """Compute nothing yet; with a `split`, pictures are divided among its devices."""
        self._jobs, self._variable, self._split = tuple(jobs), variable, split
        self.styles = TargetMaker(jobs, self._evaluator)

    def objective(self, job: Job, scale: float, network: Network) -> Objective:
        """Return the objective of `job` at `scale`, with targets for all layers of the group.

        `network` is that of the job, placed on all devices.
        """
        # The job's own network is on one device, and the programs run on all of them.
        if self._split:
            job = dataclasses.replace(job, network=network)
        size = job.size_at(scale)
        content = images.resize(job.content, *size)
        features = functools.partial(self._evaluator(size).find, job.network, content)
        style = self.styles.targets(job, scale)
        found = self._assembled(job, scale, content, features, style, job.canvas_at(scale))
        return self._evaluator(size).place(found)

    def shapes(self, job: Job) -> tuple[Objective, jax.ShapeDtypeStruct]:
        """Return the shapes of `job`'s objective and variable at full size, without computing anything."""

        def assembled(content: Any) -> tuple[Objective, ByRows]:
            # Only shapes count here: any array of one channel stands for the share.
            kept = Kept(content, content[..., :1]) if job.has_gaps else None
            canvas = Canvas(job.size_at(1.0), kept, job.gray)
            features = functools.partial(chosen(job.config.tile).program, job.network, content)
            style = self.styles.nothing(job, 1.0)
            objective = self._assembled(job, 1.0, content, features, style, canvas)
            return objective, ByRows(self._variable.encode(objective.basis, content))

        found = jax.eval_shape(assembled, jax.ShapeDtypeStruct(job.shape_at(1.0), jnp.float32))
        objective, array = self._evaluator(job.size_at(1.0)).abstract(found)
        return objective, array.values

    def style_bytes(self, job: Job, network: Network) -> int:
        """Memory for the style targets, in bytes.

        A statistic that is not a sum over positions holds a whole layer of each picture, and a copy when
        these are blended. The others are small. The pass over a style no larger than the result needs none.
        """
        # The largest picture decides: they are measured one after another.
        sizes = [job.style_size(style, picture, 1.0) for style in job.styles for picture in style.pictures]
        largest = max(sizes, key=math.prod)
        layers, evaluator = job.config.active_style(), self._evaluator(largest)
        request = Request(statistics=tuple(entry for entry in self.styles.losses if entry[0] in layers))

        def statistics(network: Any, x: Any) -> Statistics:
            return evaluator.program(network, x, request, everywhere(layers)).statistics

        held = 0
        if self.styles.whole_layers:
            pictures = (jax.ShapeDtypeStruct((1, *size, 3), jnp.float32) for size in sizes)
            held = sum(memory.tree_bytes(jax.eval_shape(statistics, network, x)) for x in pictures)
        if math.prod(largest) <= math.prod(job.size_at(1.0)):
            return 2 * held
        picture = jax.ShapeDtypeStruct((1, *largest, 3), jnp.float32)
        return 2 * held + evaluator.temporary_bytes(network, picture, request, everywhere(layers))

    def _evaluator(self, size: tuple[int, int]) -> Evaluator:
        """How pictures of `size` (height, width) are evaluated."""
        return chosen(self._jobs[0].config.tile, self._split and self._split.of_height(size[0]))

    def _assembled(
        self, job: Job, scale: float, content: Any, features: Any, style: StyleTargets, canvas: Canvas
    ) -> Objective:
        """The objective of `job`; what only other jobs use has a weight of 0."""
        size = job.size_at(scale)
        together = tuple(one.config for one in (*self._jobs, job))
        inputs = Inputs(job.config, together, job.network, content, features, style, size, job.extra)
        return make_objective(inputs, self._evaluator(size), self._variable, self._variable.init(canvas))
