"""Which jobs one program can paint together."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from nst_jax.config.transfer_methods import TRANSFER_METHODS
from nst_jax.losses.terms.terms import term_weights
from nst_jax.transfer.job import Job


def group(jobs: Sequence[Job]) -> list[list[int]]:
    """Return the indices of `jobs` in groups that one program can paint, ordered by first member."""
    groups: dict[Any, list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault(program_key(job), []).append(index)
    return list(groups.values())


def session_key(job: Job) -> Any:
    """Return all that a session of `job` alone depends on: the layers too, which those of groups share.

    Jobs with the same key can be painted by one session, one after another.
    """
    config = job.config
    losses = tuple((layer, tuple(config.losses_at(layer))) for layer in config.active_style())
    return program_key(job), tuple(config.active_content()), losses


def program_key(job: Job) -> Any:
    """Return everything that is compiled into the program of a job, or that its steps are scheduled by."""
    config = job.config
    return (
        (job.weights.sha256, job.weights.arch, job.weights.preprocessing),
        (config.network.pool, config.network.conv, config.network.precision, config.network.padding),
        tuple(job.shape_at(scale) for scale in config.active_scales()),
        # The learning rate is an argument of the programs, not a part of them.
        (dataclasses.replace(config.optimizer, learning_rate=1.0), config.active_scales()),
        (config.content_loss, config.active_losses(), tuple(term_weights(config)), config.tile),
        (config.devices, config.active_layers()[-1] if config.devices != 1 else "", job.gray),
        tuple(dict.fromkeys(style.region for style in job.styles)),
        (config.log_every, config.snapshot_every),
        (config.method, *TRANSFER_METHODS[config.method].compiled(config)),
    )
