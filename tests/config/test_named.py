"""Configs by name, from any folder: in a checkout, and from a wheel."""

import os
import subprocess
import sys
import zipfile

import pytest
from absl import flags

from nst_jax import cli
from nst_jax.config import from_dict
from nst_jax.config.named import ConfigPath, config_file, read_config, shipped_configs, split_variant
from nst_jax.errors import UserError
from tests.command import ROOT, assert_refused, call

OWN = """
from ml_collections import ConfigDict

def get_config(size='64'):
    return ConfigDict({'size': int(size)})
"""


def test_a_name_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("quick", "configs/quick.py", "sweeps/gatys2015_fig3:quick", "gatys:normalized"):
        from_dict(read_config(name))
    assert config_file("quick") == str(ROOT / "configs/quick.py")
    assert config_file("gatys:normalized") == f"{ROOT / 'configs/gatys.py'}:normalized"
    assert {"quick", "gatys", "sweeps/gatys2015_fig3"} < set(shipped_configs())


def test_a_path_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/quick.py").write_text(OWN)
    assert from_dict(read_config("configs/quick.py")).size == 64
    assert from_dict(read_config("configs/quick.py:96")).size == 96
    assert from_dict(read_config("quick")).size == 512


PARTS = {
    "quick": ("quick", "", ""),
    "gatys:released": ("gatys", ":", "released"),
    "C:/x.py:variant": ("C:/x.py", ":", "variant"),
    "C:\\configs\\x.py": ("C:\\configs\\x.py", "", ""),
    "d:\\a b\\x.py:96": ("d:\\a b\\x.py", ":", "96"),
    "x.py:C:/y": ("x.py", ":", "C:/y"),
    "x.py:": ("x.py", ":", ""),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_drive_is_no_variant(name):
    assert split_variant(name) == PARTS[name]
    path, colon, variant = PARTS[name]
    assert ConfigPath(name).split(":", 1) == ([path, variant] if colon else [path])


def test_a_config_on_a_drive_is_run(tmp_path, monkeypatch):
    """Here, the drive is a folder of that name."""
    (tmp_path / "C:").mkdir()
    (tmp_path / "C:/x.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    assert from_dict(read_config("C:/x.py:96")).size == 96
    values = flags.FlagValues()
    cli.define_config(values, argv := ["run", "--config=C:/x.py:96"])
    cli.parse(values, argv, "")
    assert cli.config_value(values, "").size == 96
    assert (cli.config_path(values), cli.config_name(values)) == ("C:/x.py", "x-96")


# What a user's folder may hold beside the pictures, each of which Python finds before the shipped configs.
HIDING = {
    "a package": "configs/__init__.py",
    "a module": "configs.py",
    "a folder with a config of that name": "configs/gatys.py",
    "a folder of sweeps": "configs/sweeps/common.py",
}


@pytest.mark.parametrize("hiding", HIDING.values(), ids=HIDING)
def test_configs_of_a_user_do_not_hide_those_of_the_package(hiding, tmp_path):
    (tmp_path / hiding).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / hiding).write_text("")
    names = [name for name in shipped_configs() if name != "distill"]  # which needs its data
    code = f"from nst_jax.config.named import read_config\nfor name in {names}: read_config(name)\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_config_of_a_user_builds_on_a_shipped_one(tmp_path):
    for index, name in enumerate(("configs", "nst_jax.configs")):
        own = f"from {name} import quick\ndef get_config():\n    return quick.get_config()\n"
        (tmp_path / f"own{index}.py").write_text(own)
        assert from_dict(read_config(str(tmp_path / f"own{index}.py"))) == from_dict(read_config("quick"))


def test_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(UserError, match="did you mean 'quick'"):
        config_file("qick")
    with pytest.raises(UserError, match=r"no such file: mine.py; names: .*quick"):
        config_file("mine.py")
    (tmp_path / "bad.py").write_text("def get_config():\n    raise RuntimeError('no luck')\n")
    with pytest.raises(UserError, match=r"bad.py: RuntimeError: no luck"):
        read_config(str(tmp_path / "bad.py"))
    assert_refused(call("--config=qick"), "--config", "did you mean 'quick'")
    assert_refused(call("--config=quick", "--config.sise=3"), "did you mean 'size'")


CODE = """
import nst_jax
config = nst_jax.load_config("quick", size=64)
assert config.network.arch == "slim" and config.size == 64
assert nst_jax.__file__.startswith(FOLDER), nst_jax.__file__
from nst_jax.sweep import open_sweep, parse_flags
runs = open_sweep(parse_flags(["sweep", "--config=sweeps/gatys2015_fig3:quick"])).runs
assert len(runs) == 20
result = nst_jax.stylize("sample:coffee", "sample:swirls", size=32, scales=(1.0,), optimizer__steps=1)
assert result.image.size == (32, 21)
"""


@pytest.mark.slow
def test_a_wheel_finds_them_in_an_empty_folder(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT]
    subprocess.run(build, check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()
    code = f"FOLDER = {str(tmp_path)!r}\n{CODE}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "empty",
        env={"PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
