"""Shared by all commands: their flags, settings and output folder."""

import difflib
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from absl import flags
from ml_collections import config_flags
from ml_collections.config_flags.config_path import split

from nst_jax.config import Config, arguments, fields
from nst_jax.config.described import command_in, docstring, help_lines
from nst_jax.config.effects import changed_fields
from nst_jax.config.named import (
    ConfigPath,
    config_file,
    make_importable,
    shipped_configs,
    split_variant,
)
from nst_jax.devices.compilation_cache import use_compilation_cache as use_compilation_cache
from nst_jax.errors import UserError
from nst_jax.storage.locks import claimed
from nst_jax.terminal.ending import run as run

Settings = TypeVar("Settings")


class AdaptingParser(flags.ArgumentParser):
    """A parser that passes its result through a function."""

    def __init__(self, parser: flags.ArgumentParser, adapt: Callable[[Any], Any]):
        """Wrap `parser`."""
        self._parser, self._adapt = parser, adapt

    def parse(self, argument: Any) -> Any:
        """Parse `argument` and adapt the result."""
        return self._adapt(self._parser.parse(ConfigPath(argument)))

    def flag_type(self) -> str:
        """The type of the flag, for its help."""
        return str(self._parser.flag_type())


CONFIG_MODULE = "config_config"  # in which ml_collections runs the file of --config


def define_config(
    values: flags.FlagValues, argv: Sequence[str], adapt: Callable[[Any], Any] = lambda config: config
) -> None:
    """Add `--config=FILE[:variant]` and its `--config.x.y=...` overrides to `values`.

    `adapt` receives the config of the file, and returns the one to which the overrides are applied.
    """
    make_importable()
    # ml_collections runs a file in the module that an earlier command of this process has left.
    sys.modules.pop(CONFIG_MODULE, None)
    argv = arguments.prepared(argv)

    def checked(config: Any) -> Any:
        arguments.check_overrides(adapted := adapt(config), argv)
        return adapted

    config_flags.DEFINE_config_file(
        "config",
        help_string="a config by name, e.g. quick or gatys:normalized, or a Python file with get_config()",
        flag_values=values,
        # Unknown names are accepted here and rejected in config/, which also sees typos inside the file.
        lock_config=False,
        accept_new_attributes=True,
        sys_argv=argv,
    )
    values["config"].parser = AdaptingParser(values["config"].parser, checked)


def define_resumable(
    values: flags.FlagValues, argv: Sequence[str], adapt: Callable[[Any], Any] = lambda config: config
) -> None:
    """Add the flags of a resumable command: `--config` (see `define_config`), `--workdir`, `--resume`."""
    define_config(values, argv, adapt)
    define_workdir(values)
    flags.DEFINE_bool("resume", False, "continue the run in --workdir", flag_values=values)


def define_workdir(values: flags.FlagValues) -> None:
    """Add the flag `--workdir`."""
    flags.DEFINE_string(
        "workdir", None, "output folder; default: runs/<config name>-<time>", flag_values=values
    )


def parse(values: flags.FlagValues, argv: Sequence[str], usage: str, settings: type | None = None) -> None:
    """Parse `argv` into `values`; `--help` lists the fields of the dataclass `settings`, if there is one.

    Raises:
        UserError: a flag is unknown or has a value of the wrong type, or the config file is missing or fails.
    """
    flags.DEFINE_bool("help", False, "show this help", short_name="h", flag_values=values)
    try:
        extra = values(arguments.prepared(argv))[1:]
    except flags.UnrecognizedFlagError as error:
        raise _unknown_flag(error.flagname, values, settings) from error
    except flags.Error as error:
        cause = error.__context__
        raise cause if isinstance(cause, UserError) else UserError(_last_line(error)) from error
    except (Exception, SystemExit) as error:
        # Config files are Python programs, so any exception here comes from the config file.
        raise UserError(f"--config: {type(error).__name__}: {_last_line(error)}") from error
    if values.help:
        print(usage, values.get_help(), sep="\n\n")
        if settings:
            print("\nfields of the config, set as --config.FIELD=VALUE:", *help_lines(settings), sep="\n  ")
        sys.exit(0)
    if extra:
        raise UserError(f"unexpected argument {extra[0]!r}; flags start with --")


def run_experiment(
    argv: Sequence[str],
    kind: type[Settings],
    usage: str,
    example: str,
    experiment: Callable[[Settings, Path], None],
) -> int:
    """Run an `experiment` with settings of this `kind` in a new or empty `--workdir`; return 0.

    Raises:
        UserError: see `parse` and `config_value`; also if a setting is invalid, or the folder is not empty.
    """
    values = flags.FlagValues()
    define_config(values, argv)
    define_workdir(values)
    parse(values, argv, usage, kind)
    checked = settings(values, partial(fields.from_config, kind), example)
    use_compilation_cache()
    folder = work_folder(values)
    with claimed(folder, new=True):
        experiment(checked, folder)
    return 0


def settings(values: flags.FlagValues, build: Callable[[Any], Settings], example: str) -> Settings:
    """Return what `build` makes of `--config`: the settings of this command, which has the config `example`.

    Raises:
        UserError: see `config_value`; or a field is invalid, or the config is that of another command.
    """
    config = config_value(values, example)
    try:
        return build(config)
    except fields.UnknownFieldError:
        command = command_in(config_program().get("__doc__"))
        if command and command != command_in(docstring(split_variant(config_file(example))[0])):
            raise UserError(f"--config: {config_name(values)} is a config for {command}") from None
        raise


def config_value(values: flags.FlagValues, example: str) -> Any:
    """The ConfigDict built by `--config`.

    Raises:
        UserError: the flag is missing (the message suggests the `example`), or its file does not exist.
    """
    config = values["config"].value
    if config is None:
        raise UserError(f"--config: missing; try --config={example}")
    path = config_path(values)
    if not os.path.isfile(path):
        raise UserError(f"--config: no such file: {path}")
    if "style" in config_flags.get_override_values(values["config"]) and config.get("styles"):
        raise UserError(
            f"--config.style: has no effect beside styles ({', '.join(config.styles)}); set --config.styles."
            f"{next(iter(config.styles))}.image instead"
        )
    return config


def given_fields(values: flags.FlagValues, config: Config) -> list[str]:
    """The dotted names of the fields of `config` that the user set, by flags or in a file of their own."""
    flagged = config_flags.get_override_values(values["config"])
    names = [".".join(map(str, split(path))) for path in flagged]
    if Path(config_path(values)).resolve() not in map(Path.resolve, shipped_configs().values()):
        names += changed_fields(config)
    return list(dict.fromkeys(names))


def config_path(values: flags.FlagValues) -> str:
    """The file part of `--config`, without its variant."""
    return split_variant(config_flags.get_config_filename(values["config"]))[0]


def config_program() -> dict[str, Any]:
    """Everything that the file of `--config` has defined."""
    return vars(sys.modules[CONFIG_MODULE])


def config_name(values: flags.FlagValues) -> str:
    """The config's name: `gatys` for configs/gatys.py, `gatys-released` for configs/gatys.py:released."""
    path, _, variant = split_variant(config_flags.get_config_filename(values["config"]))
    stem = os.path.splitext(os.path.basename(path))[0]
    return f"{stem}-{variant}" if variant else stem


def work_folder(values: flags.FlagValues) -> Path:
    """`--workdir`, or a new folder named after the config and the time.

    Raises:
        UserError: `--workdir` is empty, or missing although there is `--resume`.
    """
    if values.workdir is None and "resume" in values and values.resume:
        raise UserError("--resume: name the run folder with --workdir")
    if values.workdir == "":
        raise UserError("--workdir: is empty; give the path of a folder")
    if values.workdir is not None:
        return Path(values.workdir)
    return Path(f"runs/{config_name(values)}-{time.strftime('%Y%m%d-%H%M%S')}")


def resuming(module: str, folder: Path) -> str:
    """Return the command that resumes what was interrupted in `folder`."""
    return f"python -m {module} --workdir={shlex.quote(str(folder))} --resume"


def _unknown_flag(flag: str, values: flags.FlagValues, settings: type | None) -> UserError:
    """The error for a flag that does not exist, which may be a field of the config or a misspelt flag."""
    if flag.startswith("config.") and "config" in values and values["config"].value is None:
        return UserError(f"--{flag}: changes a field of a config; add --config=FILE")
    known = [f"config.{path}" for path in fields.paths(settings)] if settings else []
    near = [name for name in known if name.rpartition(".")[2] == flag.rpartition(".")[2]]
    near = near or difflib.get_close_matches(flag, [*values, *known], n=1)
    hint = f"; did you mean --{near[0]}?" if near else "; --help lists the flags"
    return UserError(f"--{flag}: unknown flag{hint}")


def _last_line(error: BaseException) -> str:
    """The last line of an error message, which states the cause even if the message is a traceback."""
    # str() of a KeyError is the repr of its argument, with all its lines in one: use the argument itself.
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    return lines[-1].removeprefix("nst_jax.errors.UserError: ") if lines else "no message"
