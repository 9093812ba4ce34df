"""The command line in the form that absl and ml_collections expect."""

import json
import keyword
import re
from collections.abc import Sequence
from typing import Any

from absl import flags
from ml_collections import ConfigDict
from ml_collections.config_flags import config_path

from nst_jax.config.named import config_file
from nst_jax.config.tables import LayerTable, StyleTable
from nst_jax.errors import UserError, unknown

_OVERRIDE = re.compile(r"(?P<dashes>--?(no)?config\.)(?P<path>[^=]*)(?P<value>=.*)?", re.DOTALL)


def prepared(argv: Sequence[str]) -> list[str]:
    """Return `argv` with flag files read, and `--config` at the front, as a path even if it is a name.

    Its overrides are unknown flags until the file is loaded. Names in them may be any text, as in
    `--config.styles.my-style.image`, and a whole tuple replaces the ones before it.

    Raises:
        UserError: there is no such config file or flag file, or a name cannot be used.
    """
    program, *arguments = _with_flag_files(argv)
    arguments = _last_tuples([_quoted(argument) for argument in arguments])
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in ("-config", "--config"):
            end = index + (1 if equals else 2)
            value = value if equals else "".join(arguments[index + 1 : end])
            return [program, f"--config={config_file(value)}", *arguments[:index], *arguments[end:]]
    return [program, *arguments]


def check_overrides(config: Any, argv: Sequence[str]) -> None:
    """Check that the overrides in the prepared `argv` set single fields of `config`.

    Raises:
        UserError: one leads through a field that `config` lacks or that has no subfields, or sets a section.
    """
    for match in filter(None, map(_OVERRIDE.fullmatch, argv)):
        path = config_path.split(match["path"])
        section = config
        for depth, name in enumerate(path):
            here = ".".join(map(str, path[: depth + 1]))
            if not isinstance(section, ConfigDict):
                above = ".".join(map(str, path[:depth]))
                raise UserError(f"config field {here}: {above} has no subfields")
            if name in section or isinstance(section, StyleTable | LayerTable):
                section = section[name]
            elif depth < len(path) - 1:
                raise unknown(f"config field {here}", name, section)
            else:
                section = None  # an unknown field, which the typed settings will refuse
        if isinstance(section, ConfigDict) and not (match["value"] or "").startswith("={"):
            raise UserError(f"--config.{here}: is not a single field; set its fields as --config.{here}.NAME")


def _with_flag_files(argv: Sequence[str]) -> list[str]:
    try:
        return flags.FlagValues().read_flags_from_files(list(argv), force_gnu=False)
    except (flags.Error, UnicodeError) as error:
        raise UserError(f"--flagfile: {str(error).removeprefix('ERROR:: ')}") from error


def _quoted(argument: str) -> str:
    """Quote the names in an override that ml_collections, which reads paths as Python, would misread."""
    match = _OVERRIDE.fullmatch(argument)
    if not match or "[" in match["path"]:
        return argument
    first, *others = names = match["path"].split(".")
    for name in names:
        if not name or hasattr(ConfigDict, name):
            raise UserError(f"--config.{match['path']}: {name!r} cannot be the name of a field")
    if not _is_plain(first):
        raise UserError(f"--config.{match['path']}: there is no field {first!r}")
    # absl allows no space in the name of a flag.
    literals = {name: json.dumps(name).replace(" ", "\\u0020") for name in others}
    path = first + "".join(f".{name}" if _is_plain(name) else f"[{literals[name]}]" for name in others)
    return f"{match['dashes']}{path}{match['value'] or ''}"


def _is_plain(name: str) -> bool:
    # Python normalises letters outside ASCII, so that a name would come back changed.
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def _last_tuples(arguments: Sequence[str]) -> list[str]:
    """Drop the values of an override before its last whole tuple: ml_collections joins them into one."""
    last = {
        argument.partition("=")[0]: index
        for index, argument in enumerate(arguments)
        if _OVERRIDE.fullmatch(argument) and argument.partition("=")[2][:1] in ("(", "[")
    }
    return [
        argument
        for index, argument in enumerate(arguments)
        if index >= last.get(argument.partition("=")[0], 0)
    ]
