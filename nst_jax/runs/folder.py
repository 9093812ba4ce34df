"""The folder of a run: settings, results and checkpoint. Every file is written atomically."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax import config as configs
from nst_jax import files, images
from nst_jax.config import Config
from nst_jax.errors import UserError
from nst_jax.runs.checkpoint import Checkpoint, checkpoint_metadata, load_checkpoint, save_checkpoint
from nst_jax.runs.metrics import Metrics


class RunFolder:
    """Files of a run: result.png, config.json, run.json, metrics.jsonl, progress/, checkpoint.safetensors."""

    def __init__(self, path: str | Path, config: Config):
        """Refer to the folder `path`; nothing is written yet."""
        self.path = Path(path)
        self.config = config
        self.metrics = Metrics(self.path / "metrics.jsonl")

    def require_free(self) -> None:
        """Raise `UserError` if the folder already holds a run."""
        if self.begun() or (self.path / "result.png").exists():
            raise UserError(
                f"--workdir: {self.path} already holds a run; add --resume or choose another folder"
            )

    def begin(self) -> None:
        """Create the folder and write config.json.

        Raises:
            UserError: the folder already holds a run, or cannot be written.
        """
        self.require_free()
        files.write_json(self.path / "config.json", configs.to_dict(self.config))

    def begun(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / "config.json").exists()

    def finished(self) -> bool:
        """Whether the run has reached its last step."""
        return read_run(self.path).get("status") == "done"

    def save_checkpoint(self, checkpoint: Checkpoint, identity: str) -> None:
        """Replace the checkpoint; `identity` is a digest of the run's inputs."""
        save_checkpoint(self._checkpoint, checkpoint, identity)

    def load_checkpoint(self, identity: str) -> Checkpoint | None:
        """Return the saved checkpoint, or None if there is none.

        Raises:
            UserError: the checkpoint is damaged or was saved with other pictures or weights.
        """
        return load_checkpoint(self._checkpoint, identity)

    def saved_scale(self, identity: str) -> int:
        """Return the scale of the checkpoint as an index into `config.scales`; 0 if there is none.

        Raises:
            UserError: as `load_checkpoint`.
        """
        metadata = checkpoint_metadata(self._checkpoint, identity)
        return int(metadata["scale"]) if metadata else 0

    def save_snapshot(self, step: int, picture: np.ndarray) -> None:
        """Write the picture after `step` steps into progress/."""
        images.write(self.path / "progress" / f"{step:06d}.png", picture)

    def save_result(self, picture: np.ndarray, run: Mapping[str, Any]) -> Path:
        """Write result.png, with the settings in its text chunks, and run.json."""
        result = self.path / "result.png"
        settings = json.dumps(configs.to_dict(self.config))
        images.write(result, picture, {"Software": "nst_jax", "config": settings, "run": json.dumps(run)})
        files.write_json(self.path / "run.json", run)
        if run["status"] == "done":
            self._checkpoint.unlink(missing_ok=True)
        return result

    @property
    def _checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"


def read_settings(folder: str | Path) -> dict[str, Any]:
    """Return the contents of config.json in `folder`.

    Raises:
        UserError: the file is missing or damaged.
    """
    file = Path(folder) / "config.json"
    try:
        return json.loads(file.read_text())
    except FileNotFoundError as error:
        raise UserError(f"--workdir: {folder} holds no run to resume (no config.json)") from error
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from error


def require_same(now: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Check that the settings of a resumed run are those it began with.

    Raises:
        UserError: the settings differ; the message names the first such field.
    """
    now, saved = (json.loads(json.dumps(fields)) for fields in (now, saved))  # tuples become lists
    for name, value in now.items():
        if value != saved.get(name):
            raise UserError(f"--resume: {name} is {value} now but was {saved.get(name)} when the run began")


def read_run(folder: str | Path) -> dict[str, Any]:
    """Return the contents of run.json in `folder`; empty if there is none."""
    file = Path(folder) / "run.json"
    return json.loads(file.read_text()) if file.exists() else {}
