"""A run's folder: its settings, results and what resuming needs; every file is whole or absent."""

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import safetensors
from safetensors.numpy import save_file

from nst_jax import config as configs
from nst_jax import files, images
from nst_jax.config import Config
from nst_jax.errors import UserError
from nst_jax.report import Metrics

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "pillow")


class Checkpoint(NamedTuple):
    """Where a run stands: the optimiser's state at a scale, and what was spent so far."""

    leaves: list[np.ndarray]  # of the optimiser's state, in pytree order
    scale: int  # index into config.scales
    seconds: float


class RunFolder:
    """A run's files: result.png, config.json, run.json, metrics.jsonl, progress/, checkpoint.safetensors."""

    def __init__(self, path: str | Path, config: Config):
        """Name the folder; nothing is written yet."""
        self.path = Path(path)
        self.config = config
        self.metrics = Metrics(self.path / "metrics.jsonl")

    def begin(self) -> None:
        """Make the folder and write config.json.

        Raises:
            UserError: the folder holds a run already, or cannot be written.
        """
        if self.begun() or (self.path / "result.png").exists():
            raise UserError(f"--workdir: {self.path} holds a run already; add --resume, or choose another")
        files.write_json(self.path / "config.json", configs.to_dict(self.config))

    def begun(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / "config.json").exists()

    def finished(self) -> bool:
        """Whether the run came to its end."""
        return read_run(self.path).get("status") == "done"

    def save_checkpoint(self, checkpoint: Checkpoint, identity: str) -> None:
        """Replace the checkpoint; `identity` tells which inputs it belongs to."""
        arrays = {f"{i:04d}": leaf for i, leaf in enumerate(checkpoint.leaves)}
        about = {
            "scale": str(checkpoint.scale),
            "seconds": repr(checkpoint.seconds),
            "identity": identity,
        }
        with files.atomic(self._checkpoint) as temporary:
            # Straight from the arrays to the file: of a large picture's state there is no room for a copy.
            try:
                save_file(arrays, temporary, metadata=about)
            except safetensors.SafetensorError as error:
                raise OSError(str(error)) from error

    def load_checkpoint(self, identity: str) -> Checkpoint | None:
        """The saved checkpoint, or None where there is none.

        Raises:
            UserError: it is damaged, or belongs to other pictures or weights.
        """
        if not self._checkpoint.exists():
            return None
        try:
            with safetensors.safe_open(self._checkpoint, "numpy") as file:
                about = file.metadata()
                leaves = [file.get_tensor(key) for key in sorted(file.keys())]
        except (safetensors.SafetensorError, OSError) as error:
            raise UserError(f"{self._checkpoint}: cannot be read: {error}") from error
        if about["identity"] != identity:
            raise UserError(
                f"{self._checkpoint}: the pictures or weights are not those that the run began with"
            )
        return Checkpoint(leaves, int(about["scale"]), float(about["seconds"]))

    def save_snapshot(self, step: int, image: np.ndarray) -> None:
        """Write the picture of a step into progress/."""
        images.write(self.path / "progress" / f"{step:06d}.png", image)

    def save_result(self, image: np.ndarray, run: Mapping[str, Any]) -> Path:
        """Write result.png with the settings in its text, and run.json."""
        result = self.path / "result.png"
        settings = json.dumps(configs.to_dict(self.config))
        images.write(result, image, {"Software": "nst_jax", "config": settings, "run": json.dumps(run)})
        files.write_json(self.path / "run.json", run)
        if run["status"] == "done":
            self._checkpoint.unlink(missing_ok=True)
        return result

    @property
    def _checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"


def read_config(path: str | Path) -> Config:
    """The settings of the run in the folder `path`.

    Raises:
        UserError: the folder holds no config.json, or a damaged one.
    """
    file = Path(path) / "config.json"
    try:
        return configs.from_dict(json.loads(file.read_text()))
    except FileNotFoundError as error:
        raise UserError(f"--workdir: {path} holds no run to resume (no config.json)") from error
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from error


def read_run(path: str | Path) -> dict[str, Any]:
    """run.json of the folder `path`; empty where there is none."""
    file = Path(path) / "run.json"
    return json.loads(file.read_text()) if file.exists() else {}


def environment() -> dict[str, Any]:
    """Package versions and device, for run.json."""
    device = jax.devices()[0]
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES},
        },
        "device": f"{device.platform}: {device.device_kind}",
        "command": sys.argv,
    }


def peak_memory_bytes() -> int:
    """The most memory held so far: the accelerator's, or this process's on a CPU; 0 where nobody counts."""
    statistics = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in statistics:
        return int(statistics["peak_bytes_in_use"])
    # Not getrusage, which on Linux also remembers the process that started this one.
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines.get("VmHWM", "0 kB").split()[0]) * 1024
    if sys.platform != "darwin":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def digest(*arrays: np.ndarray) -> str:
    """Sha256 of the shapes and bytes of `arrays`."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(str(array.shape).encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
