"""The transfer methods by name. To add one, write it in a file of its own and list it in `TRANSFERS`."""

from collections.abc import Sequence

from nst_jax.methods.gatys import GATYS
from nst_jax.methods.nnst import NNST
from nst_jax.methods.transfer_method import TransferMethod
from nst_jax.transfer.job import Job
from nst_jax.transfer.stage_session import StageSession

TRANSFERS: dict[str, TransferMethod] = {"optimize": GATYS, "nnst": NNST}


def method_of(job: Job) -> TransferMethod:
    """Return the method that the config of `job` names."""
    return TRANSFERS[job.config.method]


def open_session(jobs: Sequence[Job], width: int | None = None) -> StageSession:
    """Return a session for `jobs`, all of one group, that paints at most `width` of them together."""
    return method_of(jobs[0]).open(jobs, width)
