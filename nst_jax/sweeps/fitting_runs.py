"""Runs of a sweep without the scales, or the pictures, that are too small for the network."""

import dataclasses
from collections.abc import Sequence

from absl import logging

from nst_jax.errors import UserError
from nst_jax.sweeps.picture_folders import PICTURE_FIELDS
from nst_jax.sweeps.plan import Run
from nst_jax.transfer.fitting import with_fitting_scales

MOST_NAMED = 5  # runs in a message


def fitting_runs(runs: Sequence[Run]) -> list[Run]:
    """Return `runs` without scales that are too small for their pictures, and log which.

    If the sweep is over pictures, those that are too small at full size are left out too.

    Raises:
        UserError: no run is left, or one is too small for another reason; the message names it.
    """
    fitting, notes, refusals = [], {}, {}
    for run in runs:
        try:
            config, note = with_fitting_scales(run.config)
        except UserError as error:
            if len(runs) == 1 or not {*PICTURE_FIELDS} & {*run.fields}:
                raise error.prefixed(f"in run {run.folder}") from error
            refusals[run.folder] = error
            continue
        fitting.append(dataclasses.replace(run, config=config))
        if note:
            notes[run.folder] = note
    if not fitting:
        raise next(iter(refusals.values()))
    for what, found in (("", notes), ("left out of the sweep: ", refusals)):
        if found:
            count = f"{len(found)} runs" if len(found) > 1 else "run"
            names = ", ".join([*found][:MOST_NAMED]) + ", ..." * (len(found) > MOST_NAMED)
            logging.warning("%s%s (%s %s)", what, next(iter(found.values())), count, names)
    return fitting
