"""The results of a sweep over pictures, together in one folder under the names of their sources."""

from collections import Counter

from nst_jax import files
from nst_jax.sweeps.picture_folders import PICTURE_FIELDS
from nst_jax.sweeps.plan import swept
from nst_jax.sweeps.sweep_folder import Sweep


def collect_results(sweep: Sweep) -> None:
    """Copy every result to results/NAME.* if the pictures differ; NAME is the run's folder, unnumbered.

    The number is kept where names would be equal.

    Raises:
        UserError: a file cannot be written.
    """
    if not {*PICTURE_FIELDS} & {*swept(sweep.runs)}:
        return
    names = {run.folder: run.folder.partition("_")[2] for run in sweep.runs}
    count = Counter(names.values())
    for folder, name in names.items():
        for result in (sweep.path / folder).glob("result.*"):
            target = sweep.path / "results" / f"{name if count[name] == 1 else folder}{result.suffix}"
            files.write_bytes(target, result.read_bytes())
