"""The transfer methods by name: each is a session that starts one stage of its jobs after another."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from nst_jax.transfer.job import Job
from nst_jax.transfer.nnst_session import NNSTSession
from nst_jax.transfer.session import Session

Transfer: TypeAlias = Session | NNSTSession
TRANSFERS: dict[str, Callable[[Sequence[Job], int | None], Transfer]] = {
    "optimize": Session,
    "nnst": NNSTSession,
}


def open_session(jobs: Sequence[Job], width: int | None = None) -> Transfer:
    """Return a session for `jobs`, all of one group, that paints at most `width` of them together."""
    return TRANSFERS[jobs[0].config.method](jobs, width)
