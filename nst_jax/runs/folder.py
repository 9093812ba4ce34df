"""The folder of a run: settings, results and checkpoint. Every file is written atomically."""

import contextlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax import files, images
from nst_jax.config import Config, from_dict, to_dict
from nst_jax.config.fields import dotted
from nst_jax.errors import UserError
from nst_jax.runs.checkpoint import Checkpoint, input_digests, load_checkpoint, save_checkpoint
from nst_jax.runs.metrics import Metrics
from nst_jax.storage.json_files import read_json
from nst_jax.storage.locks import claimed, require_unclaimed

GROWING = ("optimizer.steps",)  # fields that a resumed run may increase
FREE = ("devices",)  # fields that a resumed run may change


class RunFolder:
    """Files of a run: result.png, config.json, run.json, metrics.jsonl, progress/, checkpoint.safetensors."""

    written = True  # by this process

    def __init__(self, path: str | Path, config: Config):
        """Refer to the folder `path`; nothing is written yet."""
        self.path = Path(path)
        self.config = config
        self.metrics = Metrics(self.path / "metrics.jsonl")

    def require_free(self) -> None:
        """Raise `UserError` if the folder already holds a run."""
        require_free(self.path)

    def claimed(self) -> contextlib.AbstractContextManager[None]:
        """Hold the folder for this process.

        Raises:
            UserError: another process holds it, or it cannot be created.
        """
        return claimed(self.path)

    def begin(self) -> None:
        """Create the folder and write config.json.

        Raises:
            UserError: the folder already holds a run, or cannot be written.
        """
        self.require_free()
        self.save_settings()

    def save_settings(self) -> None:
        """Write config.json."""
        files.write_json(self.path / "config.json", to_dict(self.config))

    def begun(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / "config.json").exists()

    def last_step(self) -> int:
        """About the step at which a resumed run goes on: the last one logged; 0 without a checkpoint."""
        lines = self.metrics.read() if self._checkpoint.exists() else []
        return int(lines[-1]["step"]) if lines else 0

    def record(self) -> dict[str, Any]:
        """Return run.json; empty if there is none, or if the result is missing.

        Raises:
            UserError: run.json is damaged.
        """
        record = read_run(self.path, status=str)
        return record if self.result.exists() and (self.path / "result.png").exists() else {}

    def finished(self) -> bool:
        """Whether the run has reached its last step, and its result is there."""
        return self.record().get("status") == "done"

    def network_digests(self) -> set[str]:
        """Return digests of the run's inputs, among them that of its network; empty if it has not begun."""
        network = read_run(self.path).get("network")
        finished = {str(network.get("sha256"))} if isinstance(network, dict) else set()
        return finished | input_digests(self._checkpoint)

    def save_checkpoint(self, checkpoint: Checkpoint, identity: str) -> None:
        """Replace the checkpoint; `identity` is a digest of the run's inputs."""
        save_checkpoint(self._checkpoint, checkpoint, identity, to_dict(self.config))

    def load_checkpoint(self, identity: str) -> Checkpoint | None:
        """Return the saved checkpoint, or None if there is none.

        Raises:
            UserError: it is damaged, or was saved with other pictures, weights or settings. Only
                `optimizer.steps` may have grown, as long as the run is still at its first stage.
        """
        saved = load_checkpoint(self._checkpoint)
        if saved is None:
            return None
        checkpoint, then, settings = saved
        growing = GROWING if checkpoint.stage == 0 else ()
        require_same(to_dict(self.config), to_dict(from_dict(settings)), growing)
        if then != identity:
            change = _change(then, identity)
            raise UserError(f"{self._checkpoint}: {change} since the run began")
        return checkpoint

    def save_snapshot(self, step: int, picture: np.ndarray) -> None:
        """Write the picture after `step` steps into progress/."""
        images.write(self.path / "progress" / f"{step:06d}.png", picture)

    @property
    def result(self) -> Path:
        """The file of the picture in the format that `output` asks for."""
        return self.path / ("result.tif" if self.config.output == "tiff16" else "result.png")

    def save_result(self, picture: np.ndarray, run: Mapping[str, Any]) -> Path:
        """Write the picture, with the settings in its text, and run.json; return `result`.

        A result.png is written in any case, for the programs and pages that show it.
        """
        text = text_chunks(self.config, run)
        if self.config.output != "png8":
            images.write_deep(self.result, picture, text)
        if self.config.output != "png16":
            images.write(self.path / "result.png", picture, text)
        files.write_json(self.path / "run.json", run)
        if run["status"] == "done":
            # It would be as large as the state of the optimiser, and nothing resumes from it.
            self._checkpoint.unlink(missing_ok=True)
        return self.result

    @property
    def _checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"


def _change(then: str, now: str) -> str:
    """Say in which part two identities differ: the digest of the pictures, or that of the network."""
    (pictures, _, network), (current, _, other) = then.partition(" "), now.partition(" ")
    if pictures != current:
        return "the pictures have changed"
    return f"the network has changed from sha256 {network[:8]} to {other[:8]}"


def text_chunks(config: Config, run: Mapping[str, Any]) -> dict[str, str]:
    """Return the text that a PNG holds about its run.

    The picture will be passed on, so this leaves out the command, which tells where it was made.
    """
    record = {name: value for name, value in run.items() if name != "command"}
    return {"Software": "nst_jax", "config": json.dumps(to_dict(config)), "run": json.dumps(record)}


def require_free(folder: Path) -> None:
    """Raise `UserError` if `folder` already holds a run; the message names a process that is at it."""
    if (folder / "config.json").exists() or (folder / "result.png").exists():
        require_unclaimed(folder)
        raise UserError(f"--workdir: {folder} already holds a run; add --resume or choose another folder")


def require_place(folder: Path, settings: Mapping[str, Any], resume: bool) -> None:
    """Check that `folder` is free or, with `resume`, holds no run but one that began with these `settings`.

    Raises:
        UserError: it is not.
    """
    if not resume:
        require_free(folder)
    elif (folder / "config.json").exists():
        require_same(settings, read_settings(folder))


def read_settings(folder: str | Path, **fields: type) -> dict[str, Any]:
    """Return the contents of config.json in `folder`, which must have `fields` of these types.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        return read_json(Path(folder) / "config.json", **fields)
    except FileNotFoundError as error:
        raise UserError(f"--workdir: {folder} holds no run to resume (no config.json)") from error


def require_same(now: Mapping[str, Any], saved: Mapping[str, Any], growing: Collection[str] = ()) -> None:
    """Check that the settings of a resumed run are those it began with; fields in `growing` may be larger.

    Raises:
        UserError: the settings differ; the message names the first such field.
    """
    now, saved = (dotted(json.loads(json.dumps(fields))) for fields in (now, saved))  # tuples become lists
    for name in {**now, **saved}:
        new, old = now.get(name), saved.get(name)
        if (
            new != old
            and name not in FREE
            and not (name in growing and isinstance(new, int) and isinstance(old, int) and new > old)
        ):
            raise UserError(f"--resume: {name} is {new} now but was {old} when the run began")


def read_run(folder: str | Path, **fields: type) -> dict[str, Any]:
    """Return the contents of run.json in `folder`; empty if there is none.

    Raises:
        UserError: the file is damaged, or lacks one of `fields`.
    """
    try:
        return read_json(Path(folder) / "run.json", **fields)
    except FileNotFoundError:
        return {}
