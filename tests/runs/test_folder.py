"""Run folders: whole files, honest refusals."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_jax import files
from nst_jax.config import Config, from_dict, to_dict
from nst_jax.errors import UserError
from nst_jax.runs.checkpoint import Checkpoint, picture_digest
from nst_jax.runs.folder import RunFolder, read_settings, require_same
from nst_jax.runs.machine import environment
from nst_jax.storage.archives import write_archive


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run", Config(size=64))


def test_a_folder_begins_once(folder):
    assert not folder.begun()
    folder.begin()
    assert from_dict(read_settings(folder.path)) == folder.config
    with pytest.raises(UserError, match="already holds a run; add --resume"):
        folder.begin()


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    with pytest.raises(UserError, match=r"holds no run to resume \(no config\.json\)"):
        read_settings(tmp_path)
    (tmp_path / "config.json").write_text('{"size": 6')
    with pytest.raises(UserError, match=r"config\.json: cannot be read"):
        read_settings(tmp_path)


def test_a_checkpoint_comes_back_bit_for_bit(folder):
    leaves = [np.float32([[np.pi, -0.0]]), np.asarray(7, np.int32), np.zeros((0, 3), np.float32)]
    folder.save_checkpoint(Checkpoint(leaves, stage=2, seconds=0.1 + 0.2), "inputs")
    back = folder.load_checkpoint("inputs")
    assert (back.stage, back.seconds) == (2, 0.1 + 0.2)
    for a, b in zip(leaves, back.leaves, strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()


def test_a_checkpoint_that_calls_its_stage_a_scale_is_resumed(folder):
    saved = {
        "scale": "2",
        "seconds": "1.5",
        "identity": "inputs",
        "settings": json.dumps(to_dict(folder.config)),
    }
    write_archive(folder.path / "checkpoint.safetensors", {"0000": np.ones(3)}, saved)
    back = folder.load_checkpoint("inputs")
    assert (back.stage, back.seconds, len(back.leaves)) == (2, 1.5, 1)


def test_a_checkpoint_of_other_inputs_is_refused(folder):
    assert folder.load_checkpoint("inputs") is None
    folder.save_checkpoint(Checkpoint([], 0, 0.0), "inputs")
    with pytest.raises(UserError, match="the pictures have changed since"):
        folder.load_checkpoint("others")


def test_a_checkpoint_of_another_network_is_refused_and_its_own_is_known(folder):
    assert folder.network_digests() == set()
    folder.save_checkpoint(Checkpoint([], 0, 0.0), "pictures 1234567890")
    with pytest.raises(UserError, match="the network has changed from sha256 12345678 to abcdefgh since"):
        folder.load_checkpoint("pictures abcdefghij")
    assert folder.network_digests() == {"pictures", "1234567890"}
    (folder.path / "checkpoint.safetensors").write_bytes(b"?")
    (folder.path / "run.json").write_text('{"network": {"sha256": "1234567890"}}')
    assert folder.network_digests() == {"1234567890"}


def test_a_damaged_checkpoint_is_refused(folder):
    folder.save_checkpoint(Checkpoint([np.ones(100)], 0, 0.0), "inputs")
    path = folder.path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: cannot be read"):
        folder.load_checkpoint("inputs")


def test_the_result_carries_its_settings_and_ends_the_run(folder):
    folder.save_checkpoint(Checkpoint([], 0, 0.0), "inputs")
    assert not folder.finished()
    record = {"status": "done", "command": ["/home/me/run.py"]}
    path = folder.save_result(np.full((1, 4, 5, 3), 0.5, np.float32), record)
    assert folder.finished()
    assert not (folder.path / "checkpoint.safetensors").exists()
    with Image.open(path) as image:
        assert json.loads(image.text["config"]) == json.loads(json.dumps(to_dict(folder.config)))
        assert json.loads(image.text["run"]) == {"status": "done"}, "not where it was made"


@pytest.mark.parametrize("name", ["result.tif", "result.png"])
def test_a_run_without_its_result_is_not_finished(tmp_path, name):
    folder = RunFolder(tmp_path, Config(output="tiff16"))
    folder.save_result(np.zeros((1, 4, 5, 3), np.float32), {"status": "done"})
    assert folder.finished()
    (tmp_path / name).unlink()
    assert not folder.finished()


def test_an_interrupted_run_keeps_its_checkpoint(folder):
    folder.save_checkpoint(Checkpoint([], 0, 0.0), "inputs")
    folder.save_result(np.zeros((1, 4, 5, 3), np.float32), {"status": "interrupted"})
    assert not folder.finished()
    assert folder.load_checkpoint("inputs") is not None


def test_a_run_is_resumed_with_the_settings_that_it_began_with():
    require_same({"size": 64, "scales": (0.5, 1.0)}, {"size": 64, "scales": [0.5, 1.0]})
    with pytest.raises(UserError, match=r"--resume: size is 64 now but was 32 when the run began"):
        require_same({"size": 64}, {"size": 32})


def write_half(path):
    with files.atomic(path) as temporary:
        temporary.write_bytes(b"new, but only ha")
        raise RuntimeError


def test_an_atomic_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    files.write_bytes(path, b"old")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_where_a_file_stands_in_the_way_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot write .*file/inside"):
        files.write_bytes(tmp_path / "file" / "inside", b"")


def test_digests_tell_shapes_and_values_apart():
    a = np.zeros((2, 3), np.float32)
    assert picture_digest(a) == picture_digest(a.copy())
    assert len({picture_digest(a), picture_digest(a.T), picture_digest(a + 1), picture_digest(a, a)}) == 4


def test_the_environment_names_versions_and_device():
    found = environment()
    assert found["versions"].keys() >= {"python", "jax", "flax", "optax"}
    assert found["device"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_a_process_does_not_count_the_memory_of_the_one_that_started_it():
    large = np.ones(2**30 // 8)
    program = "from nst_jax.runs.machine import peak_memory_bytes as peak; print(peak())"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 1e7 < int(result.stdout) < large.nbytes
