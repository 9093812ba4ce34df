"""Markdown tables of the results of scripts/benchmark.py, and power laws of their growth."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

MIB = 2.0**20


def machine() -> dict[str, Any]:
    """Return the processor's name, and how many of its cores this process may use."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {"cpu": named[0] if named else platform.processor(), "cores": len(os.sched_getaffinity(0))}


def summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summarise all runs of one side: median and extremes of the timings, and peak memory."""
    seconds = np.concatenate([run["seconds"] for run in runs])
    return {
        "seconds": float(np.median(seconds)),
        "fastest": float(seconds.min()),
        "slowest": float(seconds.max()),
        "peak_memory": max(run["peak_memory"] for run in runs),
        "baseline_memory": min(run["baseline_memory"] for run in runs),
        "settings": sorted({run["setting"] for run in runs if "setting" in run}),
        **({"by_setting": _by_setting(runs), "failed": runs[0]["failed"]} if "by_setting" in runs[0] else {}),
    }


def _by_setting(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The median over the runs of each setting, which not every run may have."""
    names = dict.fromkeys(name for run in runs for name in run["by_setting"])
    timed = {name: [run["by_setting"][name] for run in runs if name in run["by_setting"]] for name in names}
    return {name: float(np.median(seconds)) for name, seconds in timed.items()}


def growth(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Fit the powers of the pixels by which time, and memory without the runtime's, grow."""
    laws = []
    for arch in dict.fromkeys(row["arch"] for row in rows):
        for side in ("jax", "torch"):
            used = [row for row in rows if row["arch"] == arch and side in row]
            pixels = np.array([row["pixels"] for row in used], float)
            if len(set(pixels)) < 2:
                continue
            measured = [row[side] for row in used]
            seconds = np.array([entry["seconds"] for entry in measured])
            memory = np.array([entry["peak_memory"] - entry["baseline_memory"] for entry in measured], float)
            powers = {"time": _power(pixels, seconds), "memory": _power(pixels, memory)}
            laws.append({"arch": arch, "side": side, **powers})
    return laws


def _power(pixels: np.ndarray, amounts: np.ndarray) -> float:
    """Return b of the law a * pixels^b, fitted to `amounts` by least squares in the logarithm."""
    return float(np.polyfit(np.log(pixels), np.log(np.maximum(amounts, 1e-9)), 1)[0])


def report(measured: dict[str, Any]) -> str:
    """Format all results as Markdown."""
    rows, races = measured["evaluations"], measured["losses"]
    parts = [_head(measured)] + ([_evaluations(rows, measured["against_torch"])] if rows else [])
    parts += [f"- {_law(law)}" for law in measured["growth"]]
    return "\n".join(parts + ([_races(races)] if races else []))


def _head(measured: dict[str, Any]) -> str:
    hardware = measured["machine"]
    rows = measured["evaluations"] or measured["losses"]
    peak = np.median([row["peak"] for row in rows]) / 1e9 if rows else float("nan")
    lines = [
        f"{hardware['cpu']}, {hardware['cores']} cores; {rows[0]['device'] if rows else ''}; "
        f"matrix products reach {peak:.0f} GFLOP/s",
    ]
    if not measured["against_torch"]:
        lines.append("PyTorch is not installed, so it is not measured.")
    return "\n".join(lines) + "\n"


def _evaluations(rows: Sequence[dict[str, Any]], against_torch: bool) -> str:
    names = ["network", "px", "s / evaluation", "of peak", "peak memory", "first step cold", "warm"]
    names += ["in bfloat16"]
    names += ["PyTorch s", "PyTorch memory", "ours / PyTorch", "PyTorch in bfloat16"] if against_torch else []
    lines = [_line(names), _line(["---"] * len(names))]
    for row in rows:
        ours = row["jax"]
        share = row["operations"] / ours["seconds"] / row["peak"]
        cells = [row["arch"], row["size"], _spread(ours), f"{share:.0%}", _mib(ours)]
        cells += [_first_step(row[f"first_step_{state}"]) for state in ("cold", "warm")]
        cells.append(f"{np.median(row['jax_bfloat16']):.3f}" if "jax_bfloat16" in row else "")
        if theirs := row.get("torch"):
            ratio = ours["seconds"] / theirs["seconds"]
            cells += [f"{_spread(theirs)} {'/'.join(theirs['settings'])}", _mib(theirs), f"{ratio:.2f}"]
            cells.append(
                ", ".join(f"{s:.3f}" for name, s in theirs["by_setting"].items() if "bfloat16" in name)
            )
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _races(rows: Sequence[dict[str, Any]]) -> str:
    names = ["network", "px", "from", "loss", "s", "evaluations at full size"]
    names += ["PyTorch s", "line search", "ours / PyTorch"]
    lines = ["", _line(names), _line(["---"] * len(names))]
    for row in rows:
        ours, theirs = row["jax"], row["torch"]
        reached = "" if ours["reached"] else f" (not reached: {ours['loss']:.4g})"
        cells = [row["arch"], row["size"], row["start"], f"{row['target']:.4g}{reached}"]
        cells += [_seconds(ours["seconds"]), f"{ours['full_evaluations']:.0f}"]
        cells += [_seconds(theirs["seconds"][-1]), theirs["setting"], f"{row['ratio']:.2f}"]
        lines.append(_line(cells))
    return "\n".join(lines)


def _law(law: dict[str, Any]) -> str:
    library = {"jax": "nst_jax", "torch": "PyTorch"}[law["side"]]
    time, memory = law["time"], law["memory"]
    return f"{law['arch']}, {library}: time grows as pixels^{time:.2f}, memory as pixels^{memory:.2f}"


def _line(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _spread(side: dict[str, Any]) -> str:
    return f"{side['seconds']:.3f} ({side['fastest']:.3f} to {side['slowest']:.3f})"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _first_step(step: dict[str, float] | None) -> str:
    """Format the total, and the parts of it that were measured."""
    if step is None:
        return ""
    parts = [f"{part} {step[part]:.1f}" for part in ("targets", "tracing", "programs")]
    return f"{step['total']:.1f} ({', '.join(parts)})"


def _mib(side: dict[str, Any]) -> str:
    return f"{side['peak_memory'] / MIB:.0f} MiB"
