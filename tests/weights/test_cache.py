import hashlib
import logging
import multiprocessing
import os
import threading

import pytest

from nst_jax.errors import UserError
from nst_jax.storage.locks import locked
from nst_jax.weights import cache, registry, resolve
from nst_jax.weights.download import DownloadError
from nst_jax.weights.registry import REGISTRY, Entry, automatic, lookup, mirrors, of_arch
from tests.weight_files import DATA, assert_same, conv1_1
from tests.weight_server import Reply, Server

FILE = (DATA / "conv1_1_zip.pth").read_bytes()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NST_JAX_CACHE", str(tmp_path / "cache"))
    for name in ("NST_JAX_MIRROR", "NST_JAX_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def entry(server, name="vgg19", arch="vgg19", content=FILE):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return Entry(name, arch, "vgg19 (test)", "w.pth", (f"{server.url}/w.pth",), len(FILE), digest, "me")


@pytest.fixture
def registered(monkeypatch):
    """A registry of one small network, on a server that answers well unless told otherwise."""
    with Server(FILE) as server:
        monkeypatch.setattr(registry, "REGISTRY", {"vgg19": entry(server)})
        yield server


def test_fetched_once_then_cached(registered, tmp_path):
    weights = resolve("vgg19", "vgg19", ["conv1_1"])
    assert_same(weights, conv1_1())
    assert weights.name == "vgg19 (test)"
    again = resolve("vgg19", "vgg19", ["conv1_1"])
    assert (again.sha256, again.name) == (weights.sha256, weights.name)
    assert len(registered.requests) == 1
    kept = {path.name for path in (tmp_path / "cache" / "weights").iterdir()}
    assert kept == {"vgg19.safetensors", "vgg19.safetensors.sha256", "vgg19.lock"}


@pytest.mark.parametrize("damage", ["data", "header", "record", "cut", "no record"])
def test_a_damaged_cache_is_noticed_and_made_anew(registered, damage, caplog):
    resolve("vgg19", "vgg19", ["conv1_1"])
    path = cache.path_of(registry.REGISTRY["vgg19"])
    record = path.with_name(path.name + ".sha256")
    content = bytearray(path.read_bytes())
    if damage == "no record":
        record.unlink()
    elif damage == "record":
        record.write_bytes(b"\xff\xfe")
    elif damage == "cut":
        path.write_bytes(content[:-100])
    else:
        content[-1 if damage == "data" else 20] ^= 1
        path.write_bytes(content)
    assert_same(resolve("auto", "vgg19", ["conv1_1"]), conv1_1())
    assert len(registered.requests) == 2
    assert caplog.text.count(f"{path} cannot be used") == 1
    assert cache.cached(registry.REGISTRY["vgg19"]) is not None


def test_a_named_network_never_falls_back(registered):
    registered.replies = [Reply(404)]
    with pytest.raises(DownloadError, match="404"):
        resolve("vgg19", "vgg19", ["conv1_1"])


def test_auto_falls_back_loudly(registered, caplog):
    registered.replies = [Reply(404)]
    weights = resolve("auto", "vgg19", ["conv5_1"])
    assert weights.name == "slim (embedded)"
    (record,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert "falling back to slim (embedded)" in record.getMessage()
    assert "404" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_auto_falls_back_where_the_cache_cannot_be_written(registered, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NST_JAX_CACHE", str(tmp_path / "file"))
    assert resolve("auto", "vgg19", ["conv1_1"]).name == "slim (embedded)"
    assert "cannot write" in caplog.text


def test_auto_is_the_embedded_network_where_that_is_asked_for(registered, caplog):
    assert resolve("auto", "slim", ["conv5_1"]).name == "slim (embedded)"
    assert not registered.requests
    assert not caplog.text


def test_the_embedded_network_ends_at_conv5_1(registered):
    registered.replies = [Reply(404)]
    with pytest.raises(UserError, match=r"slim \(embedded\) lacks conv5_2"):
        resolve("auto", "vgg19", ["conv5_2"])


def test_what_cannot_be_read_does_not_stay(registered, tmp_path, monkeypatch):
    registered.content = b"?" * len(FILE)
    monkeypatch.setitem(registry.REGISTRY, "vgg19", entry(registered, content=registered.content))
    with pytest.raises(UserError, match="not a supported weight format"):
        resolve("vgg19", "vgg19", ["conv1_1"])
    assert os.listdir(tmp_path / "cache" / "weights") == ["vgg19.lock"]


def test_the_institutes_mirror_comes_first(registered, monkeypatch):
    with Server(FILE) as mirror:
        monkeypatch.setenv("NST_JAX_MIRROR", f"{mirror.url}/weights/")
        resolve("vgg19", "vgg19", ["conv1_1"])
    assert mirror.requests == [("/weights/w.pth", None)]
    assert registered.requests == []


def test_too_few_layers(registered):
    with pytest.raises(UserError, match=r"lacks conv1_2, conv2_1.*it has conv1_1"):
        resolve("vgg19", "vgg19", ["conv2_1", "conv1_1"])


def test_two_threads_make_one_download(registered):
    registered.replies = [Reply(hang=0.3)]
    threads = [threading.Thread(target=resolve, args=("vgg19", "vgg19", ["conv1_1"])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registered.requests) == 1


def _hold(path, held, done):
    with locked(path):
        held.set()
        done.wait(10)


def test_the_lock_holds_between_processes_and_dies_with_its_holder(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path / "lock", held, done))
    process.start()
    assert held.wait(30)
    order = []

    def wait():
        with locked(tmp_path / "lock"):
            order.append("lock")

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(0.5)
    order.append("kill")
    process.kill()
    thread.join(10)
    process.join()
    process.close()
    assert order == ["kill", "lock"]


def test_names():
    with pytest.raises(UserError, match=r"network\.weights: unknown"):
        resolve("x" * 5000, "vgg19", ["conv1_1"])
    with pytest.raises(
        UserError, match=r"unknown 'vgg91'; did you mean 'vgg19'.*auto, random, vgg19, vgg19-8bit, vgg16"
    ):
        resolve("vgg91", "vgg19", ["conv1_1"])
    with pytest.raises(UserError, match=r"vgg16 requires network\.arch=vgg16, but it is vgg19"):
        resolve("vgg16", "vgg19", ["conv1_1"])
    assert lookup("vgg16").arch == "vgg16"
    assert [found.name for found in of_arch("vgg19")] == [*("vgg19", "vgg19-8bit", "vgg19-torchvision")]
    assert [found.name for found in automatic("vgg19")] == ["vgg19", "vgg19-8bit"]
    assert [found.name for found in automatic("vgg16")] == ["vgg16"]
    assert [found.name for found in automatic("resnet18")] == ["resnet18-torchvision"]


def test_the_registry_is_sound():
    for name, found in REGISTRY.items():
        assert found.name == name
        assert mirrors(found) == found.urls
        assert bool(found.urls) != bool(found.wheel)
        assert "CC BY" in found.origin or "BSD" in found.origin
        assert all(url.startswith("https://") for url in found.urls)
        assert all(url.endswith("/" + found.file_name) for url in found.urls)
        algorithm, digest = found.digest.split(":")
        whole = 2 * hashlib.new(algorithm, usedforsecurity=False).digest_size
        # Of some files, torchvision's name is all that is known: 8 digits, and no size.
        assert len(digest) == (whole if found.size else 8)
        assert found.size or found.file_name.endswith(f"-{digest}.pth")


def test_a_path_before_all(tmp_path):
    weights = resolve(str(DATA / "conv1_1_legacy.pth"), "vgg19", ["conv1_1"])
    assert weights.name == "conv1_1_legacy.pth"
