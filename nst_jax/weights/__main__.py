"""The command line for trained networks.

python -m nst_jax.weights list
python -m nst_jax.weights fetch NAME
python -m nst_jax.weights convert FILE [--arch=vgg19] [--preprocessing=...] [--out=FILE]
python -m nst_jax.weights show FILE_OR_NAME [--arch=vgg19]
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from nst_jax.errors import UserError
from nst_jax.networks.architectures import ARCHITECTURES
from nst_jax.networks.trained import PREPROCESSINGS, Weights
from nst_jax.weights import cache, oxford, registry
from nst_jax.weights.loading import load, stated_arch
from nst_jax.weights.readers.safetensors_file import save
from nst_jax.weights.resolving import resolve

_MIB = 1 << 20
_ARCH = "vgg19"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, 2 for a user error, or 130 after Ctrl-C."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.command(parsed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # as in `show vgg19 | head`: discard the rest, which is flushed at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m nst_jax.weights", description="Trained networks.")
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
        for url in registry.mirrors(entry):
            print(f"    {url}")


def _fetch(parsed: argparse.Namespace) -> None:
    entry = registry.lookup(parsed.name)
    weights = cache.cached(entry) or cache.obtain(entry)
    print(f"{weights.name}: {cache.path_of(entry)} (sha256 {weights.sha256})")


def _convert(parsed: argparse.Namespace) -> None:
    out = parsed.out or parsed.file.with_suffix(".safetensors")
    if out.resolve() == parsed.file.resolve():
        raise UserError(f"{out}: is also the input; choose another file with --out")
    preprocessing = PREPROCESSINGS.get(parsed.preprocessing)
    weights = load(parsed.file, _arch_of(parsed.file, parsed.arch), preprocessing)
    save(out, weights, parsed.file.name)
    print(f"{out}: {len(weights.layers())} layers (sha256 {weights.sha256})")


def _show(parsed: argparse.Namespace) -> None:
    _describe(_named(parsed.name, parsed.arch))


def _named(name: str, arch: str | None) -> Weights:
    """Like `resolve`, but without downloads."""
    if name not in registry.REGISTRY:
        return resolve(name, _arch_of(Path(name), arch), ())
    weights = cache.cached(registry.REGISTRY[name])
    if weights is None:
        raise UserError(f"{name} is not in the cache; run `python -m nst_jax.weights fetch {name}`")
    return weights


def _arch_of(file: Path, given: str | None) -> str:
    return given or (stated_arch(file) if os.path.exists(file) else None) or _ARCH


def _describe(weights: Weights) -> None:
    preprocessing = weights.preprocessing
    print(f"name           {weights.name}")
    print(f"arch           {weights.arch}")
    print(f"sha256         {weights.sha256}")
    print(
        f"preprocessing  {preprocessing.channels}, (x * {preprocessing.scale:g} - "
        f"{preprocessing.mean}) / {preprocessing.std}"
    )
    known = oxford.recognise(weights)
    for layer in weights.layers():
        shape = "x".join(str(size) for size in weights.arrays[f"{layer}.kernel"].shape)
        verdict = {True: "Oxford's", False: "not Oxford's", None: ""}[known.get(layer)]
        print(f"{layer:14} {shape:12} {verdict}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
