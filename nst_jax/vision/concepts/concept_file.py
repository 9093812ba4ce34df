"""The checkpoint file of a search for concepts."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax.errors import UserError
from nst_jax.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nst_jax.runs.folder import require_same
from nst_jax.vision.concepts.concept_search import ConceptProgress, PositionSample, Survey
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.searching.top_patches import Strongest

# What the state of each pass looks like; the values do not matter.
EMPTY = PositionSample(0, 0), Survey(0, Strongest(0, 0, 0, 0, 0), 0, 0)  # type: ignore[arg-type]


class ConceptFile:
    """The checkpoint file of a search, written atomically."""

    def __init__(self, path: Path, identity: str, settings: ConceptSettings):
        """Refer to the file `path`; `identity` describes the network and the data of the search."""
        self.path, self.identity, self.settings = path, identity, dataclasses.asdict(settings)

    def save(self, progress: ConceptProgress) -> None:
        """Replace the file."""
        counts = np.array([progress.position, progress.images])
        skipped = np.frombuffer(json.dumps(progress.skipped).encode(), np.uint8)
        leaves = [counts, skipped, *map(np.asarray, jax.tree.leaves(progress.state))]
        stage = int(isinstance(progress.state, Survey))
        save_checkpoint(self.path, Checkpoint(leaves, stage, progress.seconds), self.identity, self.settings)

    def load(self) -> ConceptProgress | None:
        """Return the saved state, or None if there is none.

        Raises:
            UserError: the file is damaged, or was saved with other settings, weights or data.
        """
        loaded = load_checkpoint(self.path)
        if loaded is None:
            return None
        (leaves, stage, seconds), identity, settings = loaded
        require_same(self.settings, settings)
        if identity != self.identity:
            raise UserError(f"{self.path}: the weights or the data have changed since the run began")
        (position, images), skipped, *arrays = leaves
        # Copies, because programs donate them.
        state = jax.tree.unflatten(jax.tree.structure(EMPTY[stage]), [jnp.array(array) for array in arrays])
        names = tuple(json.loads(skipped.tobytes()))
        return ConceptProgress(state, int(position), int(images), seconds, names)
