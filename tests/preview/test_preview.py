"""The preview: what it reads from a folder, what it serves, and what it keeps to itself."""

import json
import subprocess
import urllib.error
import urllib.request

import numpy as np
import pytest

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.preview.server import PreviewServer
from nst_jax.preview.watching import MOST_POINTS, folder_state
from nst_jax.runs.folder import RunFolder
from nst_jax.sweeps import plan
from nst_jax.sweeps.sweep_folder import Sweep
from tests.command import ROOT, assert_refused, call, command, tiny

MODULE = "nst_jax.preview"
CONFIG = {"size": 64, "content": "sample:coffee", "scales": (0.5, 1.0), "optimizer": {"steps": 100}}


def line(step, scale=0.5, seconds=0.0, total=1.0):
    return {
        "step": step,
        "evaluations": step,
        "seconds": seconds,
        "scale": scale,
        "total": total,
        "style": total,
    }


def half_done(path, config=CONFIG, shade=0.5) -> RunFolder:
    """A run at step 50 of 200, at 10 steps a second, with one snapshot."""
    folder = RunFolder(path, from_dict(config))
    folder.begin()
    for step in range(0, 51, 10):
        folder.metrics.write(line(step, seconds=2 + step / 10, total=10.0 ** -(step / 10)))
    folder.save_snapshot(50, np.full((1, 21, 32, 3), shade, np.float32))
    return folder


def finish(folder: RunFolder, shade=0.75) -> None:
    record = {
        "status": "done",
        "steps": 200,
        "network": {"name": "tiny", "arch": "slim"},
        "wall_seconds": 9.0,
    }
    folder.save_result(np.full((1, 43, 64, 3), shade, np.float32), record)


def test_the_state_of_a_run(tmp_path):
    folder = half_done(tmp_path / "mine")
    state = folder_state(tmp_path / "mine")
    expected = {"kind": "run", "name": "mine", "status": "painting", "step": 50, "steps": 200}
    assert {name: state[name] for name in expected} == expected
    assert state["rate"] == pytest.approx(10)
    # 50 steps of this size at 10 a second, then 100 steps with four times the pixels.
    assert state["left"] == pytest.approx(5 + 100 * 4 / 10)
    assert state["picture"] == "progress/000050.png"
    curves = state["curves"]
    assert (curves["across"]["step"][:2], curves["terms"]["style"][:2]) == ([0, 10], [1.0, 0.1])
    assert state["pictures"] == [{"file": "progress/000050.png", "step": 50}]
    finish(folder)
    state = folder_state(tmp_path / "mine")
    assert (state["status"], state["picture"], state["left"]) == ("done", "result.png", None)
    assert [picture["step"] for picture in state["pictures"]] == [50, None], "the result has no step"


def test_long_runs_and_values_that_are_not_finite_can_be_sent(tmp_path):
    folder = RunFolder(tmp_path, from_dict(CONFIG))
    folder.begin()
    folder.metrics.path.write_text(
        "".join(json.dumps(line(s, total=float("nan"))) + "\n" for s in range(2000))
    )
    curves = folder_state(tmp_path)["curves"]
    steps, totals = curves["across"]["step"], curves["terms"]["total"]
    assert MOST_POINTS <= len(steps) == len(totals) <= MOST_POINTS + 2
    assert (steps[-1], totals[-1]) == (1999, None)
    assert json.loads(json.dumps(folder_state(tmp_path), allow_nan=False))


def made_sweep(path) -> Sweep:
    cells = [((p, s), {"network.pool": p, "seed": s}) for p in ("avg", "max") for s in (0, 1)]
    sweep = Sweep(path, "mine", plan.plan_runs(CONFIG, cells))
    sweep.save()
    return sweep


def test_the_state_of_a_sweep_that_fills_up(tmp_path):
    sweep = made_sweep(tmp_path)
    state = folder_state(tmp_path)
    assert (state["kind"], state["ended"], state["columns"]) == ("sweep", 0, 2)
    assert [run["status"] for run in state["runs"]] == ["waiting"] * 4
    finish(half_done(tmp_path / sweep.runs[1].folder))
    half_done(tmp_path / sweep.runs[2].folder)
    state = folder_state(tmp_path)
    assert [run["status"] for run in state["runs"]] == ["waiting", "done", "painting", "waiting"]
    assert state["runs"][1]["title"] == "network.pool avg, seed 1"
    assert state["ended"] == 1


def fetch(address, **headers):
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as answer:
        return answer.read()


def status(address, **headers):
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(address, **headers)
    caught.value.close()
    return caught.value.code


def test_what_is_served_and_what_is_not(tmp_path):
    run = tmp_path / "run"
    half_done(run)
    secret = tmp_path / "secret.png"
    images.write(secret, np.zeros((1, 16, 16, 3), np.float32))
    (run / "progress/000060.png").symlink_to(secret)
    with PreviewServer(run).in_background() as server:
        assert server.address.startswith("http://127.0.0.1:")
        assert b"<h1>run</h1>" in fetch(server.address)
        assert json.loads(fetch(server.address + "state.json"))["step"] == 50
        assert fetch(server.address + "progress/000050.png") == (run / "progress/000050.png").read_bytes()
        assert fetch(server.address + "before.png?x").startswith(b"\x89PNG")
        hidden = ("../secret.png", "%2e%2e/secret.png", "config.json", "metrics.jsonl", "progress/000060.png")
        for path in (*hidden, "progress/../../secret.png", "//etc/passwd", "result.png"):
            assert status(server.address + path) == 404, path
        assert status(server.address, Host="evil.example") == 403, "a name that leads here"
        assert status(server.address + "state.json", Host="evil.example:80") == 403


def test_another_address_needs_its_token(tmp_path):
    half_done(tmp_path)
    with PreviewServer(tmp_path, "127.0.0.2").in_background() as server:
        root, token = server.address.rstrip("/").rsplit("/", 1)
        assert len(token) >= 20
        assert json.loads(fetch(server.address + "state.json"))["kind"] == "run"
        assert status(root + "/") == 404
        assert status(root + "/state.json") == 404
        assert status(f"{root}/{token[:-1]}x/state.json") == 404
        with pytest.raises(UserError, match="cannot listen"):
            PreviewServer(tmp_path, "127.0.0.2", server.server_address[1])


def test_where_the_photo_is_gone_the_first_snapshot_stands_for_it(tmp_path):
    half_done(tmp_path, {**CONFIG, "content": str(tmp_path / "gone.jpg")})
    with PreviewServer(tmp_path).in_background() as server:
        assert fetch(server.address + "before.png") == (tmp_path / "progress/000050.png").read_bytes()


def test_the_command_serves_until_ctrl_c(tmp_path):
    half_done(tmp_path)
    process = subprocess.Popen(command(tmp_path, module=MODULE), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    address = process.stdout.readline().split()[1]
    assert json.loads(fetch(address + "state.json"))["step"] == 50
    process.send_signal(2)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_refused_in_one_line(tmp_path):
    assert_refused(call(tmp_path, module=f"{MODULE}.__main__"), str(tmp_path), "no run and no sweep")
    assert_refused(call(module=f"{MODULE}.__main__"), "expected one folder")
    assert_refused(call(tmp_path, "--prot=3", module=f"{MODULE}.__main__"), "prot")


def test_a_run_shows_its_preview(tiny_weights, tmp_path):
    result = call(*tiny(tiny_weights, tmp_path / "run", optimizer__steps=2), "--preview")
    assert result.returncode == 0, result.stderr
    assert "preview: http://127.0.0.1:" in result.stdout
