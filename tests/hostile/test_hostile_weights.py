"""Hostile weight files: strictly checked weights, or a refusal in a line; nothing runs, nothing hangs."""

import random
import zipfile

import numpy as np
import pytest
from flax.serialization import msgpack_serialize

from nst_jax.errors import UserError
from nst_jax.networks.trained import OXFORD, make_weights
from nst_jax.weights import load, save
from nst_jax.weights.head import load_classifier
from tests.command import assert_refused, call
from tests.hostile.contract import assert_refusal, cases, within
from tests.hostile.damage import damaged
from tests.hostile.format_cases import FORMAT_CASES, KERNEL
from tests.hostile.weight_cases import CASES
from tests.hostile.weight_damage import KERAS
from tests.weight_files import DATA, assert_same, conv1_1, keras_names, write_h5, write_mat, write_tfjs
from tests.weights.test_formats import python_2_npy, save_npy

ALL_CASES = CASES | FORMAT_CASES


@pytest.mark.parametrize("name", ALL_CASES)
def test_hostile_files_are_refused_in_a_line(tmp_path, name):
    path = ALL_CASES[name](tmp_path / "w")
    before = sorted(tmp_path.rglob("*"))
    with within(20), pytest.raises(UserError) as caught:
        load(path, "vgg19")
    assert_refusal(caught.value)
    assert sorted(tmp_path.rglob("*")) == before, "nothing has run"


@pytest.mark.parametrize(
    "name",
    ["h5: external storage", "a pipe", "a link to itself", "torch: runs os.system", "npy: runs a function"],
)
def test_no_command_takes_them(tmp_path, name):
    path = ALL_CASES[name](tmp_path / "w")
    with within(60):
        assert_refused(call("convert", path, "--arch=vgg19", module="nst_jax.weights.__main__"), path.name)
        with pytest.raises(UserError) as caught:
            load_classifier(path, "vgg19")
    assert_refusal(caught.value)


def whole_file(kind: str, folder):
    """A valid weight file of one of the formats, whose numbers are known."""
    if kind == "h5":
        return write_h5(folder / "w", keras_names(conv1_1(), KERAS))
    if kind in ("mat", "old mat"):
        return write_mat(folder / "w.mat", conv1_1(), old=kind == "old mat")
    if kind == "compressed mat":
        return write_mat(folder / "w.mat", conv1_1(), old=False, compressed=True)
    if kind == "tfjs":
        return write_tfjs(folder / "w", conv1_1()) / "model.json"
    if kind in ("npy", "python 2 npy"):
        arrays = [conv1_1()[f"conv1_1.{part}"] for part in ("kernel", "bias")]
        path = folder / "w.npy"
        return save_npy(path, {"conv1_1": arrays}) if kind == "npy" else python_2_npy(path, *arrays)
    if kind == "npz":
        np.savez(folder / "w.npz", conv1_1_W=KERNEL, conv1_1_b=conv1_1()["conv1_1.bias"])
        return folder / "w.npz"
    if kind == "keras archive":
        with zipfile.ZipFile(folder / "w.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(write_h5(folder / "inside", keras_names(conv1_1(), KERAS)), "model.weights.h5")
        return folder / "w.keras"
    if kind == "msgpack":
        layer = {part: conv1_1()[f"conv1_1.{part}"] for part in ("kernel", "bias")}
        (folder / "w").write_bytes(msgpack_serialize({"params": {"conv1_1": layer}}))
        return folder / "w"
    if kind == "canonical":
        save(folder / "w", make_weights("x", "vgg19", conv1_1(), OXFORD), "a test")
        return folder / "w"
    return DATA / f"conv1_1_{kind}.pth"


FORMATS = (
    *("zip", "legacy", "checkpoint", "h5", "mat", "old mat", "compressed mat", "tfjs", "canonical"),
    *("npy", "python 2 npy", "npz", "keras archive", "msgpack"),
)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.filterwarnings("ignore")  # of the libraries, about what they cannot read
@pytest.mark.parametrize("seed", cases(6, 100))
def test_damaged_files_are_refused_or_strictly_checked(tmp_path, kind, seed):
    file = whole_file(kind, tmp_path)
    path = file if kind == "tfjs" else tmp_path / "damaged"
    path.write_bytes(damaged(file.read_bytes(), random.Random(f"{kind} {seed}")))
    try:
        with within(20):
            weights = load(path, "vgg19")
    except UserError as error:
        assert_refusal(error)
        return
    assert weights.arrays["conv1_1.kernel"].shape[:3] == (3, 3, 3)
    assert all(np.isfinite(array).all() and array.size for array in weights.arrays.values())
    factors = np.float32([weights.preprocessing.scale, *weights.preprocessing.std])
    assert np.isfinite(factors).all()
    assert (factors > 0).all()


@pytest.mark.parametrize("kind", FORMATS)
def test_whole_files_of_all_formats_load(tmp_path, kind):
    path = whole_file(kind, tmp_path)
    weights = load(path.parent if kind == "tfjs" else path, "vgg19")
    arrays = conv1_1()
    if "mat" in kind:  # RGB in the file, BGR here
        arrays["conv1_1.kernel"] = arrays["conv1_1.kernel"][:, :, ::-1]
    assert_same(weights, arrays)
