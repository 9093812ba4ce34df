"""TensorBoard's events hold what metrics.jsonl and the pictures hold, once, also after a resume."""

import struct
import sys

import pytest

from tests.command import assert_refused, call, metrics, tiny

pytest.importorskip("tensorboardX")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def events(folder):
    """(tag, step, value or None for a picture) of all events, read from the records of the files."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for file in sorted(folder.glob("events.out.tfevents.*")):
        data = file.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            for value in event.summary.value:
                is_picture = value.HasField("image")
                found.append((value.tag, event.step, None if is_picture else value.simple_value))
    return found


def test_a_run_is_logged(tiny_weights, tmp_path):
    flags = tiny(tiny_weights, tmp_path, log_every=5, snapshot_every=10)
    result = call(*flags, "--log=tensorboard")
    assert result.returncode == 0, result.stderr
    found = events(tmp_path)
    totals = {step: value for tag, step, value in found if tag == "total"}
    assert totals == {line["step"]: pytest.approx(line["total"], rel=1e-6) for line in metrics(tmp_path)}
    assert [(tag, step) for tag, step, value in found if value is None] == [
        ("picture", 10),
        ("picture", 20),
        ("result", 20),
    ]
    assert {"style/conv1_1", "content", "evaluations"} <= {tag for tag, _, _ in found}
    assert "tensorflow" not in sys.modules
    again = call(*flags, "--log=tensorboard", "--resume")
    assert again.returncode == 0, again.stderr
    assert events(tmp_path) == found


@pytest.mark.slow
def test_every_run_of_a_sweep_is_logged(tiny_weights, tmp_path):
    flags = tiny(tiny_weights, tmp_path, optimizer__steps=2, log_every=1)
    result = call(*flags, "--vary=seed=0,1", "--log=tensorboard", module="nst_jax.sweep")
    assert result.returncode == 0, result.stderr
    for run in ("0_seed=0", "1_seed=1"):
        assert [step for tag, step, _ in events(tmp_path / run) if tag == "total"] == [0, 1, 2]


def test_refused(tiny_weights, tmp_path, monkeypatch):
    assert_refused(call(*tiny(tiny_weights, tmp_path / "x"), "--log=wandb"), "log", "tensorboard")
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    result = call(*tiny(tiny_weights, tmp_path / "x"), "--log=tensorboard")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(
        "error: --log: tensorboard requires a package: pip install"
    )
    assert not (tmp_path / "x").exists()
