"""The list of configs, by name: what each is, and the command that takes it."""

from nst_jax.config.described import command_in, docstring
from nst_jax.config.named import shipped_configs
from nst_jax.errors import UserError


def main(argv: list[str]) -> int:
    """Print every config that ships with the package, by command; return the exit status."""
    if argv[1:] and argv[1] not in ("--help", "-h"):
        raise UserError(f"configs: unexpected argument {argv[1]!r}; it takes none")
    by_command: dict[str, list[str]] = {}
    for name, path in shipped_configs().items():
        text = docstring(path)
        by_command.setdefault(command_in(text), []).append(f"    {name:28} {text.splitlines()[0]}")
    for command, lines in by_command.items():
        print(f"{command} --config=NAME", *lines, sep="\n")
    return 0
