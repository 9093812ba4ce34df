"""Which image of an optimisation is its result, and what is said about how it ended."""

from collections.abc import Sequence

import numpy as np
from absl import logging
from jaxtyping import Bool, Float, Int

from nst_jax.optimizers.state import State
from nst_jax.runs.folder import RunFolder

# Adam and gradient descent end close to their lowest loss, unless the learning rate is far too large.
GROWN = 2.0


def result_image(
    states: State, shown: Float[np.ndarray, "lanes 1 h w 3"], lane: int, status: str, name: str
) -> tuple[Float[np.ndarray, "1 h w 3"], str]:
    """Return the image of a lane to write, and which one it is: "last" or "best".

    A run that is done gives what is `shown` of its last image, unless the loss has grown; a warning about the
    run `name` says so. Any other run gives its image with the lowest loss.
    """
    last, best = float(states.value[lane]), float(states.best_value[lane])
    if status == "done" and last <= GROWN * best:
        return np.asarray(shown[lane]), "last"
    if status == "done":
        logging.warning(
            "%s: the loss ended at %.4g, but its lowest value was %.4g; the result is the picture with the "
            "lowest loss; try a smaller optimizer.learning_rate",
            name,
            last,
            best,
        )
    return np.asarray(states.best_variable[lane]), "best"


def warn_of_stalls(
    folders: Sequence[RunFolder],
    stalled: Bool[np.ndarray, "lanes"],
    step: Int[np.ndarray, "lanes"],
    last: int,
) -> None:
    """Log which of the runs in `folders`, the first lanes, took fewer than `last` steps."""
    for lane in np.flatnonzero(stalled[: len(folders)]).tolist():
        where = folders[lane].path.name, step[lane], last
        logging.warning("%s: no step after %d of %d lowers the loss any further", *where)
