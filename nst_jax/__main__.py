"""The front door: `nst-jax COMMAND ...`, or `python -m nst_jax COMMAND ...`."""

import gc
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from nst_jax import __version__
from nst_jax.errors import UserError, unknown
from nst_jax.terminal.ending import collect_from_here, run

HEADER = """nst-jax COMMAND [--FLAG=VALUE ...]: neural style transfer, and what ConvNets see

    nst-jax paint photo.jpg painting.jpg --out=result.jpg
    nst-jax paint photo.jpg painting.jpg --config=best --size=1024
    nst-jax COMMAND --help          the flags of a command, and the fields of its config
    nst-jax --version               the versions of nst_jax, Python and JAX, the device and the network
"""


class Command(NamedTuple):
    """A command: its module, its summary, the config it has by default, and the flags of its arguments."""

    module: str
    summary: str
    config: str = ""
    positional: tuple[str, ...] = ()


EXPERIMENTS = "nst_jax.experiments"
VALUED = ("--config", "--out", "--size", "--workdir")  # flags whose value may be the next argument
PICTURES = ("config.content", "config.style")
COMMANDS = {
    "paint": Command("nst_jax.run", "paint a photo in the style of a painting", "quick", PICTURES),
    "video": Command("nst_jax.video.__main__", "paint a clip in the style of a painting", "video", PICTURES),
    "sweep": Command("nst_jax.sweep", "paint many settings, or a folder of photos, and compare them"),
    "bench": Command(f"{EXPERIMENTS}.bench", "compare recipes on the same pictures", "bench"),
    "preview": Command("nst_jax.preview.__main__", "show a run or a sweep on a local page"),
    "film": Command("nst_jax.film", "make an animation of a run's snapshots"),
    "configs": Command("nst_jax.config.listing", "list the configs that ship with the package"),
    "weights": Command("nst_jax.weights.__main__", "list, download, convert and show networks"),
    "units": Command(
        f"{EXPERIMENTS}.top_patches", "find what units respond to in photos", "top_patches", ("config.data",)
    ),
    "concepts": Command(
        f"{EXPERIMENTS}.concepts",
        "find directions of a layer that mean something",
        "concepts",
        ("config.data",),
    ),
    "maximize": Command(f"{EXPERIMENTS}.maximize", "make pictures that activate units", "maximize"),
    "occlusion": Command(
        f"{EXPERIMENTS}.occlusion", "hide parts of a picture from a network", "occlusion", ("config.image",)
    ),
    "invariance": Command(f"{EXPERIMENTS}.invariance", "shift, scale and turn pictures", "invariance"),
    "evolution": Command(f"{EXPERIMENTS}.evolution", "show units through training", "evolution"),
    "correspondence": Command(
        f"{EXPERIMENTS}.correspondence", "compare object parts between pictures", "correspondence"
    ),
    "mix-scales": Command(
        f"{EXPERIMENTS}.mix_scales", "mix the strokes of one painting with another's forms", "mix_scales"
    ),
    "networks": Command(
        f"{EXPERIMENTS}.network_ablation", "paint one picture by several networks", "quick", PICTURES
    ),
}


def run_command() -> None:
    """Run the command of `sys.argv` and exit with its status."""
    run(main)


def main(argv: list[str]) -> int:
    """Run the command in `argv[1]` with the arguments after it; return its exit status.

    Raises:
        UserError: there is no such command, or it refuses its arguments.
    """
    name, *arguments = argv[1:] or ["--help"]
    if name in ("--help", "-h", "help"):
        print(HEADER, *(f"{name:15} {command.summary}" for name, command in COMMANDS.items()), sep="\n")
        return 0
    if name == "--version":
        print(versions())
        return 0
    if name not in COMMANDS:
        raise unknown("nst-jax", name, COMMANDS)
    command = COMMANDS[name]
    gc.disable()
    module = importlib.import_module(command.module)
    collect_from_here()
    return module.main([f"nst-jax {name}", *flags_of(command, arguments)])


def flags_of(command: Command, arguments: Sequence[str]) -> list[str]:
    """Return the flags for a command's module: pictures by position, `--size` for short, a default config.

    Raises:
        UserError: there are more pictures than the command takes.
    """
    if not command.config:
        return list(arguments)
    given, flags = _split(arguments)
    if len(given) > len(command.positional):
        takes = ", ".join(name.rpartition(".")[2].upper() for name in command.positional) or "no"
        raise UserError(f"unexpected argument {given[-1]!r}; this command takes {takes} and flags")
    named = any(flag.startswith(("--config=", "--resume")) for flag in flags)
    default = [] if named else [f"--config={command.config}"]
    return [
        *default,
        *(f"--{n}={value}" for n, value in zip(command.positional, given, strict=False)),
        *flags,
    ]


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divide arguments into those by position and flags, each with its value in one."""
    given: list[str] = []
    flags: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in VALUED:
            argument = f"{argument}={next(rest, '')}"
        if argument.startswith("--size="):
            argument = f"--config.{argument[2:]}"
        (flags if argument.startswith("-") else given).append(argument)
    return given, flags


def versions() -> str:
    """Describe this installation in two lines: versions and devices, and the network that `auto` takes."""
    import jax

    from nst_jax.weights.resolving import cached_of

    devices = ", ".join(sorted({device.device_kind for device in jax.devices()}))
    network = cached_of("vgg19")
    found = f"{network.name} (sha256 {network.sha256[:8]})" if network else "none yet; `weights fetch vgg19`"
    return (
        f"nst_jax {__version__}, Python {sys.version.split()[0]}, JAX {jax.__version__} on "
        f"{len(jax.devices())} x {devices}\nVGG-19 in the cache: {found}"
    )


if __name__ == "__main__":
    run_command()
