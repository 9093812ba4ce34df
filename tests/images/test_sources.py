"""What the field `data` may name but TFDS, and how it is refused."""

import os

import numpy as np
import pytest

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.images.samples import PHOTOS
from nst_jax.images.streams import Stream
from tests.pictures import refusal, save, smooth


def names(stream):
    return [frame.name for batch in stream.batches(4) for frame in batch.frames]


@pytest.mark.parametrize("spec", ["", "photos", "flder:/x", "http://example.org/a", "/"])
def test_unknown_schemes_list_the_choices(spec):
    message = refusal(spec)
    assert repr(spec) in message
    assert "folder:PATH, tfds:NAME[/CONFIG]:SPLIT, sample:" in message


def test_folders_that_are_missing_empty_or_files(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "empty" / "er").mkdir(parents=True)
    assert f"'folder:{tmp_path}/missing': no such folder" in refusal(f"folder:{tmp_path}/missing")
    assert "it is not a folder" in refusal(f"folder:{tmp_path}/file")
    assert "contains no files" in refusal(f"folder:{tmp_path}/empty")
    assert "no such folder" in refusal("folder:")


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(smooth(20, 20), tmp_path / "a.png")
    assert names(Stream("folder:~", 16)) == ["a.png"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    save(smooth(20, 20), tmp_path / "elsewhere" / "a.png")
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "class").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "deep" / "round").symlink_to(tmp_path / "data")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "data" / "deep")
    (tmp_path / "data" / "broken.png").symlink_to(tmp_path / "nowhere")
    stream = Stream(f"folder:{tmp_path}/data", 16)
    assert names(stream) == ["class/a.png"]
    assert stream.skipped == ["broken.png: No such file or directory"]


def test_what_is_no_file_to_read_is_named(tmp_path):
    save(smooth(20, 20), tmp_path / "b.png")
    os.mkfifo(tmp_path / "a.png")
    stream = Stream(f"folder:{tmp_path}", 16)
    assert names(stream) == ["b.png"]
    assert stream.skipped == ["a.png: it is not a regular file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter everything")
def test_closed_folders_are_named(tmp_path):
    save(smooth(20, 20), tmp_path / "a.png")
    (tmp_path / "closed").mkdir(mode=0)
    stream = Stream(f"folder:{tmp_path}", 16)
    assert names(stream) == ["a.png"]
    assert [line.split(":")[0] for line in stream.skipped] == ["closed"]


def test_names_that_are_no_text_can_still_be_written_down(tmp_path):
    save(smooth(20, 20), tmp_path / "a.png")
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/caf\xe9.png")
    (name,) = names(Stream(f"folder:{tmp_path}", 16))
    assert name.encode() == rb"caf\xe9.png"


def test_the_samples_are_scikit_images_colour_photographs():
    stream = Stream("sample:", 64)
    (batch,) = stream.batches(len(PHOTOS))
    assert tuple(frame.name for frame in batch.frames) == PHOTOS
    assert len(PHOTOS) == 9  # enough for a unit's nine patches
    assert (np.ptp(batch.pixels.astype(int), axis=-1).max(axis=(1, 2)) > 20).all()  # none is gray


def test_a_sample_by_its_name():
    whole = Stream("sample:coffee", 64).source(0)
    np.testing.assert_allclose(whole[np.newaxis] / 255, images.read("sample:coffee"), atol=1e-6)
    with pytest.raises(UserError, match="did you mean 'sample:coffee'"):
        Stream("sample:cofee", 64)


def test_the_folders_directly_in_it_are_the_labels(tmp_path):
    for name in ("a.png", "cat/b.png", "dog/young/c.png"):
        save(smooth(20, 20), tmp_path / name)
    stream = Stream(f"folder:{tmp_path}", 16)
    assert {stream.name(i): stream.label(i) for i in range(3)} == {
        "a.png": None,
        "cat/b.png": "cat",
        "dog/young/c.png": "dog",
    }
    assert Stream("sample:", 16).label(0) is None
