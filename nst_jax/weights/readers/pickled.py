"""A safe reader of the pickles of PyTorch and NumPy: it builds no objects and calls no functions of theirs.

`pickletools.genops` splits the stream into opcodes. The few handlers below rebuild plain containers, and
describe each tensor and where it is stored. A pickle refers to functions as "globals": those that a
dictionary of tensors needs are listed here, and any other is refused.
"""

import dataclasses
import pickletools
import sys
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from mmap import mmap
from typing import IO, Any, cast

from nst_jax.errors import UserError
from nst_jax.weights.readers.numpy_objects import FUNCTIONS, PickledArray, PickledType
from nst_jax.weights.readers.torch_objects import STORAGE_DTYPES, Storage, Tensor

MAX_BYTES = 1 << 22  # a checkpoint's pickle takes a few kilobytes: the numbers are stored outside it
_MARK = object()
_KEY_TYPES = (str, int, float, type(None))  # no tuples: nested ones can take forever to hash


@dataclasses.dataclass(frozen=True)
class Global:
    """A name that the pickle wants to import."""

    name: str


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": lambda *pairs: _ordered_dict(*pairs),
    "torch.Size": lambda sizes: _typed(sizes, tuple),
    "torch._utils._rebuild_tensor": lambda *arguments: _tensor(*arguments),
    "torch._utils._rebuild_tensor_v2": lambda *arguments: _tensor(*arguments),
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    **FUNCTIONS,
}


def describe(file: BytesIO | mmap, name: str) -> tuple[Any, dict[str, Storage]]:
    """Read the pickle at the current position of `file`, and stop right after it.

    Returns its contents, plain containers, numbers, strings and `Tensor`s, and all storages by key.
    `file` is in memory or mapped, so a false length in it cannot cause a large allocation.

    Raises:
        UserError: the pickle is damaged, or uses anything that a dictionary of tensors does not need.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(cast(IO[bytes], file)):
            if opcode.name == "STOP":
                return machine.stack.pop(), machine.storages
            machine.step(opcode.name, argument)
    except UserError as refusal:
        raise UserError(f"{name}: {refusal}") from None
    except Exception as error:  # the opcodes of a damaged pickle can do anything but what they should
        raise UserError(f"{name}: its pickle is damaged: {error}") from error
    raise UserError(f"{name}: its pickle is truncated")


class _Machine:
    """The pickle virtual machine, reduced to what a dictionary of tensors needs."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _IGNORED:
            return
        if opcode in _LITERALS:
            self.stack.append(_LITERALS[opcode](argument))
        elif opcode in _PUTS:
            self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]
        elif opcode in _GETS:
            self.stack.append(self.memo[argument])
        elif opcode in _ACTIONS:
            _ACTIONS[opcode](self)
        else:
            raise UserError(f"refused: pickle opcode {opcode}")

    def pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError("empty stack")
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def pop_to_mark(self) -> list[Any]:
        above: list[Any] = []
        while (item := self.stack.pop()) is not _MARK:
            above.append(item)
        return above[::-1]

    def set_items(self, items: list[Any]) -> None:
        _fill(_typed(self.stack[-1], dict), zip(items[::2], items[1::2], strict=True))

    def extend(self, items: list[Any]) -> None:
        _typed(self.stack[-1], list).extend(items)

    def reduce(self) -> None:
        function, arguments = self.pop(2)
        self.stack.append(_FUNCTIONS[_typed(function, Global).name](*_typed(arguments, tuple)))

    def build(self) -> None:
        """Fill an array; the attributes of an OrderedDict (`_metadata`) are not needed."""
        (state,) = self.pop(1)
        if isinstance(self.stack[-1], PickledArray | PickledType):
            self.stack[-1].set_state(_typed(state, tuple))
        else:
            _typed(self.stack[-1], dict)

    def persistent(self) -> None:
        kind, dtype, key, _, count, *view = _typed(self.stack.pop(), tuple)
        if kind != "storage" or view not in ([], [None]):
            raise UserError("refused: a persistent object that is not a plain storage")
        dtype = STORAGE_DTYPES[_typed(dtype, Global).name]
        storage = Storage(dtype, _typed(key, str), _typed(count, int))
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"storage {key!r} has two different descriptions")
        self.stack.append(storage)


def _fill(target: dict[Any, Any], pairs: Iterable[Sequence[Any]]) -> dict[Any, Any]:
    for key, value in pairs:
        if not isinstance(key, _KEY_TYPES):
            raise TypeError(f"a dictionary key has type {type(key).__name__}")
        if key in target:
            raise ValueError(f"{key!r} occurs twice")
        target[key] = value
    return target


def _ordered_dict(pairs: Any = None) -> dict[Any, Any]:
    """An empty dictionary, or one from a list of pairs, as Python 2 wrote it."""
    if pairs is None:
        return {}
    filled = _fill({}, _typed(pairs, list))
    # Otherwise a short pickle could make us copy one long list a million times.
    pairs.clear()
    return filled


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    return Tensor(_typed(storage, Storage), offset, _typed(shape, tuple), _typed(strides, tuple))


def _typed(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value


def _known_global(module: str, name: str) -> Global:
    full = f"{module}.{name}"
    if full in _FUNCTIONS or full in STORAGE_DTYPES:
        return Global(full)
    # A class by its name; a program that attacks calls functions, or classes of the standard library.
    if name[:1].isupper() and module.partition(".")[0] not in sys.stdlib_module_names:
        raise UserError(
            f"refused: a whole pickled model or another object, {full[:60]!r}, which would have to be run; "
            "in PyTorch, torch.save(model.state_dict(), NEW_FILE) saves the weights alone"
        )
    raise UserError(f"refused: its pickle imports {full[:80]!r}, which tensors do not need")


_IGNORED = frozenset({"PROTO", "FRAME"})
_PUTS = frozenset({"BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"})
_GETS = frozenset({"BINGET", "LONG_BINGET", "GET"})
_LITERALS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE",
         "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        lambda argument: argument,
    ),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "MARK": lambda _: _MARK,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "GLOBAL": lambda argument: _known_global(*argument.split(" ", 1)),
}  # fmt: skip
_ACTIONS: dict[str, Callable[[_Machine], None]] = {
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine: machine.stack.append(tuple(machine.pop(1))),
    "TUPLE2": lambda machine: machine.stack.append(tuple(machine.pop(2))),
    "TUPLE3": lambda machine: machine.stack.append(tuple(machine.pop(3))),
    "STACK_GLOBAL": lambda machine: machine.stack.append(_known_global(*machine.pop(2))),
    "SETITEM": lambda machine: machine.set_items(machine.pop(2)),
    "SETITEMS": lambda machine: machine.set_items(machine.pop_to_mark()),
    "APPEND": lambda machine: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine: machine.extend(machine.pop_to_mark()),
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}
