"""Which frame of an animation and which page of a TIFF is read."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.images.streams import Stream

COLOURS = [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
PREVIEW, PICTURE = np.full((24, 32, 3), 200, np.uint8), np.full((60, 80, 3), 100, np.uint8)
CFA = 32803


def first_pixel(source):
    return [round(float(value)) for value in images.read(str(source))[0, 0, 0]]


@pytest.fixture(params=["gif", "webp", "png", "tiff", "avif", "mpo"])
def animation(request, tmp_path):
    """Three frames, red, blue and green."""
    frames = [Image.new("RGB", (32, 32), colour) for colour in COLOURS]
    path = tmp_path / f"a.{request.param}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True, quality=100)
    return path


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_number_chooses_a_frame(animation, number, caplog):
    assert first_pixel(f"{animation}#{number}") == [value // 255 for value in COLOURS[number - 1]]
    assert "of 3" not in caplog.text
    assert images.pixel_count(f"{animation}#{number}") == 32 * 32


def test_by_default_the_first_frame_is_read_and_said(animation, caplog):
    assert first_pixel(animation) == [1, 0, 0]
    # The first picture of an MPO is the photo by definition.
    assert ("1 of 3" in caplog.text) == (animation.suffix != ".mpo")


@pytest.mark.parametrize("number", [0, 4, 99])
def test_a_frame_that_does_not_exist_is_refused(animation, number):
    with pytest.raises(UserError, match=f"no {number} among its 3 frames or pages"):
        images.read(f"{animation}#{number}")


def test_a_file_of_that_very_name_comes_first(tmp_path):
    Image.new("RGB", (32, 32), COLOURS[0]).save(tmp_path / "a.png")
    Image.new("RGB", (32, 32), COLOURS[1]).save(tmp_path / "a#2.png")
    Image.new("RGB", (32, 32), COLOURS[2]).save(tmp_path / "a.png#2", format="PNG")
    assert first_pixel(tmp_path / "a#2.png") == [0, 0, 1]
    assert first_pixel(tmp_path / "a.png#2") == [0, 1, 0]
    assert first_pixel(tmp_path / "a.png#1") == [1, 0, 0]
    with pytest.raises(UserError, match="No such file"):
        images.read(str(tmp_path / "b.png#1"))


def pages(path, *kinds):
    """Write pages, each a picture and its options; `subifds` counts the sub-pages that follow."""
    with tifffile.TiffWriter(path) as writer:
        for picture, options in kinds:
            writer.write(picture, metadata=None, **{"photometric": "rgb", **options})
    return str(path)


LAYOUTS = {
    "sub-page": [(PREVIEW, {"subfiletype": 1, "subifds": 1}), (PICTURE, {})],
    "flagged": [(PREVIEW, {"subfiletype": 1}), (PICTURE, {})],
    "unflagged": [(PREVIEW, {}), (PICTURE, {})],
    "deep": [(PREVIEW, {}), (PICTURE.astype(np.uint16) * 257, {})],
    "pyramid": [(PICTURE, {"subifds": 1}), (PREVIEW, {"subfiletype": 1})],
    "mask": [
        (PREVIEW, {}),
        (PICTURE, {}),
        (np.zeros((90, 99), bool), {"subfiletype": 4, "photometric": "mask"}),
    ],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", ["tif", "dng"])
def test_a_thumbnail_is_not_taken_for_the_picture(tmp_path, layout, suffix):
    picture = images.read(pages(tmp_path / f"a.{suffix}", *LAYOUTS[layout]))
    assert picture.shape == (1, 60, 80, 3)
    np.testing.assert_allclose(picture, 100 / 255, atol=1e-5)


@pytest.mark.parametrize("compression", ["jpeg", "tiff_lzw", "packbits"])
def test_a_compressed_page_after_a_thumbnail(tmp_path, compression):
    preview, picture = Image.fromarray(PREVIEW), Image.fromarray(PICTURE)
    preview.save(tmp_path / "a.tif", save_all=True, append_images=[picture], compression=compression)
    np.testing.assert_allclose(
        images.read(str(tmp_path / "a.tif")), np.full((1, 60, 80, 3), 100 / 255), atol=0.01
    )


def test_a_stream_skips_a_file_of_sensor_data(tmp_path):
    pages(tmp_path / "a.dng", (np.zeros((200, 300), np.uint16), {"photometric": CFA}))
    pages(tmp_path / "b.tif", (PICTURE.astype(np.float32) / 255, {}))
    stream = Stream(f"folder:{tmp_path}", 32)
    (batch,) = stream.batches(2)
    assert (batch.pixels[0] == 100).all()
    assert stream.skipped == ["a.dng: it has only sensor data; export it as a TIFF, PNG or JPEG"]


def test_pages_have_numbers_and_sub_pages_follow_theirs(tmp_path):
    path = pages(tmp_path / "a.tif", *LAYOUTS["sub-page"])
    assert images.read(f"{path}#1").shape == (1, 24, 32, 3)
    assert images.read(f"{path}#2").shape == (1, 60, 80, 3)


def test_several_pages_are_said_but_not_reductions(tmp_path, caplog):
    images.read(pages(tmp_path / "a.tif", *LAYOUTS["pyramid"]))
    assert "the largest" not in caplog.text
    images.read(pages(tmp_path / "b.tif", *LAYOUTS["unflagged"]))
    assert "page 2 of 2" in caplog.text


def test_sensor_data_give_way_to_the_preview(tmp_path, caplog):
    sensor = np.zeros((200, 300), np.uint16), {"photometric": CFA}
    path = pages(tmp_path / "a.dng", (PREVIEW, {"subfiletype": 1, "subifds": 1}), sensor)
    assert images.read(path).shape == (1, 24, 32, 3)
    assert "preview of 32 x 24" in caplog.text
    assert "300 x 200" in caplog.text


def test_sensor_data_alone_are_refused(tmp_path):
    path = pages(tmp_path / "a.dng", (np.zeros((200, 300), np.uint16), {"photometric": CFA}))
    with pytest.raises(UserError, match="only sensor data"):
        images.read(path)


def test_a_blank_picture_is_said(tmp_path, caplog):
    Image.new("RGB", (32, 32), (9, 9, 10)).save(tmp_path / "a.png")
    images.read(str(tmp_path / "a.png"))
    assert "blank" in caplog.text
