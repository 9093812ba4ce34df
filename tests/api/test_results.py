"""`Result.save` writes the depth of `output`."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from nst_jax import UserError, images
from nst_jax.api.results import Result
from nst_jax.config import Config

PICTURE = np.random.default_rng(0).random((1, 24, 40, 3)).astype(np.float32)
RECORD = {"status": "done", "steps": 1, "network": {}}


def saved(path, output):
    result = Result(PICTURE, Config(output=output), [], RECORD)
    result.save(path)
    return path


@pytest.mark.parametrize("output", ["png16", "tiff16"])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
def test_16_bits_where_the_config_says_so(tmp_path, output, name):
    path = saved(tmp_path / name, output)
    if name == "a.png":
        assert path.read_bytes()[24] == 16
    else:
        expected = np.rint(PICTURE[0] * np.float64(65535))
        np.testing.assert_array_equal(tifffile.imread(path), expected)
        np.testing.assert_allclose(images.read(str(path)), PICTURE, atol=1e-5)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_8_bits_otherwise(tmp_path, name):
    with Image.open(saved(tmp_path / name, "png8")) as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.rint(PICTURE[0] * 255))


def test_a_format_of_8_bits_is_said(tmp_path, caplog):
    saved(tmp_path / "a.jpg", "png16")
    assert "8 bits per colour" in caplog.text


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.psd"])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="no suffix of a picture format"):
        saved(tmp_path / name, "png8")
