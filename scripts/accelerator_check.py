"""Check of one accelerator in one command: is it right, and how fast? Writes check.json and page.html.

    python scripts/accelerator_check.py --out=FOLDER [--minutes=8] [--sections=equality,steps] [--small]

Runs from a source tree without being installed, with JAX, flax, optax, NumPy, Pillow, SciPy, scikit-image,
h5py, safetensors, tqdm, absl-py, jaxtyping, ml_collections and platformdirs; PyTorch is compared with if it
is installed. Each section is a separate process with its share of the time: if it fails, hangs or runs out of
memory, its error is reported with what it had measured, and the next section starts. On a CPU, or with
`--small`, all sizes are small. Exit status: 0 if every section ended and every check held, else 1.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags
from accelerator_page import page
from accelerator_sizes import MINUTES, SECTIONS, sizes_for

from nst_jax import cli, files
from nst_jax.errors import UserError, unknown

WORKER = Path(__file__).with_name("accelerator_sections.py")
MACHINE_SECONDS = 120  # for importing JAX and starting the device
LAST_LINES = 12  # of a section's output, shown if it fails


class Clock(NamedTuple):
    """When everything has to end, by `time.monotonic`."""

    end: float

    def left(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self.end - time.monotonic())


def main(argv: list[str]) -> int:
    """Run all sections, write the results after each one, and return the exit status."""
    values = flags.FlagValues()
    flags.DEFINE_string("out", None, "output folder", flag_values=values)
    flags.DEFINE_float(
        "minutes", None, "time for everything; default: 8, on a CPU 4", 0.1, flag_values=values
    )
    flags.DEFINE_list("sections", list(SECTIONS), "sections to run", flag_values=values)
    flags.DEFINE_bool("small", False, "small sizes, as on a CPU", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    folder = _checked(values)
    began = time.monotonic()
    results: dict[str, Any] = {"began": time.strftime("%Y-%m-%d %H:%M:%S %Z"), "machine": {}, "sections": []}
    with tempfile.TemporaryDirectory(prefix="nst_jax-") as temporary:
        worker = Worker(folder, Path(temporary))
        machine = worker.run("machine", {}, MACHINE_SECONDS)
        if machine["status"] != "done":
            raise RuntimeError(f"JAX does not start: {machine['error']}")
        results["machine"] = machine["about"]
        sizes = sizes_for("cpu" if values.small else machine["about"]["platform"])
        clock = Clock(began + 60 * (values.minutes or MINUTES[sizes["name"]]))
        for index, name in enumerate(values.sections):
            shares = [sizes["shares"][section] for section in values.sections[index:]]
            section = worker.run(name, sizes, clock.left() * shares[0] / sum(shares))
            results["sections"].append(section)
            results["seconds"] = time.monotonic() - began
            _write(folder, results)
            print(f"{name}: {section['status']}, {section['seconds']:.0f} s", flush=True)
    sound = all(_is_sound(section) for section in results["sections"])
    print(f"{'all checks hold' if sound else 'not all checks hold'}: {folder / 'page.html'}")
    return 0 if sound else 1


class Worker:
    """Runs sections, each in a separate process that leaves its results in a file, line by line."""

    def __init__(self, folder: Path, temporary: Path):
        """Keep the output of sections in `folder`; their runs and the cache of programs in `temporary`."""
        self.folder, self.temporary = folder, temporary
        root = str(WORKER.parents[1])
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]),
            "NST_JAX_CACHE": str(temporary / "cache"),
            # Else the first process takes most of the memory, and its use is not seen.
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }

    def run(self, name: str, sizes: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Run a section for at most `seconds`; return its status, error, tables, checks and pictures."""
        began, lines, log = time.monotonic(), self.temporary / f"{name}.jsonl", self.folder / f"{name}.log"
        lines.touch()
        task = {"name": name, "lines": str(lines), "folder": str(self.temporary / name), "sizes": sizes}
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, WORKER, json.dumps(task)],
                env=self.environment,
                cwd=WORKER.parents[1],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its own processes can be ended with it
            )
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                _end(process)
        section = collected(lines.read_text())
        section |= {"name": name, "seconds": time.monotonic() - began, "status": "done", "error": ""}
        if status is None:
            section |= {"status": "out of time", "error": f"stopped after its share of {seconds:.0f} s"}
        elif status:
            section |= {"status": "failed", "error": "\n".join(log.read_text().splitlines()[-LAST_LINES:])}
        return section


def collected(lines: str) -> dict[str, Any]:
    """Arrange the lines that a section has left: rows by table, checks, pictures, and facts."""
    section: dict[str, Any] = {"about": {}, "tables": {}, "checks": [], "pictures": []}
    for line in lines.splitlines():
        entry = json.loads(line)
        if entry["kind"] == "row":
            section["tables"].setdefault(entry["table"], []).append(entry["values"])
        elif entry["kind"] == "about":
            section["about"] |= entry["values"]
        else:
            section[f"{entry['kind']}s"].append(entry["values"])
    return section


def _is_sound(section: dict[str, Any]) -> bool:
    return section["status"] == "done" and all(check["holds"] for check in section["checks"])


def _checked(values: flags.FlagValues) -> Path:
    """Return the folder to write to, which may hold the results of an earlier check.

    Raises:
        UserError: `--out` is missing or cannot be written, or a section is unknown.
    """
    if not values.out:
        raise UserError("--out: missing; give a folder for the results")
    for name in values.sections:
        if name not in SECTIONS:
            raise unknown("--sections", name, SECTIONS)
    folder = Path(values.out)
    if not files.is_writable(folder):
        raise UserError(f"--out: {folder} cannot be written")
    return folder


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a section and all its processes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _write(folder: Path, results: dict[str, Any]) -> None:
    files.write_json(folder / "check.json", results)
    files.write_text(folder / "page.html", page(results))


if __name__ == "__main__":
    cli.run(main)
