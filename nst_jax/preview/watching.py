"""The state of a run or a sweep as its folder tells it, for the page of the preview."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nst_jax.config import Config, flat, from_dict
from nst_jax.config.stages import stages_of, total_steps
from nst_jax.errors import UserError
from nst_jax.figures.curves import loss_curves
from nst_jax.runs.folder import read_run, read_settings
from nst_jax.runs.metrics import Metrics
from nst_jax.storage.json_files import require_fields
from nst_jax.sweeps.axes import columns_of, titles
from nst_jax.sweeps.sweep_folder import FINAL, Sweep

SILENT_SECONDS = 120  # after which a run without a result is taken for one that was killed
RATE_LINES = 8  # of metrics.jsonl, over which the speed is measured
MOST_POINTS = 400  # of a curve


def folder_state(path: Path) -> dict[str, Any]:
    """Return the state of the run or sweep in the folder `path`, as JSON-compatible values.

    Raises:
        UserError: the folder holds neither a run nor a sweep, or a file in it is damaged.
    """
    if (path / "sweep.json").exists():
        return _sweep_state(path)
    if not (path / "config.json").exists():
        raise UserError(f"preview: {path} holds no run and no sweep yet (no config.json or sweep.json)")
    config = from_dict(read_settings(path))
    lines = _lines(path)
    settings = {name: _text(value) for name, value in flat(config).items()}
    return {
        "kind": "run",
        "name": path.resolve().name,
        **_progress(path, config, lines),
        "pictures": _pictures(path),
        "curves": loss_curves(config, lines, MOST_POINTS),
        "settings": settings,
    }


def newest_picture(path: Path) -> Path | None:
    """Return the result of a run, or else its newest snapshot, or None."""
    return next((file for file in reversed(_picture_files(path)) if file.is_file()), None)


def _picture_files(path: Path) -> list[Path]:
    """The snapshots of a run, in order, and the result."""
    return [*sorted((path / "progress").glob("*.png")), path / "result.png"]


def _pictures(path: Path) -> list[dict[str, Any]]:
    """Every picture of a run: its file, and the step of a snapshot."""
    return [
        {
            "file": file.relative_to(path).as_posix(),
            "step": int(file.stem) if file.stem.isdecimal() else None,
        }
        for file in _picture_files(path)
        if file.is_file()
    ]


def _sweep_state(path: Path) -> dict[str, Any]:
    sweep = Sweep.load(path)
    runs, title_of = [], titles(sweep.runs)
    for run in sweep.runs:
        progress = _progress(path / run.folder, run.config, _lines(path / run.folder))
        runs.append({"folder": run.folder, "title": title_of[run.folder], **progress})
    ended = sum(run["status"] in FINAL for run in runs)
    return {
        "kind": "sweep",
        "name": sweep.name,
        "status": "done" if ended == len(runs) else "painting",
        "ended": ended,
        "columns": columns_of(sweep.runs),
        "runs": runs,
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, with all the numbers that the page needs."""
    metrics = Metrics(path / "metrics.jsonl")
    lines = metrics.read()
    try:
        for line in lines:
            require_fields(line, evaluations=int, seconds=float, scale=float, total=float)
    except ValueError as error:
        raise UserError(f"{metrics.path}: is damaged: {error}") from error
    return lines


def _progress(path: Path, config: Config, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Where a run is: its status, steps, speed, time left, and newest picture."""
    record = read_run(path, status=str, network=dict)
    steps = total_steps(config)
    step = lines[-1]["step"] if lines else 0
    rate = _rate(lines)
    picture = newest_picture(path)
    age = time.time() - (path / "metrics.jsonl").stat().st_mtime if lines else None
    status = record.get("status") or ("painting" if lines else "waiting")
    return {
        "status": "silent" if status == "painting" and (age or 0) > SILENT_SECONDS else status,
        "step": step,
        "steps": steps,
        "seconds": lines[-1]["seconds"] if lines else 0,
        "rate": rate,
        "left": _left(config, lines[-1], rate) if rate and status == "painting" else None,
        "total": _finite(lines[-1]["total"]) if lines else None,
        "picture": picture.relative_to(path).as_posix() if picture else None,
        "version": picture.stat().st_mtime_ns if picture else 0,
        "network": record.get("network", {}).get("name"),
    }


def _rate(lines: Sequence[Mapping[str, Any]]) -> float | None:
    """Steps per second over the last lines of the current scale."""
    recent = [line for line in lines[-RATE_LINES:] if line["scale"] == lines[-1]["scale"]]
    if len(recent) < 2 or recent[-1]["seconds"] <= recent[0]["seconds"]:
        return None
    return (recent[-1]["step"] - recent[0]["step"]) / (recent[-1]["seconds"] - recent[0]["seconds"])


def _left(config: Config, line: Mapping[str, Any], rate: float) -> float:
    """Seconds to the end; the time of a step is taken to be proportional to the pixels."""
    begin, work = 0, 0.0
    for stage in stages_of(config):
        remaining = min(stage.steps, max(0, begin + stage.steps - line["step"]))
        work += remaining * (stage.scale / line["scale"]) ** 2
        begin += stage.steps
    return work / rate


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
