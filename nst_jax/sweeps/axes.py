"""The axes of a sweep: what the pages and the sheet call its rows, columns and pictures."""

from collections.abc import Sequence

from nst_jax.config import flat
from nst_jax.figures.sheets import grid_axes
from nst_jax.sweeps.plan import Run, label, swept


def axis_labels(runs: Sequence[Run]) -> dict[str, tuple[str, ...]]:
    """Return the labels of each run by its folder, with the field before its value: `content_weight 1e-05`.

    Labels that are not the values of one field in all runs stay as they are.
    """
    values = {run.folder: {name: label(value) for name, value in flat(run.config).items()} for run in runs}
    fields = swept(runs)
    named: dict[str, list[str]] = {run.folder: [] for run in runs}
    for axis in range(max((len(run.labels) for run in runs), default=0)):
        field = next((name for name in fields if _is_axis(runs, axis, name, values)), None)
        for run in runs:
            text = run.labels[axis : axis + 1]
            named[run.folder] += [f"{field} {values[run.folder][field]}"] if field and text else text
    return {folder: tuple(labels) for folder, labels in named.items()}


def _is_axis(runs: Sequence[Run], axis: int, name: str, values: dict[str, dict[str, str]]) -> bool:
    """Whether the labels of an axis are the values of the field `name`, alone or as `name=value`."""
    found = [(values[run.folder].get(name), run.labels[axis]) for run in runs if len(run.labels) > axis]
    return all(value is not None and text in (value, f"{name}={value}") for value, text in found)


def titles(runs: Sequence[Run]) -> dict[str, str]:
    """Return the title of each run by its folder."""
    return {folder: ", ".join(labels) or folder for folder, labels in axis_labels(runs).items()}


def columns_of(runs: Sequence[Run]) -> int:
    """Return the number of columns if the runs fill a grid with several rows, else 0."""
    down, across = grid_axes([run.labels for run in runs])
    return len(across) if len(down) * len(across) == len(runs) > len(down) else 0
