"""Config files: by path, or by name if they ship with the package, as `quick` or `sweeps/gatys2015_fig3`."""

import os
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nst_jax import configs
from nst_jax.errors import UserError, unknown

_NAMED = re.compile(r"(?P<path>([A-Za-z]:(?=[\\/]))?[^:]*)(?P<colon>:?)(?P<variant>.*)", re.DOTALL)


def split_variant(name: str) -> tuple[str, str, str]:
    """Return the path or name of a config, the colon and the variant; a path may have a drive, `C:/`."""
    match = _NAMED.fullmatch(name)
    assert match, "every text has this form"
    return match["path"], match["colon"], match["variant"]


class ConfigPath(str):
    """A path with its variant that ml_collections, which splits it at the first colon, splits as we do."""

    def split(self, separator: str | None = None, maxsplit: Any = -1) -> list[str]:
        """Return the path and, after a colon, the variant; `separator` is a colon."""
        path, colon, variant = split_variant(self)
        return [path, variant] if colon else [path]


def config_file(name: str) -> str:
    """Return the path of a config file, with its variant: `quick:x` gives `/.../configs/quick.py:x`.

    A path to a file wins over a name. Names may also be written as in a checkout, `configs/quick.py`.

    Raises:
        UserError: there is neither such a file nor such a name.
    """
    path, colon, variant = split_variant(name)
    if os.path.isfile(path):
        return name
    shipped = shipped_configs()
    key = path.replace(os.sep, "/").removeprefix("configs/").removesuffix(".py")
    if key in shipped:
        return f"{shipped[key]}{colon}{variant}"
    if path != key or {"/", os.sep} & {*path}:
        names = ", ".join(name for name in shipped if "/" not in name)
        raise UserError(f"--config: no such file: {path}; names: {names}, sweeps/NAME")
    raise unknown("--config", path, shipped)


def shipped_configs() -> dict[str, Path]:
    """Return the config files of the package by name."""
    folder = configs.ROOT / "configs"
    paths = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.py")}
    return {name: paths[name] for name in sorted(paths) if name != "sweeps/common"}


def make_importable() -> None:
    """Let config files of users import `configs.NAME` too, if they have no `configs` of their own."""
    if str(configs.ROOT) not in sys.path:
        sys.path.append(str(configs.ROOT))


def read_config(name: str) -> Any:
    """Return what `get_config()` of a config file returns; see `run_config`."""
    return run_config(name)[0]


def run_config(name: str) -> tuple[Any, Callable[..., Any] | None]:
    """Return the `get_config()` of a config file, given by path or name and variant, and its `sweep`, if any.

    Raises:
        UserError: there is no such file, it has no `get_config`, or that raises an exception.
    """
    path, _, variant = split_variant(config_file(name))
    make_importable()
    try:
        defined = runpy.run_path(path)
        get_config = defined["get_config"]
        return get_config(variant) if variant else get_config(), defined.get("sweep")
    except UserError:
        raise
    except Exception as error:  # config files are programs: any exception is an error in the file
        raise UserError(f"config: {path}: {type(error).__name__}: {error}") from error
