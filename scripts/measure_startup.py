"""Where the seconds of a run go from typing its command to result.png, with an empty cache and again.

    python scripts/measure_startup.py --config=configs/quick.py [--config.FIELD=VALUE ...]

Every run is a process of its own. The table has the seconds since its start at the end of each part; those of
a part are the difference to the line before it.
"""

import contextlib
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

BEGAN = "NST_STARTUP_BEGAN"  # the environment variable that tells a run when its process began

EVALUATION = "first evaluation"


def main() -> None:
    """Run twice, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        columns = []
        for index in range(2):
            command = [sys.executable, __file__, *sys.argv[1:], f"--workdir={folder}/{index}"]
            environment = {**os.environ, BEGAN: repr(time.time()), "NST_JAX_CACHE": f"{folder}/cache"}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            columns.append(json.loads(done.stdout.splitlines()[-1]))
    print("| at the end of | empty cache | again |\n| --- | --- | --- |")
    for (name, cold), (_, warm) in zip(*columns, strict=True):
        print(f"| {name} | {cold:.2f} | {warm:.2f} |")


def run(began: float) -> None:
    """Run as `python -m nst_jax.run` does, and print the seconds at the end of each part as JSON."""
    gc.disable()  # as in a command
    import nst_jax.run
    from nst_jax.optimizers.loop import Loop
    from nst_jax.terminal.ending import collect_from_here
    from nst_jax.transfer.minimizing import MinimizingSession

    marks: list[tuple[str, float]] = []

    def mark(name: str) -> None:
        marks.append((name, time.time() - began))

    def marked(owner: Any, name: str, title: Callable[..., str]) -> None:
        function = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named)
            if part := title(*arguments):
                mark(part)
            return result

        setattr(owner, name, call)

    def started(session: Any, jobs: Any, stage: Any, _: Any) -> str:
        return "start at {} x {} px".format(*jobs[0].size_at(stage.scale))

    def first_evaluation(*_: Any) -> str:
        return "" if any(name == EVALUATION for name, _ in marks) else EVALUATION

    collect_from_here()
    mark("imports")
    marked(nst_jax.run, "prepare", lambda config: "pictures and network")
    marked(nst_jax.run, "require_memory", lambda *_: "estimate of memory: the program at full size")
    marked(MinimizingSession, "begin", started)
    marked(Loop, "run_to", first_evaluation)
    with contextlib.redirect_stdout(sys.stderr):
        nst_jax.run.main([sys.argv[0], *sys.argv[1:]])
    mark("result.png")
    print(json.dumps(marks))


if __name__ == "__main__":
    if BEGAN in os.environ:
        run(float(os.environ[BEGAN]))
    else:
        main()
