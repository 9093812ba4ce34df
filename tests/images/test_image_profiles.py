"""The colour profiles that pictures carry: `read` gives sRGB whatever they are."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from nst_jax import images

PICTURE = Image.effect_noise((32, 24), 60).convert("RGB")


def read_with(profile, picture, path):
    picture.save(path, icc_profile=profile, quality=100, lossless=True)
    return images.read(str(path))


def matrix_profile(gamma, primaries):
    """An ICC v2 RGB profile from its colorants (rows: R, G, B in D50 XYZ) and one gamma."""

    def fixed(values):
        return b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    def xyz(values):
        return b"XYZ \0\0\0\0" + fixed(values)

    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": text + b"\0", b"cprt": b"text\0\0\0\0ours", b"wtpt": xyz([0.9642, 1, 0.8249])}
    tags |= {name: xyz(row) for name, row in zip([b"rXYZ", b"gXYZ", b"bXYZ"], primaries, strict=True)}
    tags |= dict.fromkeys([b"rTRC", b"gTRC", b"bTRC"], curve)
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        table += name + struct.pack(">II", start + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    head = b"\0\0\0\0\x02\x10\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    head += fixed([0.9642, 1, 0.8249])
    return struct.pack(">I", start + len(data)) + head + bytes(124 - len(head)) + table + data


# sRGB's own colorants, adapted to D50.
SRGB_PRIMARIES = np.array([[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]])


def srgb_encode(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "webp"])
def test_a_profile_is_applied(tmp_path, suffix):
    # Linear light with red and green exchanged: unmistakable, and its sRGB is known in closed form.
    profile = matrix_profile(1.0, SRGB_PRIMARIES[[1, 0, 2]])
    picture = Image.new("RGB", (32, 32), (51, 102, 153))
    image = read_with(profile, picture, tmp_path / f"a.{suffix}")
    expected = srgb_encode(np.array([102, 51, 153]) / 255)
    np.testing.assert_allclose(image[0, 16, 16], expected, atol=3 / 255)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA"])
def test_an_rgb_profile_serves_every_rgb_like_mode(tmp_path, mode):
    picture = Image.new("L", (32, 32), 51).convert(mode)
    image = read_with(matrix_profile(1.0, SRGB_PRIMARIES), picture, tmp_path / "a.png")
    np.testing.assert_allclose(image[0, 16, 16], srgb_encode(0.2), atol=1.5 / 255)


def a_profile(space):
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


def test_the_srgb_profile_changes_nothing(tmp_path):
    image = read_with(a_profile("sRGB"), PICTURE, tmp_path / "a.png")
    np.testing.assert_allclose(image[0] * 255, np.asarray(PICTURE), atol=1.01)


@pytest.mark.parametrize("profile", [b"not a profile", b"", a_profile("LAB")])
def test_a_profile_that_does_not_fit_is_ignored(tmp_path, profile):
    image = read_with(profile, PICTURE, tmp_path / "a.png")
    np.testing.assert_allclose(image[0] * 255, np.asarray(PICTURE), atol=1e-4)


def test_a_profile_that_does_not_fit_is_mentioned(tmp_path, caplog):
    read_with(b"not a profile", PICTURE, tmp_path / "a.png")
    assert "ignoring its colour profile" in caplog.text


def test_transparent_pixels_are_white_after_the_profile(tmp_path):
    picture = Image.new("RGBA", (32, 32), (51, 51, 51, 51))
    image = read_with(matrix_profile(1.0, SRGB_PRIMARIES), picture, tmp_path / "a.png")
    np.testing.assert_allclose(image, 0.2 * srgb_encode(0.2) + 0.8, atol=1.5 / 255)


def png_with(path, picture, **chunks):
    """A PNG with chunks before its pixels, each a tuple of unsigned integers."""
    info = PngInfo()
    for name, values in chunks.items():
        info.add(name.encode(), struct.pack(f">{len(values)}I", *values) if name != "sRGB" else bytes(values))
    picture.save(path, pnginfo=info)
    return images.read(str(path))


LINEAR = (100_000,)
SRGB_CHRM = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3_CHRM = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "I;16"])
def test_gamma_of_a_png(tmp_path, mode):
    picture = Image.new("L", (32, 32), 51).convert(mode if mode != "I;16" else "L")
    if mode == "I;16":
        picture = Image.fromarray(np.full((32, 32), 51 * 257, np.uint16))
    image = png_with(tmp_path / "a.png", picture, gAMA=LINEAR)
    np.testing.assert_allclose(image, np.full((1, 32, 32, 3), srgb_encode(0.2)), atol=1e-5)


@pytest.mark.parametrize(("stored", "exponent"), [(55_556, 1.8), (30_000, 1 / 0.3)])
def test_other_gammas(tmp_path, stored, exponent):
    image = png_with(tmp_path / "a.png", PICTURE, gAMA=(stored,))
    expected = srgb_encode((np.asarray(PICTURE) / 255.0) ** exponent)
    np.testing.assert_allclose(image[0], expected, atol=1e-4)


@pytest.mark.parametrize(
    "chunks",
    [
        {"gAMA": (45_455,)},
        {"gAMA": (45_455,), "cHRM": SRGB_CHRM},
        {"gAMA": LINEAR, "sRGB": (0,)},
        {"gAMA": (0,)},
        {"cHRM": (0,) * 8},
        {"cHRM": (31270, 32900) * 4},
    ],
)
def test_chunks_that_mean_srgb_or_nothing_change_nothing(tmp_path, chunks):
    image = png_with(tmp_path / "a.png", PICTURE, **chunks)
    np.testing.assert_allclose(image[0] * 255, np.asarray(PICTURE), atol=1e-3)


def test_a_profile_takes_precedence_over_gamma(tmp_path):
    info = PngInfo()
    info.add(b"gAMA", struct.pack(">I", *LINEAR))
    PICTURE.save(tmp_path / "a.png", pnginfo=info, icc_profile=a_profile("sRGB"))
    np.testing.assert_allclose(images.read(str(tmp_path / "a.png"))[0] * 255, np.asarray(PICTURE), atol=1.01)


def test_primaries_of_a_png(tmp_path):
    # Display P3's (200, 100, 50) in sRGB, by the published matrix of CSS Color 4.
    to_srgb = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0196, -0.0786, 1.0979]])
    linear = ((np.array([200, 100, 50]) / 255 + 0.055) / 1.055) ** 2.4
    image = png_with(tmp_path / "a.png", Image.new("RGB", (32, 32), (200, 100, 50)), cHRM=P3_CHRM)
    np.testing.assert_allclose(image[0, 0, 0], srgb_encode(to_srgb @ linear), atol=2e-3)
