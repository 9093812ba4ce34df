"""A digest of what a program is traced from: functions, with what they hold, and structures of arguments."""

import enum
import functools
import hashlib
import types
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

# Packages whose functions are told apart by their names: they change only with a version.
INSTALLED = ("builtins", "flax", "functools", "jax", "jaxlib", "math", "numpy", "operator", "optax")
# The package itself, whose source is part of the environment; see `nst_jax.devices.kept_programs`.
PACKAGE = __name__.partition(".")[0]


class UnknownError(Exception):
    """A value that cannot be told from others like it, such as a function of another package."""


def fingerprint(value: Any) -> str:
    """Return a digest that is the same for equal values in every process with the same source.

    Known are numbers, strings, arrays, containers, tree structures, functions and instances of this package,
    and functions and classes of those in `INSTALLED`.

    Raises:
        UnknownError: `value` holds something else.
    """
    walk = _Walk()
    walk.add(value)
    return walk.digest.hexdigest()


def require_known(value: Any) -> None:
    """Check that no function or class in the containers of `value` is of another package.

    Raises:
        UnknownError: one is.
    """
    if isinstance(value, Mapping):
        require_known(list(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            require_known(item)
    elif isinstance(value, types.FunctionType | type):
        _known(value)


class _Walk:
    """A walk through a value, which may contain itself."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._seen: dict[int, tuple[int, Any]] = {}  # with the values, whose addresses must not be reused

    def add(self, value: Any) -> None:
        """Add `value`, or its number if it has been seen."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            self._text(type(value).__name__, repr(value))
        elif id(value) in self._seen:
            self._text("seen", str(self._seen[id(value)][0]))
        else:
            self._seen[id(value)] = (len(self._seen), value)
            self._add_new(value)

    def _add_new(self, value: Any) -> None:
        if isinstance(value, type):
            self._name(value)
        elif isinstance(value, enum.Enum):
            self._text(_known(type(value)), value.name)
        elif isinstance(value, np.dtype):
            self._text("dtype", str(value))
        elif _is_array(value):
            self._text("array", f"{value.dtype} {value.shape}")
            self.digest.update(np.asarray(value).tobytes())
        elif isinstance(value, Mapping):
            self._items("mapping", [part for pair in value.items() for part in pair])
        elif isinstance(value, tuple | list):
            self._items(_known(type(value)), value)
        elif isinstance(value, set | frozenset):
            self._items("set", sorted(map(fingerprint, value)))
        elif isinstance(value, jax.tree_util.PyTreeDef):
            self._items("tree", [value.num_leaves, value.node_data(), *value.children()])
        elif isinstance(value, functools.partial):
            self._items("partial", [value.func, value.args, value.keywords])
        elif isinstance(value, types.MethodType):
            self._items("method", [value.__func__, value.__self__])
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.CodeType):  # two lambdas may be in one line
            self._items("code", [value.co_code, value.co_names, value.co_varnames, value.co_consts])
        elif hasattr(value, "__wrapped__"):  # by jax.jit or functools.cache
            self._items(_known(type(value)), [value.__wrapped__])
        elif isinstance(value, types.BuiltinFunctionType):
            self._name(value)
            self.add(None if isinstance(value.__self__, types.ModuleType) else value.__self__)
        elif _root(type(value)) == PACKAGE and hasattr(value, "__dict__"):
            self._items(_known(type(value)), _attributes(value))
        else:
            raise UnknownError(repr(type(value)))

    def _function(self, function: types.FunctionType) -> None:
        """Add a function by its name and code, and what it holds; what it calls is in the source."""
        self._name(function)
        held = [cell.cell_contents for cell in function.__closure__ or ()]
        self._items("function", [function.__code__, function.__defaults__, function.__kwdefaults__, *held])

    def _items(self, kind: str, items: Iterable[Any]) -> None:
        items = list(items)
        self._text(kind, str(len(items)))
        for item in items:
            self.add(item)

    def _name(self, value: Any) -> None:
        self._text("name", _known(value))

    def _text(self, kind: str, text: str) -> None:
        self.digest.update(f"{kind} {len(text)} {text}\n".encode())


def _is_array(value: Any) -> bool:
    """Whether `value` is an array of numbers."""
    if not isinstance(value, np.ndarray | np.generic | jax.Array) or isinstance(value, jax.core.Tracer):
        return False
    return isinstance(value.dtype, np.dtype) and not value.dtype.hasobject


def _root(value: Any) -> str:
    return str(getattr(value, "__module__", None) or "builtins").partition(".")[0]


def _known(value: Any) -> str:
    """The full name of a function or class."""
    if _root(value) not in (PACKAGE, *INSTALLED):
        raise UnknownError(f"{value.__module__}.{value.__qualname__}")
    return f"{value.__module__}.{value.__qualname__}"


def _attributes(value: Any) -> list[Any]:
    """The names and values of what an instance holds, without properties that it has cached."""
    kind, cached = type(value), functools.cached_property
    held = {
        name: part for name, part in vars(value).items() if not isinstance(getattr(kind, name, None), cached)
    }
    return [part for pair in held.items() for part in pair]
