"""The sections of scripts/accelerator_check.py, which runs this file once for each: TASK is their JSON.

    python scripts/accelerator_sections.py TASK

Sections that time commands start them as a user does; this process then leaves the device alone.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
from accelerator_report import Report
from accelerator_runs import losses_at, nst_run, start
from accelerator_sizes import NETWORKS

from nst_jax.runs.progress import byte_count

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch")
LARGEST_TILES_STEPS = 2


def machine(report: Report, sizes: dict[str, Any], folder: Path) -> None:
    """The device as JAX names it, its memory, the versions, and the output of nvidia-smi."""
    import jax

    device, smi = jax.devices()[0], "not installed"
    try:
        smi = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        smi = f"not available: {error}"
    report.about(
        platform=device.platform,
        device=device.device_kind,
        devices=len(jax.devices()),
        memory=(device.memory_stats() or {}).get("bytes_limit"),
        cores=len(os.sched_getaffinity(0)),
        versions={name: metadata.version(name) for name in PACKAGES if util.find_spec(name)},
        nvidia_smi=smi,
    )


def equality(report: Report, sizes: dict[str, Any], folder: Path) -> None:
    """Losses and gradients against float64; runs on the device and the CPU; the same seed twice."""
    import accelerator_equality

    accelerator_equality.compare_objectives(report, sizes["equality"], folder)
    accelerator_equality.compare_runs(report, sizes["equality"], folder)


def steps(report: Report, sizes: dict[str, Any], folder: Path) -> None:
    """Whole runs of L-BFGS with each network and precision: speed without compilation, loss, memory."""
    size, count = sizes["steps"]["size"], sizes["steps"]["steps"]
    for precision in sizes["steps"]["precisions"]:
        for arch, weights in NETWORKS:
            name = f"{arch}-{precision}"
            network = {"arch": arch, "weights": weights, "precision": precision}
            fields = {f"network.{key}": value for key, value in network.items()}
            run = nst_run(
                folder / name,
                size=size,
                log_every=max(1, count // 10),
                **fields,
                **{"optimizer.steps": count},
            )
            settled = [line for line in run.metrics if line["step"] >= count // 2]
            seconds = settled[-1]["seconds"] - settled[0]["seconds"]
            evaluations = settled[-1]["evaluations"] - settled[0]["evaluations"]
            report.row(
                f"{count} steps of L-BFGS at {size} px",
                network=arch,
                precision=precision,
                wall_seconds=run.seconds,
                evaluations=settled[-1]["evaluations"],
                evaluations_per_second=evaluations / seconds if seconds else None,
                first_loss=run.metrics[0]["total"],
                final_loss=settled[-1]["total"],
                peak_memory=byte_count(run.record["peak_memory_bytes"]),
            )
            report.check(
                f"{arch} in {precision}: final over first loss",
                settled[-1]["total"] / run.metrics[0]["total"],
                1.0,
            )
            report.picture(f"{arch}, {precision}, {size} px, {count} steps", run.folder / "result.png")


def resume(report: Report, sizes: dict[str, Any], folder: Path) -> None:
    """A run that is interrupted, one that is killed, both resumed, and one left alone: the same bits."""
    asked = sizes["resume"]
    fields = {
        "network.arch": "slim",
        "size": asked["size"],
        "optimizer.steps": asked["steps"],
        "log_every": asked["log_every"],
    }
    whole = nst_run(folder / "whole", **fields)
    for name, number in (("interrupted", signal.SIGINT), ("killed", signal.SIGKILL)):
        path = folder / name
        process = start(path, **fields)
        reached = _wait_for_step(path, asked["steps"] // 4, process)
        process.send_signal(number)
        process.communicate()
        resumed = nst_run(path, "--resume", **fields)
        values = int(np.sum(whole.pixels() != resumed.pixels()))
        report.row(
            "Resumed runs against one left alone",
            run=name,
            at_step=reached,
            exit_status=process.returncode,
            steps=resumed.record["steps"],
            values_that_differ=values,
            same_losses=losses_at(whole) == losses_at(resumed),
        )
        report.check(f"{name} and resumed: values of the picture that differ", values, 0)


def _wait_for_step(path: Path, step: int, process: subprocess.Popen[str]) -> int:
    """Wait until a run has logged `step`; return the last step that it has logged."""
    file = path / "metrics.jsonl"
    while process.poll() is None:
        lines = file.read_text().splitlines()[:-1] if file.exists() else []
        if lines and (reached := json.loads(lines[-1])["step"]) >= step:
            return int(reached)
        time.sleep(0.01)
    raise RuntimeError(f"the run ended before it was stopped: {process.communicate()[1][-500:]}")


def sweep(report: Report, sizes: dict[str, Any], folder: Path) -> None:
    """The 20 cells of Gatys et al. 2015, Fig 3, as one batch and one after another."""
    import accelerator_sweep

    accelerator_sweep.compare(report, **sizes["sweep"])


def largest(report: Report, sizes: dict[str, Any], folder: Path) -> None:
    """Large pictures, whole and in tiles: the estimate beside the peak of the device's memory."""
    for size, tile in sizes["largest"]["pictures"]:
        fields = {"size": size, "tile": tile, "init": "content", "optimizer.steps": LARGEST_TILES_STEPS}
        network = {"network.arch": sizes["largest"]["arch"], "network.weights": "random"}
        row: dict[str, Any] = {"size": size, "tile": tile or "whole"}
        try:
            run = nst_run(folder / f"{size}-{tile}", **fields, **network)
        except RuntimeError as error:  # too large, which is a result as well
            report.row("Large pictures, two steps", **row, outcome=str(error))
            continue
        peak = run.record["peak_memory_bytes"]
        row |= {"outcome": run.record["status"], "estimate": run.estimate, "peak_memory": byte_count(peak)}
        report.row("Large pictures, two steps", **row, wall_seconds=run.seconds)


def benchmark(report: Report, sizes: dict[str, Any], folder: Path) -> None:
    """scripts/benchmark.py, one network and size at a time."""
    asked = sizes["benchmark"]
    for size in asked["sizes"]:
        for network in asked["networks"]:
            workdir = folder / f"{network.partition('=')[0]}-{size}"
            options = {"networks": network, "sizes": size, "evaluations": asked["evaluations"]}
            _benchmark(workdir, [f"--{name}={value}" for name, value in options.items()])
            measured = json.loads((workdir / "benchmark.json").read_text())
            for row in measured["evaluations"]:
                report.row("Seconds of a loss and gradient, against PyTorch", **_compared(row))


def _benchmark(workdir: Path, options: Sequence[str]) -> None:
    script = str(Path(__file__).with_name("benchmark.py"))
    # The section `steps` has bfloat16.
    fixed = ["--config=configs/gatys.py", "--rounds=1", "--compiled", "--nobfloat16"]
    command = [sys.executable, script, *fixed, *options]
    done = subprocess.run([*command, f"--workdir={workdir}"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"benchmark.py failed: {done.stderr[-2000:]}")


def _compared(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a row of the benchmark."""
    ours, theirs = row["jax"], row.get("torch")
    cells = {
        "network": row["arch"],
        "size": row["size"],
        "nst_jax": ours["seconds"],
        "of_peak": row["operations"] / ours["seconds"] / row["peak"],
        "first_step_cold": row["first_step_cold"]["total"],
        "peak_memory": byte_count(ours["peak_memory"]),
    }
    if theirs:
        cells |= {f"pytorch {name}": seconds for name, seconds in theirs["by_setting"].items()}
        cells |= {"ratio_to_fastest": ours["seconds"] / theirs["seconds"], "failed": theirs["failed"]}
    return cells


SECTIONS = {
    "machine": machine,
    "equality": equality,
    "steps": steps,
    "resume": resume,
    "sweep": sweep,
    "largest": largest,
    "benchmark": benchmark,
}


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    folder = Path(task["folder"])
    folder.mkdir(parents=True)
    SECTIONS[task["name"]](Report(Path(task["lines"])), task["sizes"], folder)
