"""Streams from datasets that TFDS has prepared, here small ones; TensorFlow is not needed."""

import io
import json
import struct
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from nst_jax.images.streams import Stream
from tests.pictures import refusal, smooth

PICTURE = {"picture": tfds.features.Image(), "label": np.int64}


class Small(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What `prepare` makes a builder of."""

    VERSION = tfds.core.Version("1.0.0")
    features: dict
    splits: dict

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(self.features))

    def _split_generators(self, _):
        return {split: enumerate(examples) for split, examples in self.splits.items()}

    def _generate_examples(self):
        raise NotImplementedError


def prepare(root, name, features, splits, version="1.0.0"):
    """A dataset below `root`, as `download_and_prepare` leaves it; returns its folder."""
    about = {"name": name, "VERSION": tfds.core.Version(version), "features": features, "splits": splits}
    with tfds.core.registered.skip_registration():
        builder = type(name, (Small,), about)(data_dir=root, file_format="array_record")
    builder.download_and_prepare()
    return root / name / version


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return io.BytesIO(file.getvalue())


def examples(count, kind="PNG", **options):
    return [{"picture": encoded(smooth(30, 40 + i, i), kind, **options), "label": i} for i in range(count)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """TFDS's folder with `small`, of six and three pictures."""
    root = tmp_path_factory.mktemp("tensorflow_datasets")
    prepare(root, "small", PICTURE, {"train": examples(6), "test": examples(3)})
    return root


@pytest.fixture(autouse=True)
def data_dir(root, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))


def order(stream):
    """The widths by which `examples` can be told, less 40: TFDS shuffles when it prepares."""
    return [frame.width - 40 for batch in stream.batches(4) for frame in batch.frames]


def test_a_split_is_read_back_pixel_for_pixel():
    stream = Stream("tfds:small:train", 16)
    assert len(stream) == 6
    assert sorted(order(stream)) == list(range(6))
    assert order(stream) == order(Stream("tfds:small:train", 16, workers=3))
    for index, i in enumerate(order(stream)):
        np.testing.assert_array_equal(stream.source(index), smooth(30, 40 + i, i))
        assert stream.input(index)[1].name == f"train[{index}]"
    assert stream.skipped == []


def test_versions_and_parts_of_splits(root, tmp_path, monkeypatch):
    train = order(Stream("tfds:small:train", 16))
    assert order(Stream("tfds:small:train[2:5]", 16)) == train[2:5]
    assert len(Stream("tfds:small:train[50%:]+test", 16)) == 6
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    for count, version in [(1, "9.0.0"), (2, "10.0.0")]:
        prepare(tmp_path, "many", PICTURE, {"train": examples(count)}, version)
    assert len(Stream("tfds:many:train", 16)) == 2
    assert len(Stream("tfds:many:9.0.0:train", 16)) == 1


def test_gray_profiled_turned_and_damaged_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    exif = Image.Exif()
    exif[0x0112] = 6
    features = {"gray": tfds.features.Image(shape=(None, None, 1))}
    pictures = [
        encoded(smooth(30, 40)[..., 0]),
        encoded(smooth(30, 40)[..., 0], exif=exif),
        io.BytesIO(b"damaged"),
    ]
    prepare(tmp_path, "mixed", features, {"train": [{"gray": picture} for picture in pictures]})
    stream = Stream("tfds:mixed:train", 16)
    (batch,) = stream.batches(4)
    assert {(frame.width, frame.height) for frame in batch.frames} == {(40, 30), (30, 40)}
    assert (batch.pixels == batch.pixels[..., :1]).all()
    (line,) = stream.skipped
    assert line.startswith("train[")
    assert "not a picture" in line


def test_configs_are_named(root, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "tiny").symlink_to(root / "small")
    assert len(Stream("tfds:small/tiny:test", 16)) == 3
    assert "choices: small/tiny;" in refusal("tfds:small:test")


def test_names_and_splits_that_do_not_exist_list_the_choices(root, tmp_path, monkeypatch):
    message = refusal("tfds:smal:train")
    assert f"dataset in {root}: unknown 'smal'; did you mean 'small'? choices: small;" in message
    assert "download_and_prepare" not in message, "TFDS has no such dataset"
    message = refusal("tfds:mnist:train")
    assert "tfds.builder('mnist', file_format='array_record').download_and_prepare()" in message
    for split in ("valid", "train[", "train[7:9]", "train[:0]"):
        message = refusal(f"tfds:small:{split}")
        assert f"no split '{split}' in 'small'" in message
        assert message.endswith("choices: test, train")
    assert "names no split" in refusal("tfds:small")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "new"))
    assert "none yet" in refusal("tfds:small:train")


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"left": tfds.features.Image(), "right": tfds.features.Image()}, "several pictures (left, right)"),
        ({"label": np.int64}, "no picture, not one; features: label"),
    ],
)
def test_examples_must_hold_one_picture(tmp_path, monkeypatch, features, words):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    example = {name: 0 if name == "label" else encoded(smooth(20, 20)) for name in features}
    prepare(tmp_path, "pair", features, {"train": [example]})
    assert words in refusal("tfds:pair:train")


def test_label_maps_and_depths_are_no_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    features = {
        **PICTURE,
        "map": tfds.features.LabeledImage(labels=3, shape=(None, None, 1)),
        "depth": tfds.features.Image(shape=(None, None, 1), dtype=np.float32),
    }
    folder = prepare(tmp_path, "maps", PICTURE, {"train": examples(2)})
    tfds.features.FeaturesDict(features).save_config(folder)
    assert len(Stream("tfds:maps:train", 16)) == 2


def as_tfrecord(folder):
    """Rewrite a prepared dataset as TFDS writes it by default; checksums are zeros, which nothing reads."""
    builder = tfds.builder_from_directory(folder)
    for split in builder.info.splits:
        raw = builder.as_data_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
        (old,) = folder.glob(f"*-{split}.array_record*")
        frames = [struct.pack("<Q4x", len(record)) + record + bytes(4) for record in map(bytes, raw)]
        (folder / old.name.replace("array_record", "tfrecord")).write_bytes(b"".join(frames))
        old.unlink()
    info = json.loads((folder / "dataset_info.json").read_text())
    (folder / "dataset_info.json").write_text(json.dumps({**info, "fileFormat": "tfrecord"}))


def test_tfrecord_is_read_without_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    folder = prepare(tmp_path, "small", PICTURE, {"train": examples(6), "test": examples(3)})
    splits = ("train", "test", "train[2:5]", "train[50%:]+test")
    before = [order(Stream(f"tfds:small:{split}", 16)) for split in splits]
    as_tfrecord(folder)
    assert [order(Stream(f"tfds:small:{split}", 16)) for split in splits] == before
    assert order(Stream("tfds:small:train", 16, workers=3)) == before[0]
    assert "no split 'valid' in 'small'" in refusal("tfds:small:valid")
    (file,) = folder.glob("*-train.tfrecord*")
    for damaged in (file.read_bytes()[:-3], file.read_bytes()[:5], b"\xff" * 40):
        file.write_bytes(damaged)
        assert f"{file.name} ends within a record" in refusal("tfds:small:train")
    file.unlink()
    assert f"cannot read {file}: No such file" in refusal("tfds:small:train")


def test_another_format_is_named_and_only_datasets_of_tfds_get_its_command(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    for name in ("small", "mnist"):
        folder = prepare(tmp_path, name, PICTURE, {"train": examples(1)})
        info = json.loads((folder / "dataset_info.json").read_text())
        (folder / "dataset_info.json").write_text(json.dumps({**info, "fileFormat": "riegeli"}))
    message = refusal("tfds:small:train")
    assert "was prepared as riegeli, which cannot be read" in message
    assert "file_format='array_record'" in message
    assert "download_and_prepare" not in message
    assert "tfds.builder('mnist', file_format='array_record')" in refusal("tfds:mnist:train")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    assert "pip install tensorflow_datasets" in refusal("tfds:small:train")


def test_tensorflow_is_not_imported():
    program = """
import sys
from nst_jax.images.streams import Stream
assert "tensorflow_datasets" not in sys.modules  # a second that few runs need
assert sum(len(batch.frames) for batch in Stream("tfds:small:train", 16).batches(4)) == 6
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_labels_are_the_names_of_the_classes(root):
    features = {"picture": tfds.features.Image(), "label": tfds.features.ClassLabel(names=["cat", "dog"])}
    marked = [{"picture": encoded(smooth(30, 40 + i, i)), "label": i % 2 if i < 3 else -1} for i in range(4)]
    prepare(root, "classes", features, {"train": marked})
    stream = Stream("tfds:classes:train", 16)
    assert [stream.label(index) for index in range(4)] == [
        {0: "cat", 1: "dog", 2: "cat", 3: None}[i] for i in order(stream)
    ]
    assert Stream("tfds:small:train", 16).label(0) is None, "its label is a number without a name"
