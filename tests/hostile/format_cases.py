"""Hostile files of NumPy, Keras and Flax, and hostile names in state dicts: each case writes a file."""

import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import safetensors.numpy

from tests.weight_files import conv1_1

KERNEL = conv1_1()["conv1_1.kernel"]


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def npy(path: Path, data: bytes, descr: str = "|O", shape: tuple[int, ...] = ()) -> Path:
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
        file.write(data)
    return path


def pickled_npy(path: Path, value: object) -> Path:
    return npy(path, pickle.dumps(np.array(value, object), 4))


def touching(path: Path) -> Path:
    """A dictionary of layers that would create a file if it were unpickled."""
    return pickled_npy(path, {"conv1_1": [Call(Path.touch, path.with_name("ran")), np.zeros(64, "f4")]})


def shared_text(path: Path) -> Path:
    """Numbers of Python 2, a megabyte of text that a thousand arrays share."""
    text = b"T" + struct.pack("<i", 1 << 20) + bytes(1 << 20)
    kind = b"cnumpy\ndtype\n(U\2f4K\0K\1tRq\1"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btR"
    one = start + b"(K\1(J\0\0\4\0th\1\x89h\0tb"
    layers = b"}(" + b"".join(b"U\7conv%d_%d" % (b, i) + one for b in range(1, 6) for i in range(1, 5)) + b"u"
    outer = start + b"(K\1)cnumpy\ndtype\n(U\2O8K\0K\1tR\x89](" + layers + b"etb."
    return npy(path, b"\x80\2" + text + b"q\0" + kind + outer)


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "."), data)
    return path


def npy_bytes(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def claiming(path: Path, shape: tuple[int, ...]) -> Path:
    """An .npz whose array claims a shape that its bytes do not fill."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return archive(path, conv1_1_W__npy=file.getvalue())


def msgpack(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def state(path: Path, *names: str) -> Path:
    bias = np.zeros(64, "f4")
    safetensors.numpy.save_file(dict.fromkeys(names, bias), path)
    return path


FORMAT_CASES = {
    "npy: runs a function": touching,
    "npy: text shared by many arrays": shared_text,
    "npy: a list": lambda path: pickled_npy(path, [1, 2]),
    "npy: nothing": lambda path: pickled_npy(path, {}),
    "npy: numbers": lambda path: pickled_npy(path, {"conv1_1": 3}),
    "npy: one array": lambda path: npy(path, KERNEL.tobytes(), "<f4", KERNEL.shape),
    "npy: a truncated pickle": lambda path: npy(path, pickle.dumps({"a": [1]}, 4)[:9]),
    "npy: no pickle": lambda path: npy(path, b""),
    "npy: deep": lambda path: npy(path, b"\x80\2" + b"]" * 50_000 + b"a" * 49_999 + b"."),
    "npy: inside itself": lambda path: npy(path, b"\x80\2}q\0U\1ah\0s."),
    "npy: a header of code": lambda path: path.write_bytes(b"\x93NUMPY\1\0\x10\0__import__('os')") and path,
    "npy: an unknown version": lambda path: path.write_bytes(b"\x93NUMPY\x09\x09\x10\0") and path,
    "npz: a pickled array": lambda path: archive(
        path, conv1_1_W__npy=npy_bytes(np.array({"a": 1}, object), True)
    ),
    "npz: a shape too large": lambda path: claiming(path, (3, 3, 3, 1 << 40)),
    "npz: a negative shape": lambda path: claiming(path, (-3, 3, 3, 64)),
    "npz: a bomb": lambda path: archive(path, conv1_1_W__npy=bytes(1 << 26)),
    "npz: not arrays": lambda path: archive(path, conv1_1_W__npy=b"x", conv1_1_b__npy=b""),
    "keras: not HDF5": lambda path: archive(path, model__weights__h5=b"x" * 100),
    "keras: empty": lambda path: archive(path, model__weights__h5=b""),
    "keras: only a config": lambda path: archive(path, config__json=b"{}"),
    "msgpack: truncated": lambda path: msgpack(path, b"\x81\xa6params\x81\xa7conv1_1\x81"),
    "msgpack: deep": lambda path: msgpack(path, b"\x81\xa1a" * 5_000 + b"\x00"),
    "msgpack: an array of objects": lambda path: msgpack(
        path, b"\x81\xa1a\xc7\x08\x01\x93\x91\x01\xa1O\xc4\x01\x00"
    ),
    "msgpack: an array that claims much": lambda path: msgpack(
        path, b"\x81\xa1a\xc7\x0c\x01\x93\x91\xce\x7f\xff\xff\xff\xa2f4\xc4\x01\x00"
    ),
    "msgpack: a map of 2^32": lambda path: msgpack(path, b"\xdf\xff\xff\xff\xff\xa1a"),
    "names: a long prefix": lambda path: state(path, "a." * 50_000 + "features.0.bias"),
    "names: many steps": lambda path: state(path, "block1_conv1/" * 9_000 + "block1_conv1/bias"),
    "names: a long number": lambda path: state(path, f"features.{'9' * 400}.weight", "features.0.bias"),
    "names: a long order": lambda path: state(path, f"layers/conv2d_{'9' * 400}/vars/0"),
    "names: dots": lambda path: state(path, "....", ".", "features..bias"),
    "names: escapes in a head": lambda path: state(path, "head\x1b[31m.x.weight", "conv1_1.bias"),
    "a pointer of Git LFS": lambda path: (
        path.write_text("version https://git-lfs.github.com/spec/v1\n"),
        path,
    )[1],
}
