"""The interface of a transfer method: a record of functions."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from nst_jax.networks.trained import Weights
from nst_jax.transfer.job import Job
from nst_jax.transfer.stage_session import StageSession


class TransferMethod(NamedTuple):
    """How jobs are painted.

    `open(jobs, width)` is a session that paints `jobs`, all of one group, at most `width` of them together.
    `costs(job, weights)` are the multiply-adds of an evaluation at each stage with the weights of a network.

    A method has two parts: this, and how it takes a config, see `nst_jax.config.transfer_methods`.
    """

    open: Callable[[Sequence[Job], int | None], StageSession]
    costs: Callable[[Job, Weights], list[float]] | None = None  # None if no rule is known
    tiles: bool = False  # whether smaller tiles need less memory
