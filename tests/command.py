"""Running the project's commands as a user does."""

import contextlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from nst_jax import cli
from nst_jax.terminal.signals import SIGNALS

ROOT = Path(__file__).parents[1]
# Most of the time of a small run goes into compiling, so runs are no deeper than what they test needs.
SHALLOW = {
    "content_layers.conv4_2": 0,
    "content_layers.conv2_1": 1,
    **{f"style_layers.conv{block}_1": 0 for block in (3, 4, 5)},
}


def command(*flags: object, module: str = "nst_jax.run") -> list[str]:
    return [sys.executable, "-m", module, *map(str, flags)]


def call(*flags: object, module: str = "nst_jax.run", **environment: str) -> subprocess.CompletedProcess[str]:
    """What `python -m module` does, in this process, which has its imports and compiled programs already."""
    argv, out, err = [module, *map(str, flags)], io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.dict(os.environ, environment),
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _signals_as_before(),
        pytest.raises(SystemExit) as ended,
    ):
        cli.run(importlib.import_module(module).main)
    return subprocess.CompletedProcess(argv, int(ended.value.code or 0), out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _signals_as_before() -> Iterator[None]:
    """A command that has ended leaves its process to die at the next signal: not this one."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    hook = sys.unraisablehook
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def call_process(
    *flags: object, module: str = "nst_jax.run", **environment: str
) -> subprocess.CompletedProcess[str]:
    """`python -m module` as a user's shell starts it: slower, and the only way to see a real exit."""
    return subprocess.run(
        command(*flags, module=module),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def tiny(weights: Path, workdir: Path, shallow: bool = True, **fields: object) -> list[str]:
    """Flags of a run that takes seconds: a narrow network, a small picture, and two layers if `shallow`."""
    settings = {
        **(SHALLOW if shallow else {}),
        "network.arch": "slim",
        "network.weights": weights,
        "size": 48,
        "optimizer.name": "adam",  # compiles in a third of the time of L-BFGS
        "optimizer.steps": 20,
        "content": "sample:coffee",
        "style": "sample:stained_glass",
        **{name.replace("__", "."): value for name, value in fields.items()},
    }
    return [
        f"--config={ROOT / 'configs' / 'gatys.py'}",
        f"--workdir={workdir}",
        *(f"--config.{name}={value}" for name, value in settings.items()),
    ]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit status 2, and one line on stderr that holds all `words`."""
    assert result.returncode == 2, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0], result.stderr
