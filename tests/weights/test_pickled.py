"""Hostile and odd pickles: nothing of theirs is ever run."""

import builtins
import collections
import io
import os
import pickle
import struct
import zipfile

import pytest

from nst_jax.errors import UserError
from nst_jax.weights import load
from nst_jax.weights.readers.pickled import describe


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def write_zip(path, data, storages=(), compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        for key, content in dict(storages).items():
            archive.writestr(f"archive/data/{key}", content)
    return path


def write_legacy(path, data):
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001)]
    head.append(pickle.dumps({"little_endian": True}, 2))
    path.write_bytes(b"".join([*head, data, pickle.dumps([], 2)]))
    return path


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda path: Call(os.system, f"touch {path}"), "system"),
        (lambda path: Call(builtins.exec, f"import os; os.mkdir({str(path)!r})"), "exec"),
        (lambda path: Call(builtins.eval, f"__import__('os').mkdir({str(path)!r})"), "eval"),
        (lambda path: Call(os.mkdir, str(path)), "mkdir"),
    ],
)
def test_no_call_is_made(tmp_path, write, protocol, call, name):
    trace = tmp_path / "trace"
    evil = pickle.dumps({"features.0.weight": call(trace)}, protocol)
    with pytest.raises(UserError, match=f"refused: .*{name}") as error:
        load(write(tmp_path / "w.pth", evil), "vgg19")
    assert "\n" not in str(error.value)
    assert not trace.exists()
    pickle.loads(evil)  # the control: it does act where it is let
    assert trace.exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x02(cos\nsystem\nX\x01\0\0\0ao.", "os.system"),  # OBJ
        (b"\x80\x02(X\x01\0\0\0aios\nsystem\n.", "INST"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "NEWOBJ"),
        (b"\x80\x022.", "DUP"),
        (b"\x80\x02}X\x01\0\0\0a", "truncated|damaged"),
        (b"\x80\x02X\xff\xff\xff\x7fa.", "damaged"),  # a string of 2 GB
        (b"\x80\x02\x8b\xff\xff\xff\x7fa.", "damaged|refused"),  # an integer of 2 GB
        (b"\x80\x02h\x05.", "damaged"),  # a memo never filled
        (b"\x80\x02R.", "damaged"),
        (b"\x80\x02t.", "damaged"),
        (b"\x80\x02}(K\x01u.", "damaged"),
        (b"\x80\x02}](K\x01s.", "damaged"),  # a mark as a value, a list as a key
        (b"\x80\x02})K\x01s.", "damaged"),  # a tuple as a key
        (b"\x80\x02]q\0h\0b.", "damaged"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x01R.", "damaged"),
        (b"\x80\x02K\x01Q.", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02" + b"\xff" * 20, "damaged"),
    ],
)
def test_opcodes_out_of_place(data, message):
    with pytest.raises(UserError, match=message):
        describe(io.BytesIO(data), "w.pth")


def test_a_dictionary_inside_itself():
    described = describe(io.BytesIO(b"\x80\x02}q\0X\x01\0\0\0ah\0s."), "w.pth")[0]
    assert described["a"] is described


def test_a_memo_bomb_is_only_references(tmp_path):
    """Ten to the thirtieth strings, if it were ever walked through."""
    bomb = b"\x80\x02]q\x00X\x01\0\0\0aa"
    for depth in range(1, 31):
        bomb += b"]q" + bytes([depth]) + b"(" + (b"h" + bytes([depth - 1])) * 10 + b"e"
    with pytest.raises(UserError, match="no state dict"):
        load(write_zip(tmp_path / "w.pth", bomb + b"."), "vgg19")


def test_deep_nesting_does_not_exhaust_the_stack(tmp_path):
    deep = b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b"."
    with pytest.raises(UserError, match="no state dict"):
        load(write_zip(tmp_path / "w.pth", deep), "vgg19")


def tensor_pickle(offset=0, shape=(64,), strides=(1,), count=64, key="0", kind="FloatStorage", rebuild="_v2"):
    """A state dict of features.0.bias alone, written as PyTorch would."""
    opcodes = io.BytesIO()
    pickler = pickle._Pickler(opcodes, 2)  # the Python one lets us place globals by name
    pickler.write(b"\x80\x02}X\x0f\0\0\0features.0.bias")
    pickler.write(f"ctorch._utils\n_rebuild_tensor{rebuild}\n((".encode())
    pickler.save("storage")
    pickler.write(f"ctorch\n{kind}\n".encode())
    for item in (key, "cpu", count):
        pickler.save(item)
    pickler.write(b"tQ")
    for item in (offset, shape, strides):
        pickler.save(item)
    if rebuild:
        pickler.write(b"\x89ccollections\nOrderedDict\n)R")
    pickler.write(b"tRs.")
    return opcodes.getvalue()


STORAGE = struct.pack("<64f", *range(64))


def test_the_hand_made_pickle_is_read_as_far_as_its_missing_kernel(tmp_path):
    for rebuild in ("", "_v2"):
        path = write_zip(tmp_path / "w.pth", tensor_pickle(rebuild=rebuild), {"0": STORAGE})
        with pytest.raises(UserError, match=r"arrays missing: conv1_1\.kernel"):
            load(path, "vgg19")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offset": 1}, "extends beyond"),
        ({"offset": -1}, "0 or more"),
        ({"offset": True}, "0 or more"),
        ({"offset": 1 << 80}, "extends beyond"),
        ({"strides": (2,)}, "extends beyond"),
        ({"strides": (-1,), "offset": 63}, "0 or more"),
        ({"strides": (0,), "shape": (1 << 40,)}, "extends beyond"),
        ({"strides": (0, 0), "shape": (1 << 40, 1 << 40)}, "extends beyond"),
        ({"strides": (1, 1)}, "do not match"),
        ({"shape": (1,) * 40, "strides": (1,) * 40}, "do not match"),
        ({"shape": "ab"}, "damaged"),
        ({"shape": 3}, "damaged"),
        ({"count": 1 << 60}, "truncated"),
        ({"count": 65}, "truncated"),
        ({"count": -5}, "truncated"),
        ({"count": "many"}, "damaged"),
        ({"key": "1"}, "damaged"),
        ({"key": "../../../etc/passwd"}, "damaged"),
        ({"kind": "UntypedStorage"}, "UntypedStorage"),
        ({"rebuild": "_v3"}, "_rebuild_tensor_v3"),
    ],
)
def test_tensors_that_lie(tmp_path, change, message):
    path = write_zip(tmp_path / "w.pth", tensor_pickle(**change), {"0": STORAGE})
    with pytest.raises(UserError, match=message):
        load(path, "vgg19")


def test_compressed_storages_are_refused(tmp_path):
    bomb = write_zip(tmp_path / "w.pth", tensor_pickle(), {"0": bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="compressed"):
        load(bomb, "vgg19")


def test_a_compressed_pickle_of_great_length_is_refused(tmp_path):
    path = write_zip(tmp_path / "w.pth", bytes(80 << 20), {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="not a PyTorch checkpoint"):
        load(path, "vgg19")


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, {"state_dict": {"a": "b"}}, {1: 2}, None])
def test_other_contents(tmp_path, value):
    with pytest.raises(UserError, match="state dict"):
        load(write_zip(tmp_path / "w.pth", pickle.dumps(value, 2)), "vgg19")


def test_python_2_wrote_ordered_dicts_as_pairs():
    data = b"\x80\x02ccollections\nOrderedDict\n](](U\x01aK\x05ee\x85R."
    assert describe(io.BytesIO(data), "w")[0] == {"a": 5}


def test_one_list_cannot_be_copied_over_and_over():
    once = b"ccollections\nOrderedDict\nh\0\x85R"
    data = b"\x80\x02](](U\x01aK\x05eeq\0" + once * 2 + b"\x86."
    assert describe(io.BytesIO(data), "w")[0] == ({"a": 5}, {})


def test_ordered_dicts_are_dicts():
    data = pickle.dumps(collections.OrderedDict(a=1, b=[2.5, None, True]), 2)
    described = describe(io.BytesIO(data), "w")[0]
    assert described == {"a": 1, "b": [2.5, None, True]}
