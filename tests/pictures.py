"""Pictures to write into a folder and stream from it, and how a stream refuses."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from nst_jax.errors import UserError
from nst_jax.images.streams import Stream
from tests.images.test_image_formats import oriented


def smooth(height, width, phase=0.0):
    """A picture of waves 4 of an input's pixels long or more, without symmetry; uint8, h w 3."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = [np.sin(7 * x + 3 * y + phase), np.cos(9 * y - 2 * x + phase), np.sin(5 * x * y + y + phase)]
    return np.rint(127.5 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)


def save(pixels, path, orientation=1, **options):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(oriented(pixels, orientation)).save(path, exif=exif, **options)


def refusal(spec):
    """The one line with which a stream refuses."""
    with pytest.raises(UserError) as caught:
        Stream(spec, 16)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("data: ")
    return message
