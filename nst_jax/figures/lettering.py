"""Text in figures, in a font that has its characters: names of files may be in any script.

Pillow's own font has ASCII alone. Other labels take the first font of matplotlib or of the system that has
all their characters; if there is none, characters outside ASCII are escaped, as `\\u5199`.
"""

import functools

from PIL import ImageDraw, ImageFont


def draw_text(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], label: str, size: int, anchor: str = "la"
) -> None:
    """Write `label` in black at `place`, `size` pixels high."""
    draw.text(place, drawable(label), "black", _font(label, size), anchor)


def text_width(label: str, size: int) -> int:
    """Return the width of `label` in pixels."""
    return int(_font(label, size).getlength(drawable(label)))


def drawable(label: str) -> str:
    """Return `label`, escaped if no font has all its characters."""
    if label.isascii() or font_file(label):
        return label
    return label.encode("ascii", "backslashreplace").decode()


@functools.cache
def font_file(label: str) -> str | None:
    """Return the path of a font that has all characters of `label`; None if there is none."""
    from matplotlib import font_manager

    fonts = font_manager.fontManager.ttflist
    # "Last Resort" has a box for every character.
    installed = sorted({font.fname for font in fonts if not font.name.startswith("Last Resort")})
    characters = set(map(ord, label))
    candidates = (font_manager.findfont("DejaVu Sans"), *installed)
    return next((path for path in candidates if characters <= _characters(path)), None)


@functools.cache
def _characters(path: str) -> frozenset[int]:
    """The code points that a font can draw at any size; none for bitmaps, such as those of emoji."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(font.get_charmap()) if font.scalable else frozenset()


def _font(label: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    file = None if label.isascii() else font_file(label)
    return ImageFont.truetype(file, size) if file else ImageFont.load_default(size)
