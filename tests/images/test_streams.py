"""A stream's order, resumption and threads, and what it does with files that are no pictures."""

import threading
import time
import warnings

import numpy as np
import pytest
from PIL import Image

from nst_jax.errors import UserError
from nst_jax.images import sources
from nst_jax.images.streams import Stream
from tests.pictures import save, smooth


@pytest.fixture
def folder(tmp_path):
    """Seven pictures and three files that are none, in this order by their paths."""
    pictures = ["a.png", "c.jpg", "d/a.png", "d/e/z.webp", "d/f.bmp", "g.png", "h.gif"]
    for i, name in enumerate(pictures):
        save(smooth(30 + i, 41 - 2 * i, phase=i), tmp_path / name)
    (tmp_path / "b.jpg").write_bytes((tmp_path / "c.jpg").read_bytes()[:400])
    (tmp_path / "d" / "empty.png").touch()
    (tmp_path / "z.txt").write_text("no picture")
    save(smooth(30, 30), tmp_path / ".hidden" / "thumbnail.png")
    (tmp_path / ".DS_Store").write_bytes(b"hidden")
    return tmp_path


PICTURES = ["a.png", "c.jpg", "d/a.png", "d/e/z.webp", "d/f.bmp", "g.png", "h.gif"]
LISTED = [
    "a.png",
    "b.jpg",
    "c.jpg",
    "d/a.png",
    "d/e/z.webp",
    "d/empty.png",
    "d/f.bmp",
    "g.png",
    "h.gif",
    "z.txt",
]


def frames(batches):
    return [frame for batch in batches for frame in batch.frames]


def names(batches):
    return [frame.name for frame in frames(batches)]


def test_pictures_come_in_the_order_of_their_paths_and_the_rest_is_named(folder):
    stream = Stream(f"folder:{folder}", 16)
    batches = list(stream.batches(3))
    assert len(stream) == len(LISTED)
    assert names(batches) == PICTURES
    assert [frame.index for frame in frames(batches)] == [LISTED.index(name) for name in PICTURES]
    assert [line.split(":")[0] for line in stream.skipped] == ["b.jpg", "d/empty.png", "z.txt"]
    assert "truncated" in stream.skipped[0]
    assert "empty" in stream.skipped[1]
    assert "not a picture" in stream.skipped[2]
    list(stream.batches(2))
    assert len(stream.skipped) == 3  # each once, however many passes


def test_batches_have_one_shape_and_zeros_where_pictures_end(folder):
    batches = list(Stream(f"folder:{folder}", 16).batches(3))
    assert [len(batch.frames) for batch in batches] == [3, 3, 1]
    assert all(batch.pixels.shape == (3, 16, 16, 3) and batch.pixels.dtype == np.uint8 for batch in batches)
    assert not batches[-1].pixels[1:].any()
    assert batches[-1].pixels[0].any()


@pytest.mark.parametrize("workers", [1, 5])
def test_input_is_what_batches_give(folder, workers):
    stream = Stream(f"folder:{folder}", 24, workers=workers)
    for batch in stream.batches(2):
        for row, frame in zip(batch.pixels, batch.frames, strict=False):
            pixels, again = stream.input(frame.index)
            np.testing.assert_array_equal(pixels, row)
            assert again == frame


def test_chosen_inputs_come_in_the_order_asked_for(folder):
    stream = Stream(f"folder:{folder}", 16, workers=3)
    readable = [frame.index for batch in stream.batches(4) for frame in batch.frames]
    asked = [*readable[::-1], readable[0]]
    for index, (pixels, frame) in zip(asked, stream.inputs(asked), strict=True):
        expected = stream.input(index)
        np.testing.assert_array_equal(pixels, expected[0])
        assert frame == expected[1]
    with pytest.raises(UserError):
        list(stream.inputs(sorted(set(range(len(stream))) - set(readable))))


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_resumed_pass_goes_on_with_the_same_pictures(folder, shuffle):
    whole = frames(Stream(f"folder:{folder}", 16, shuffle=shuffle, seed=3).batches(2))
    for seen in range(1, len(whole)):
        resumed = Stream(f"folder:{folder}", 16, shuffle=shuffle, seed=3)
        assert frames(resumed.batches(2, start=whole[seen - 1].index + 1)) == whole[seen:]
    assert list(resumed.batches(2, start=len(LISTED))) == []


def test_shuffling_depends_on_the_seed_alone_and_comes_before_the_limit(folder):
    def order(**settings):
        return names(Stream(f"folder:{folder}", 16, **settings).batches(4))

    first = order(shuffle=True, seed=1, workers=1)
    assert first == order(shuffle=True, seed=1, workers=4)
    assert sorted(first) == PICTURES
    assert len({tuple(order(shuffle=True, seed=seed)) for seed in range(5)} | {tuple(PICTURES)}) > 3
    limited = Stream(f"folder:{folder}", 16, limit=6, shuffle=True, seed=1)
    assert len(limited) == 6
    kept = names(limited.batches(4))
    assert kept == first[: len(kept)]
    assert len(kept) + len(limited.skipped) == 6
    assert order(limit=3) == PICTURES[:2]
    assert order(limit=99) == PICTURES


def test_gray_and_transparent_pictures_become_rgb(tmp_path):
    Image.new("L", (20, 20), 77).save(tmp_path / "a.png")
    Image.new("RGBA", (20, 20), (9, 9, 9, 0)).save(tmp_path / "b.png")
    Image.fromarray(np.full((20, 20), 51 * 257, np.uint16)).save(tmp_path / "c.png")
    (batch,) = Stream(f"folder:{tmp_path}", 16).batches(3)
    for row, value in zip(batch.pixels, (77, 255, 51), strict=True):
        assert (row == value).all()


def test_pillows_complaints_neither_stop_a_pass_nor_silence_ours(tmp_path):
    for i in range(8):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{i}.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    stream = Stream(f"folder:{tmp_path}", 16, workers=4)
    assert len(frames(stream.batches(3))) == 8
    with pytest.raises(UserWarning, match="ours"):
        warnings.warn("ours", stacklevel=1)


def test_threads_work_ahead_but_not_far_and_end_with_the_pass(tmp_path, monkeypatch):
    for i in range(30):
        save(smooth(20, 20), tmp_path / f"{i:02}.png")
    opened = []
    monkeypatch.setattr(sources, "open_file", lambda path, name: opened.append(name) or path.open("rb"))
    batches = Stream(f"folder:{tmp_path}", 16, workers=2).batches(4)
    next(batches)
    deadline = time.monotonic() + 60
    while len(opened) < 12 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 12 <= len(opened) <= 13  # one batch used, and two made ready
    batches.close()
    while any(thread.name.startswith("decode") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_no_readable_picture_is_an_error_with_the_first_batch(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    (tmp_path / "b.jpg").touch()
    with pytest.raises(UserError, match=r"data: none of the 2 files in .* can be read; a.jpg: not a picture"):
        next(Stream(f"folder:{tmp_path}", 16).batches(4))
    with pytest.raises(UserError, match=r"cannot read 'b\.jpg'"):
        Stream(f"folder:{tmp_path}", 16).source(1)


def test_all_sources_are_offered():
    with pytest.raises(UserError) as caught:
        Stream("/pictures", 16)
    assert all(choice in str(caught.value) for choice in sources.CHOICES)
