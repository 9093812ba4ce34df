"""Compiled programs that are kept from one command to the next, which then need not trace them.

The compilation cache of JAX spares the compiler, but a program is traced and lowered before it is looked up
there: that takes 0.5 s for a step of L-BFGS. Here, it is looked up by a digest of its functions, the shapes
of their arguments, and whatever else tracing depends on. If one of these has changed, the program is traced
and looked up by its text. What cannot be told for certain to be the same is left to `jax.jit`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax

from nst_jax.devices import surroundings
from nst_jax.devices.fingerprint import UnknownError, fingerprint
from nst_jax.devices.program_files import Record, load_code, read_record, save_code, save_record

_CACHED_FROM = "jax_persistent_cache_min_compile_time_secs"
_folder: Path | None = None


def keep_programs(folder: Path | None) -> None:
    """Keep the programs of this process in `folder`; None ends that."""
    global _folder
    _folder = folder


class Shapes(NamedTuple):
    """The structure of arguments, and for each array its shape, its type, and whether that is weak."""

    structure: Any
    leaves: tuple[tuple[tuple[int, ...], str, bool], ...]


@dataclass
class _Program:
    """What is known of a program, and the program itself once it is needed."""

    record: Record
    executable: jax.stages.Compiled | None = None


class KeptProgram:
    """A function of pytrees of arrays, which is compiled for each of their shapes.

    On a CPU, its programs are kept if `keep_programs` says so; elsewhere, it is one of `jax.jit`.
    """

    def __init__(self, function: Callable[..., Any], identity: Any, **options: Any):
        """Wrap `function`, which depends on nothing but `identity`; `options` are those of `jax.jit`.

        If `identity` is None, nothing is kept.
        """

        def kept(*arguments: Any) -> Any:
            return function(*arguments)

        self._jitted: Any = jax.jit(function, **options)
        # Unused arguments stay, because the text of a program does not tell which of them have been left out.
        # Its name is unlike all in the cache of JAX: what has been loaded from there cannot be serialised.
        self._kept = jax.jit(kept, keep_unused=True, **options)
        self._identity, self._options = identity, options
        self._programs: dict[Shapes, _Program | None] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        return (self._executable(arguments) or self._jitted)(*arguments)

    def compiled(self, *arguments: Any) -> jax.stages.Compiled:
        """The program for arguments of these shapes."""
        return self._executable(arguments) or self._jitted.lower(*arguments).compile()

    def temporary_bytes(self, *arguments: Any) -> int:
        """Memory of the program for arguments of these shapes, besides them and its result."""
        program = self._found(arguments)
        return program.record.temporary_bytes if program else _temporary_bytes(self.compiled(*arguments))

    def result(self, *arguments: Any) -> Any:
        """The shapes of the result for arguments of these shapes."""
        return jax.eval_shape(self._jitted, *arguments)

    @property
    def count(self) -> int:
        """Number of programs in use: one per shape."""
        return int(self._jitted._cache_size()) + sum(map(bool, self._programs.values()))

    def _executable(self, arguments: tuple[Any, ...]) -> jax.stages.Compiled | None:
        """The program for `arguments`; None if it cannot be kept."""
        program = self._found(arguments)
        if program is None:
            return None
        if program.executable is None:
            shapes, record = _shapes(arguments), program.record
            loaded = load_code(_file(record.code), shapes.structure, record.result)
            program.executable = loaded or self._made(shapes, arguments).executable  # the file is damaged
        return program.executable

    def _found(self, arguments: tuple[Any, ...]) -> _Program | None:
        """The program for `arguments`, which need not be loaded yet; None if it cannot be kept."""
        if self._identity is None or _folder is None or not _on_first_cpu(arguments):
            return None
        shapes = _shapes(arguments)
        if shapes not in self._programs:
            self._programs[shapes] = self._looked_up(shapes, arguments)
        return self._programs[shapes]

    def _looked_up(self, shapes: Shapes, arguments: tuple[Any, ...]) -> _Program | None:
        try:
            around = (surroundings.of_compiling(), surroundings.of_tracing())
            program = (self._identity, self._options, shapes.structure, repr(shapes.leaves))
            name = fingerprint((around, program))
        except (UnknownError, OSError):  # or the source cannot be read
            return None
        if record := read_record(_file(name)):
            return _Program(record)
        made = self._made(shapes, arguments)
        save_record(_file(name), made.record)
        return made

    def _made(self, shapes: Shapes, arguments: tuple[Any, ...]) -> _Program:
        """Trace the program, and compile it unless one of the same text is kept."""
        lowered = self._kept.lower(*arguments)
        code = fingerprint(
            (surroundings.of_compiling(), self._options, repr(shapes.leaves), lowered.as_text())
        )
        program = load_code(_file(code), shapes.structure, lowered.out_tree)
        if program is None:
            with _not_cached():
                program = lowered.compile()
            save_code(_file(code), program)
        return _Program(Record(code, lowered.out_tree, _temporary_bytes(program)), program)


def _file(name: str) -> Path:
    assert _folder
    return _folder / name


def _shapes(arguments: tuple[Any, ...]) -> Shapes:
    leaves, structure = jax.tree.flatten((arguments, {}))  # without named arguments
    return Shapes(
        structure, tuple((leaf.shape, str(leaf.dtype), getattr(leaf, "weak_type", False)) for leaf in leaves)
    )


def _on_first_cpu(arguments: tuple[Any, ...]) -> bool:
    """Whether a program for `arguments`, arrays or shapes of them, runs on the first device of a CPU."""
    if jax.default_backend() != "cpu" or jax.config.values["jax_default_device"] is not None:
        return False
    return all(
        not (isinstance(leaf, jax.core.Tracer) or leaf.committed)
        if isinstance(leaf, jax.Array)
        else hasattr(leaf, "dtype") and getattr(leaf, "sharding", None) is None
        for leaf in jax.tree.leaves(arguments)
    )


def _temporary_bytes(program: jax.stages.Compiled) -> int:
    analysis: Any = program.memory_analysis()
    return int(analysis.temp_size_in_bytes)


@contextmanager
def _not_cached() -> Iterator[None]:
    """Compile without adding to the cache of JAX, which would take as long again as keeping the program."""
    before = jax.config.values[_CACHED_FROM]
    jax.config.update(_CACHED_FROM, float("inf"))
    try:
        yield
    finally:
        jax.config.update(_CACHED_FROM, before)
