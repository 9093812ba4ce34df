"""What a sweep would do: its runs, their groups, and the memory and time that they take."""

from collections.abc import Iterator

from nst_jax.methods.estimate import require_memory
from nst_jax.methods.speed import predicted_seconds
from nst_jax.runs.progress import byte_count, roughly
from nst_jax.sweeps.plan import label
from nst_jax.sweeps.running import group_session, prepared_groups, require_room_here
from nst_jax.sweeps.sweep_folder import Sweep


def plan_lines(sweep: Sweep, batch: int | None = None) -> Iterator[str]:
    """Yield a text for each group of runs that share a program, and for each of its unfinished runs.

    Raises:
        UserError: a run cannot be prepared, or does not fit into memory.
    """
    unfinished = {run.folder: run for run in sweep.unfinished()}
    require_room_here(sweep)
    _, jobs, groups = prepared_groups(sweep)
    for members in groups:
        waiting = [folder for folder in members if folder in unfinished]
        job = jobs[members[0]]
        session = group_session(sweep, jobs, members, batch)
        alone = session.width == 1
        needed = require_memory(session, job) if alone else session.width * session.lane_bytes()
        seconds = [predicted_seconds(jobs[folder]) for folder in waiting]
        time = f", {roughly(sum(filter(None, seconds)))}" if waiting and None not in seconds else ""
        yield (
            f"{counted(len(waiting))} at {job.config.size} px in one program, {session.width} at a time, "
            f"{byte_count(needed)} of memory{time}:"
        )
        for folder in waiting:
            fields = ", ".join(f"{name}={label(value)}" for name, value in unfinished[folder].fields.items())
            yield f"  {folder}: {fields}"
    done = len(sweep.runs) - len(unfinished)
    yield f"dry run: {counted(len(unfinished))}" + (f", and {done} finished already" if done else "")


def counted(runs: int) -> str:
    """Return a number of runs as text."""
    return f"{runs} run{'s' * (runs != 1)}"
