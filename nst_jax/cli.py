"""Shared by all commands: the config flag, exit statuses, the log format and the compilation cache."""

import logging as std_logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from absl import flags, logging
from ml_collections import config_flags

from nst_jax.config import fields
from nst_jax.errors import UserError
from nst_jax.files import cache_dir

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130

Settings = TypeVar("Settings")


class AdaptingParser(flags.ArgumentParser):
    """A parser that passes its result through a function."""

    def __init__(self, parser: flags.ArgumentParser, adapt: Callable[[Any], Any]):
        """Wrap `parser`."""
        self._parser, self._adapt = parser, adapt

    def parse(self, argument: Any) -> Any:
        """Parse `argument` and adapt the result."""
        return self._adapt(self._parser.parse(argument))

    def flag_type(self) -> str:
        """The type of the flag, for its help."""
        return str(self._parser.flag_type())


def define_config(
    values: flags.FlagValues, argv: Sequence[str], adapt: Callable[[Any], Any] = lambda config: config
) -> None:
    """Add `--config=FILE[:variant]` and its `--config.x.y=...` overrides to `values`.

    `adapt` receives the config of the file, and returns the one to which the overrides are applied.
    """
    config_flags.DEFINE_config_file(
        "config",
        help_string="config file with get_config(), e.g. configs/gatys.py or configs/gatys.py:normalized",
        flag_values=values,
        # Unknown names are accepted here and rejected in config/, which also sees typos inside the file.
        lock_config=False,
        accept_new_attributes=True,
        sys_argv=config_first(argv),
    )
    values["config"].parser = AdaptingParser(values["config"].parser, adapt)


def define_resumable(
    values: flags.FlagValues, argv: Sequence[str], adapt: Callable[[Any], Any] = lambda config: config
) -> None:
    """Add the flags of a resumable command: `--config` (see `define_config`), `--workdir`, `--resume`."""
    define_config(values, argv, adapt)
    flags.DEFINE_string(
        "workdir", None, "output folder; default: runs/<config name>-<time>", flag_values=values
    )
    flags.DEFINE_bool("resume", False, "continue the run in --workdir", flag_values=values)


def parse(values: flags.FlagValues, argv: Sequence[str], usage: str) -> None:
    """Parse `argv` into `values`.

    Raises:
        UserError: a flag is unknown or has a value of the wrong type, or the config file is missing or fails.
    """
    flags.DEFINE_bool("help", False, "show this help", short_name="h", flag_values=values)
    try:
        extra = values(config_first(argv))[1:]
    except flags.Error as error:
        raise UserError(_last_line(error)) from error
    except (Exception, SystemExit) as error:
        # Config files are Python programs, so any exception here comes from the config file.
        raise UserError(f"--config: {type(error).__name__}: {_last_line(error)}") from error
    if values.help:
        print(usage, values.main_module_help() or values.get_help(), sep="\n\n")
        sys.exit(0)
    if extra:
        raise UserError(f"unexpected argument {extra[0]!r}; flags start with --")


def parse_experiment(
    argv: Sequence[str], settings: type[Settings], usage: str, example: str
) -> tuple[Settings, Path]:
    """Return the settings and the output folder of an experiment with the flags `--config` and `--workdir`.

    Raises:
        UserError: see `parse` and `config_value`; also if a setting is invalid.
    """
    values = flags.FlagValues()
    define_config(values, argv)
    default = f"runs/{Path(example).stem}"
    flags.DEFINE_string("workdir", default, "output folder", flag_values=values)
    parse(values, argv, usage)
    return fields.from_config(settings, config_value(values, example)), Path(values.workdir)


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


def config_path(values: flags.FlagValues) -> str:
    """The file part of `--config`, without its variant."""
    return config_flags.get_config_filename(values["config"]).partition(":")[0]


def config_name(values: flags.FlagValues) -> str:
    """The config's name: `gatys` for configs/gatys.py, `gatys-released` for configs/gatys.py:released."""
    path, _, variant = config_flags.get_config_filename(values["config"]).partition(":")
    stem = os.path.splitext(os.path.basename(path))[0]
    return f"{stem}-{variant}" if variant else stem


def work_folder(values: flags.FlagValues) -> Path:
    """`--workdir`, or a new folder named after the config and the time."""
    name = f"runs/{config_name(values)}-{time.strftime('%Y%m%d-%H%M%S')}"
    return Path(values.workdir or name)


def config_first(argv: Sequence[str]) -> list[str]:
    """`argv` with `--config` moved to the front: its overrides are unknown flags until the file is loaded."""
    program, *arguments = argv
    for index, argument in enumerate(arguments):
        if argument.lstrip("-").partition("=")[0] == "config" and argument.startswith("-"):
            end = index + (1 if "=" in argument else 2)
            return [program, *arguments[index:end], *arguments[:index], *arguments[end:]]
    return list(argv)


def run(main: Callable[[list[str]], int]) -> NoReturn:
    """Call `main(argv)` and exit with its status, or with 2 on a user error, 130 on Ctrl-C and 1 on a bug."""
    _plain_logs()
    try:
        status = main(sys.argv)
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        status = EXIT_USER_ERROR
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    sys.exit(status)


def use_compilation_cache() -> None:
    """Cache compiled programs in the per-user cache folder, unless `JAX_COMPILATION_CACHE_DIR` is set."""
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        import jax

        jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _plain_logs() -> None:
    flags.FLAGS(["nst_jax"])  # otherwise absl warns about logging before its own flags are parsed
    logging.use_absl_handler()
    handler = logging.get_absl_handler()
    handler.setFormatter(std_logging.Formatter("%(levelname)s: %(message)s"))
    handler.python_handler.stream = sys.stderr


def _last_line(error: BaseException) -> str:
    """The last line of an error message, which states the cause even if the message is a traceback."""
    # str() of a KeyError is the repr of its argument, with all its lines in one: use the argument itself.
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    return lines[-1].removeprefix("nst_jax.errors.UserError: ") if lines else "no message"
