"""Logs of other programs hold what metrics.jsonl and the pictures hold, once, also after a resume."""

import importlib.util
import json
import struct
import sys

import numpy as np
import pytest

from nst_jax.runs.logs.following import LOGS, FolderLog
from nst_jax.runs.logs.log import Log, Writer
from tests.command import assert_refused, call, metrics, pixels, tiny

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


def test_a_run_is_logged_for_tensorboard(tiny_weights, tmp_path):
    pytest.importorskip("tensorboardX")
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
    pytest.importorskip("tensorboardX")
    flags = tiny(tiny_weights, tmp_path, optimizer__steps=2, log_every=1)
    result = call(*flags, "--vary=seed=0,1", "--log=tensorboard", module="nst_jax.sweep")
    assert result.returncode == 0, result.stderr
    for run in ("0_seed=0", "1_seed=1"):
        assert [step for tag, step, _ in events(tmp_path / run) if tag == "total"] == [0, 1, 2]


def kept_log(begun=False):
    """A log that keeps what it is given, by run."""
    kept = {}

    def start(run, settings):
        curves, pictures = kept.setdefault(run.name, ({}, {}))
        return Writer(
            lambda step, values: curves.update({step: values}),
            lambda step, name, shown: pictures.update({(name, step): shown}),
            lambda: None,
            lambda: kept.update(closed=settings),
        )

    return Log("json", lambda run: begun, start), kept


def test_a_log_is_one_record(tiny_weights, tmp_path, monkeypatch):
    log, kept = kept_log()
    monkeypatch.setitem(LOGS, "kept", log)
    flags = tiny(tiny_weights, tmp_path, log_every=5, snapshot_every=10)
    result = call(*flags, "--log=kept")
    assert result.returncode == 0, result.stderr
    curves, pictures = kept[tmp_path.name]
    assert [(step, values["total"]) for step, values in curves.items()] == [
        (line["step"], line["total"]) for line in metrics(tmp_path)
    ]
    assert [*pictures] == [("picture", 10), ("picture", 20), ("result", 20)]
    np.testing.assert_array_equal(pictures["result", 20], pixels(tmp_path / "result.png"))
    assert (
        kept["closed"]["optimizer.steps"]
        == json.loads((tmp_path / "config.json").read_text())["optimizer"]["steps"]
    )
    monkeypatch.setitem(LOGS, "kept", kept_log(begun=True)[0])
    again = FolderLog("kept", tmp_path)
    again.update()
    assert not again._writers, "nothing is new"


def test_a_log_that_fails_does_not_stop_the_run(tiny_weights, tmp_path, monkeypatch):
    def start(run, settings):
        raise ConnectionError("no server")

    monkeypatch.setitem(LOGS, "kept", Log("json", lambda run: False, start))
    result = call(*tiny(tiny_weights, tmp_path), "--log=kept")
    assert result.returncode == 0
    assert "--log: kept fails, and is no longer written: no server" in result.stderr


def wandb_records(file):
    """The records of a log in LevelDB's format: blocks of 32 KiB, each record in one or more fragments."""
    data, position, record = file.read_bytes(), 7, b""
    while position + 7 <= len(data):
        left = 2**15 - position % 2**15
        if left < 7:
            position += left
            continue
        length, kind = struct.unpack("<HB", data[position + 4 : position + 7])
        record += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # the only fragment, or the last one
            yield record
            record = b""


def test_a_run_is_logged_for_wandb_offline(tiny_weights, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    result = call(*tiny(tiny_weights, tmp_path, log_every=5), "--log=wandb")
    assert result.returncode == 0, result.stderr
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    totals = {}
    for data in wandb_records(file):
        record = wandb_internal_pb2.Record.FromString(data)
        items = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        if "total" in items:
            totals[items["step"]] = items["total"]
    assert totals == {line["step"]: pytest.approx(line["total"]) for line in metrics(tmp_path)}


def test_a_run_is_logged_for_mlflow(tiny_weights, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    result = call(*tiny(tiny_weights, folder, log_every=5), "--log=mlflow")
    assert result.returncode == 0, result.stderr
    client, number = mlflow.MlflowClient(), (folder / "mlflow-id.txt").read_text()
    totals = {metric.step: metric.value for metric in client.get_metric_history(number, "total")}
    assert totals == {line["step"]: pytest.approx(line["total"]) for line in metrics(folder)}
    found = client.get_run(number)
    assert (found.info.status, found.data.params["size"]) == ("FINISHED", "48")
    assert [entry.path for entry in client.list_artifacts(number, "result")] == ["result/000020.png"]


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_log_whose_package_is_missing_is_refused(tiny_weights, tmp_path, monkeypatch, name):
    find = importlib.util.find_spec
    absent = LOGS[name].package
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda one, *rest: None if one == absent else find(one, *rest)
    )
    result = call(*tiny(tiny_weights, tmp_path / "x"), f"--log={name}")
    assert_refused(result, f"--log: {name} requires a package: pip install {absent}")
    assert not (tmp_path / "x").exists()


def test_an_unknown_log_is_refused(tiny_weights, tmp_path):
    assert_refused(call(*tiny(tiny_weights, tmp_path / "x"), "--log=csv"), "log", "tensorboard|wandb|mlflow")
