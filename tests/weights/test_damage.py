"""Damaged weight files: each is refused in one line, none gets past."""

import contextlib
import random

import pytest

from nst_jax.errors import UserError
from nst_jax.networks.trained import OXFORD, make_weights
from nst_jax.weights import load, save
from tests.weight_files import (
    DATA,
    conv1_1,
    keras_names,
    write_h5,
    write_mat,
    write_tfjs,
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file is empty"),
        (b"<!DOCTYPE html>", "web page"),
        (b"MATLAB 7.3 MAT-file", "-v7"),
        (b"\x93NUMPY", "not a supported weight format"),
        (b"\x89HDF\r\n\x1a\nxxxxxxxx", "HDF5"),
        (b"MATLAB 5.0 MAT-file" + bytes(200), "MatConvNet"),
        (b"\x20\0\0\0\0\0\0\0{not json", "safetensors"),
        (b"[1, 2", "manifest"),
        (b"PK\x03\x04garbage", "zip"),
    ],
)
def test_damaged_files_are_named(tmp_path, content, message):
    path = tmp_path / "w"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        load(path, "vgg19")
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        load(tmp_path / "none", "vgg19")


@pytest.mark.parametrize("keep", [30, 400, 3000, 7000])
@pytest.mark.parametrize("file", ["conv1_1_zip.pth", "conv1_1_legacy.pth"])
def test_truncated_pytorch_files(tmp_path, file, keep):
    path = tmp_path / "w"
    path.write_bytes((DATA / file).read_bytes()[:keep])
    with pytest.raises(UserError):
        load(path, "vgg19")


def test_a_flipped_bit_in_a_zip_is_noticed(tmp_path):
    data = bytearray((DATA / "conv1_1_zip.pth").read_bytes())
    data[3000] ^= 1
    (tmp_path / "w").write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        load(tmp_path / "w", "vgg19")


def damaged(content, generator):
    """A few bytes changed, lost or added, mostly in the head and the tail where structure lies."""
    data = bytearray(content)
    for _ in range(generator.choice((1, 2, 5))):
        place = generator.randrange(min(len(data), generator.choice((300, 1500, len(data)))))
        place = generator.choice((place, len(data) - 1 - place))
        kind = generator.randrange(4)
        if kind == 0:
            del data[place : place + generator.choice((1, 4, 50))]
        elif kind == 1:
            data[place:place] = generator.randbytes(generator.choice((1, 4, 8)))
        else:
            data[place] = generator.randrange(256)
    return data


@pytest.mark.parametrize("kind", ["zip", "legacy", "checkpoint", "h5", "mat", "tfjs", "canonical"])
def test_no_damage_gets_past_as_anything_but_a_user_error(tmp_path, kind):
    if kind == "h5":
        named = keras_names(conv1_1(), "block{b}_conv{i}/{kernel:0|bias:0}")
        path = write_h5(tmp_path / "w", named)
    elif kind == "mat":
        path = write_mat(tmp_path / "w.mat", conv1_1(), old=False)
    elif kind == "tfjs":
        path = write_tfjs(tmp_path, conv1_1()) / "model.json"
    elif kind == "canonical":
        path = tmp_path / "w"
        save(path, make_weights("x", "vgg19", conv1_1(), OXFORD), "a test")
    else:
        path = DATA / f"conv1_1_{kind}.pth"
    content, generator = path.read_bytes(), random.Random(0)
    for _ in range(150):
        (tmp_path / "damaged").write_bytes(damaged(content, generator))
        with contextlib.suppress(UserError):
            load(tmp_path / "damaged", "vgg19")
