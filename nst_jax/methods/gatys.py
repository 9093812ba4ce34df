"""The method of Gatys et al.: the picture that minimises an objective of losses.

A session holds what many jobs share: the network, compiled programs and style targets.

Jobs of one group are painted together as lanes of one program, or one after another without retracing.
Within a group, these may differ: pictures (of the same shape), layers and their weights, alpha, beta, tv,
init, seed and learning rate. Each result equals that of a single run up to rounding.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import images
from nst_jax.config.stages import Stage
from nst_jax.devices.split import ByRows
from nst_jax.errors import UserError
from nst_jax.losses.features.choosing import chosen
from nst_jax.losses.features.evaluator import Evaluator
from nst_jax.losses.features.request import Request, Statistics, everywhere
from nst_jax.losses.objective import Objective, make_objective, total_and_terms
from nst_jax.losses.terms.term import Inputs, StyleTargets
from nst_jax.losses.terms.terms import reported_parts
from nst_jax.methods.costs import evaluation_costs
from nst_jax.methods.transfer_method import TransferMethod
from nst_jax.optimizers import compiler
from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.loop import Loop
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.optimizers.split_lane import SplitLane
from nst_jax.transfer import memory
from nst_jax.transfer.dividing import split_of
from nst_jax.transfer.finish import finished
from nst_jax.transfer.job import Job
from nst_jax.transfer.starting import with_better_start
from nst_jax.transfer.targets import TargetMaker
from nst_jax.variables.pixels import PIXELS
from nst_jax.variables.variable import Canvas, Kept, Variable


class Session:
    """Paints jobs of one group, up to `width` at a time, with one program per scale."""

    note = ""
    keeps_start = False

    def __init__(self, jobs: Sequence[Job], width: int | None = None, variable: Variable = PIXELS):
        """Prepare programs for `jobs`, all of one group; by default, free memory limits `width`.

        Jobs are divided evenly into batches: with a `width` of 4, five jobs are painted as three and two.
        What they optimise is `variable`.

        Raises:
            UserError: several devices cannot share the variable.
        """
        self._job, self._jobs, self._variable = jobs[0], tuple(jobs), variable
        self.config = config = jobs[0].config
        if config.devices != 1 and not variable.by_rows:
            raise UserError(f"devices: {config.devices} cannot share a variable that has no rows; use 1")
        self._method = find_method(config.optimizer)
        self.optimizer = Optimizer(total_and_terms, self._method)
        self._split = split_of(self._job) if config.devices != 1 else None
        self._style_targets = TargetMaker(jobs, self._evaluator)
        if self._split:
            width = 1  # all devices are needed for one picture
        elif width is None:
            width = memory.affordable_lanes(self._lane_bytes) if len(jobs) > 1 else 1
        batches = -(-len(jobs) // width)
        devices = jax.devices() if len(jobs) > 1 else jax.devices()[:1]
        self._bfloat16 = compiler.holds_bfloat16(self._job.network)
        self._lanes = Lanes(self.optimizer, -(-len(jobs) // batches), devices, self._bfloat16)
        self._split_lanes: dict[tuple[int, ...], Lanes] = {}
        self.width = self._lanes.width
        self.network = self.lanes.replicate(jobs[0].network)

    @property
    def lanes(self) -> Lanes:
        """The programs at full size."""
        return self._lanes_at(1.0)

    @property
    def compilations(self) -> int:
        """Number of step programs compiled so far: one per scale."""
        return sum(lanes.advance._cache_size() for lanes in (self._lanes, *self._split_lanes.values()))

    def begin(self, jobs: Sequence[Job], stage: Stage, pictures: np.ndarray) -> Loop:
        """Start `width` jobs at the size of `stage`, from their stacked initial `pictures`.

        For what may replace these, see `nst_jax.transfer.starting`.
        """
        objectives = [self.objective(job, stage.scale) for job in jobs]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *objectives)
        rates = [job.config.optimizer.learning_rate for job in jobs]
        bases = [self._variable.init(job.canvas_at(stage.scale)) for job in jobs]

        def begun(pictures: np.ndarray) -> Loop:
            encoded = map(self._variable.encode, bases, pictures)
            arrays = np.stack([np.asarray(array) for array in encoded])
            return Loop(self._lanes_at(stage.scale), self.network, stacked, arrays, rates)

        return with_better_start(begun, jobs, stage, pictures)

    def picture(self, job: Job, stage: Stage, array: np.ndarray) -> np.ndarray:
        """Return the picture that the optimised `array` stands for."""
        basis = self._variable.init(job.canvas_at(stage.scale))
        return np.asarray(self._variable.decode(basis, array))

    def finish(self, job: Job, picture: np.ndarray) -> np.ndarray:
        """Return what is written of an optimised `picture`."""
        return finished(job, picture)

    def reported(self, job: Job) -> set[str]:
        """Return the names of the parts of all terms."""
        return set(reported_parts(job.config))

    def objective(self, job: Job, scale: float) -> Objective:
        """Return the objective of `job` at `scale`, with targets for all layers of the group."""
        if self._split:
            job = dataclasses.replace(job, network=self.network)
        size = job.size_at(scale)
        content = images.resize(job.content, *size)
        features = functools.partial(self._evaluator(size).find, job.network, content)
        style = self._style_targets.targets(job, scale)
        found = self._assembled(job, scale, content, features, style, job.canvas_at(scale))
        return self._evaluator(size).place(found)

    def abstract_objective(self, job: Job) -> tuple[Objective, jax.ShapeDtypeStruct]:
        """Return the shapes of `job`'s objective and variable at full size, without computing anything."""

        def assembled(content: Any) -> tuple[Objective, ByRows]:
            kept = Kept(content, content[..., :1]) if job.has_gaps else None
            canvas = Canvas(job.size_at(1.0), kept, job.gray)
            features = functools.partial(chosen(job.config.tile).program, job.network, content)
            style = self._style_targets.nothing(job, 1.0)
            objective = self._assembled(job, 1.0, content, features, style, canvas)
            return objective, ByRows(self._variable.encode(objective.basis, content))

        found = jax.eval_shape(assembled, jax.ShapeDtypeStruct(job.shape_at(1.0), jnp.float32))
        objective, array = self._evaluator(job.size_at(1.0)).abstract(found)
        return objective, array.values

    def _evaluator(self, size: tuple[int, int]) -> Evaluator:
        """How pictures of `size` (height, width) are evaluated."""
        return chosen(self.config.tile, self._split and self._split.of_height(size[0]))

    def _lanes_at(self, scale: float) -> Lanes:
        shape = self._job.shape_at(scale)
        if self._split is None:
            return self._lanes
        if shape not in self._split_lanes:
            split = self._split.of_height(shape[1])
            method = self._method.split_over(split) if self._method.split_over else self._method
            optimizer = Optimizer(total_and_terms, method)
            self._split_lanes[shape] = SplitLane(optimizer, split, shape, self._bfloat16)
        return self._split_lanes[shape]

    def lane_bytes(self) -> int:
        """Memory of one lane at full size, in bytes."""
        return self._lane_bytes

    @functools.cached_property  # it compiles
    def _lane_bytes(self) -> int:
        return memory.lane_bytes(self.optimizer, self._job.network, *self.abstract_objective(self._job))

    def step_bytes(self, job: Job) -> int:
        """Memory of the step program of `job` alone at full size, in bytes; on a CPU, of all its devices."""
        one = memory.advance_bytes(self.lanes, self.network, *self.abstract_objective(job))
        return one * self._split.in_process if self._split and jax.default_backend() == "cpu" else one

    def target_bytes(self, job: Job) -> int:
        """Memory for the style targets, in bytes.

        A statistic that is not a sum over positions holds a whole layer of each picture, and a copy when
        these are blended. The others are small. The pass over a style no larger than the result needs none.
        """
        sizes = [job.style_size(style, picture, 1.0) for style in job.styles for picture in style.pictures]
        largest = max(sizes, key=math.prod)
        layers, evaluator = job.config.active_style(), self._evaluator(largest)
        request = Request(
            statistics=tuple(entry for entry in self._style_targets.losses if entry[0] in layers)
        )

        def statistics(network: Any, x: Any) -> Statistics:
            return evaluator.program(network, x, request, everywhere(layers)).statistics

        held = 0
        if self._style_targets.whole_layers:
            pictures = (jax.ShapeDtypeStruct((1, *size, 3), jnp.float32) for size in sizes)
            held = sum(memory.tree_bytes(jax.eval_shape(statistics, self.network, x)) for x in pictures)
        if math.prod(largest) <= math.prod(job.size_at(1.0)):
            return 2 * held
        picture = evaluator.abstract(ByRows(jax.ShapeDtypeStruct((1, *largest, 3), jnp.float32)))
        return 2 * held + memory.program_bytes(statistics, self.network, picture.values)

    def _assembled(
        self, job: Job, scale: float, content: Any, features: Any, style: StyleTargets, canvas: Canvas
    ) -> Objective:
        """The objective of `job`; what only other jobs use has a weight of 0."""
        size = job.size_at(scale)
        together = tuple(one.config for one in (*self._jobs, job))
        inputs = Inputs(job.config, together, job.network, content, features, style, size)
        return make_objective(inputs, self._evaluator(size), self._variable, self._variable.init(canvas))


GATYS = TransferMethod(open=Session, costs=evaluation_costs, tiles=True)
