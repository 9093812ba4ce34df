"""The page of top patches in a real browser, opened from disk."""

import shutil
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from nst_jax.experiments import top_patches
from nst_jax.vision.searching import maximized_units
from tests import browser
from tests.command import ROOT
from tests.vision.test_maximized_units import GrayPainter

LAYERS = ("conv1_1", "conv2_1")
SIZE = 32  # of the input; photos are 8 pixels wider at each side
WIDTH = SIZE + 16
SIDE = 10  # of the receptive field of conv2_1
SETTLED = "new Promise(done => setTimeout(done, 100))"  # what a click sets off has happened


@pytest.fixture(scope="module")
def page(tiny_weights, tmp_path_factory) -> Iterator[browser.Page]:
    """The page of a search, moved elsewhere, after the photos are gone."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "photos").mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (SIZE, WIDTH, 3), np.uint8)
        Image.fromarray(noise).save(folder / "photos" / f"<b> & {number}.png")
    values = {
        "data": f"folder:{folder / 'photos'}",
        "layers": ",".join(LAYERS),
        "size": SIZE,
        "shown": 3,
        "maximized": 16,
        "network.weights": tiny_weights,
    }
    config = f"--config={ROOT / 'configs' / 'top_patches.py'}"
    fields = [f"--config.{name}={value}" for name, value in values.items()]
    with mock.patch.object(maximized_units, "ResponsePainter", GrayPainter):
        assert top_patches.main(["top_patches", config, f"--workdir={folder / 'run'}", *fields]) == 0
    shutil.rmtree(folder / "photos")
    (folder / "run").rename(folder / "moved")
    with browser.opened(folder / "moved" / "index.html", tmp_path_factory.mktemp("profile")) as page:
        yield page
        assert page.errors == []


def text(page, selector):
    return page.ask(f"document.querySelector({selector!r}).innerText")


def click(page, selector):
    page.click(selector)
    page.ask(SETTLED)


def go_to(page, fragment):
    page.ask(f"location.hash = {fragment!r}")
    page.ask(SETTLED)


def test_it_shows_layers_and_units(page):
    pictures = (
        "[...document.querySelectorAll('main img')].map(i => [i.getAttribute('src'), i.naturalWidth > 0])"
    )
    assert page.ask("[...document.querySelectorAll('nav a')].map(a => a.innerText)") == list(LAYERS)
    assert text(page, "main h2") == "conv2_1", "one in the middle comes first"
    click(page, "nav a:nth-child(1)")
    assert text(page, "main h2") == "conv1_1"
    assert "3 x 3 pixels of the input" in text(page, "#layer .how")
    drawn = [f"units/conv1_1/{unit}.png" for unit in (0, 1, 2)]
    page.wait_for("document.querySelectorAll('main figure > a > img').length === 3")
    assert page.ask(pictures)[:4] == [[name, True] for name in ("filters.png", *drawn)]
    assert text(page, "#layer .cards") == "unit 3", "units that are not drawn are listed"
    page.wait_for("document.querySelector('#layer .cards img')?.naturalWidth > 0")


def test_a_click_opens_a_unit_and_keys_turn_to_the_next(page):
    go_to(page, "#conv2_1")
    click(page, "figure:nth-child(3) a")
    assert text(page, "dialog h2") == "conv2_1 unit 4"
    assert page.ask("document.querySelector('dialog img').naturalWidth") > 0
    rows = page.ask("[...document.querySelectorAll('.patches tbody tr')].map(row => row.cells[2].innerText)")
    assert sorted(rows) == [f"<b> & {number}.png" for number in range(3)], "names are text"
    for folder in ("quantiles", "maximized"):
        page.wait_for(f"document.querySelector('dialog img[src^={folder}]').naturalWidth > 0")
    assert "the largest activation is 0.25, that of the strongest patch" in text(page, "dialog")
    assert "fired in 3 of 3 images" in text(page, "dialog")
    assert page.ask("document.querySelectorAll('dialog .histogram rect').length") > 0
    assert page.ask("document.querySelector('dialog').scrollTop") == 0
    for _ in range(2):
        page.press("ArrowLeft")
        page.ask(SETTLED)
    assert text(page, "dialog h2") == "conv2_1 unit 0"
    assert page.ask("document.querySelector('[aria-label=\"Previous unit\"]').disabled")
    click(page, "dialog [aria-label='Next unit']")
    assert text(page, "dialog h2") == "conv2_1 unit 2"
    page.resize(390, 844)
    assert page.ask("document.querySelector('dialog').scrollWidth") <= 390, "nothing sticks out"
    assert page.ask("document.documentElement.scrollWidth") <= 390
    page.resize(1280, 900)
    click(page, "dialog .close")
    assert not page.ask("document.querySelector('dialog').open")
    assert page.ask("location.hash") == "#conv2_1"


def test_the_address_leads_to_a_unit_and_back_out_of_it(page):
    go_to(page, "#conv2_1")
    go_to(page, "#conv1_1/3")
    assert text(page, "dialog h2") == "conv1_1 unit 3"
    go_to(page, "#conv1_1/2/3")
    assert text(page, "dialog h2") == "conv1_1 unit 2"
    assert page.ask("document.querySelector('[aria-pressed=true]').ariaLabel").startswith("Patch 3: ")
    for expected in ("conv1_1 unit 3", None):
        page.ask("history.back()")
        page.ask(SETTLED)
        assert page.ask("document.querySelector('dialog[open] h2')?.innerText") == expected
    assert text(page, "main h2") == "conv2_1"


# The edges of an element on a photo, left, top, right and bottom, in pixels of the photo.
INSIDE = """((inner, photo) => {
    const [box, whole] = [inner, photo].map(name => document.querySelector(name).getBoundingClientRect());
    const at = (x, y) => [x - whole.left, y - whole.top].map(pixels => pixels * WIDTH / whole.width);
    return [...at(box.left, box.top), ...at(box.right, box.bottom)];
})""".replace("WIDTH", str(WIDTH))


def rows(page):
    return page.ask(
        "[...document.querySelectorAll('.patches tbody tr')].map(row => [...row.cells].map(c => c.innerText))"
    )


def test_a_click_on_a_patch_outlines_it_in_the_whole_photo(page):
    go_to(page, "#conv2_1/2")
    for rank in (3, 1):
        click(page, f"dialog .mosaic button:nth-of-type({rank})")
        assert page.ask("location.hash") == f"#conv2_1/2/{rank}"
        assert page.ask("document.querySelector('[aria-pressed=true]').ariaLabel").startswith(
            f"Patch {rank}: "
        )
        _, _, name, _, _, *box = rows(page)[rank - 1]
        assert page.ask("document.querySelector('.whole img').decode().then(() => 1)") == 1
        assert page.ask("document.querySelector('.whole img').naturalWidth") == WIDTH
        assert page.ask("document.querySelector('.whole img').alt") == f"{name}, with patch {rank} outlined"
        outlined = page.ask(f"{INSIDE}('.outline', '.whole img')")
        np.testing.assert_allclose(outlined, [int(number) for number in box], atol=0.05)
    seen = page.ask(f"{INSIDE}('.frame', '.whole img')")
    np.testing.assert_allclose(seen, [8, 0, 8 + SIZE, SIZE], atol=0.05)
    assert page.ask("document.querySelectorAll('.close-ups img').length") == 2, (
        "the patch, and its projection"
    )


def test_units_that_are_not_drawn_have_patches_cut_out_of_the_photos(page):
    clipped = 0
    for unit in (1, 3, 5):
        go_to(page, f"#conv2_1/{unit}")
        assert page.ask("document.querySelectorAll('dialog .mosaic.right').length") == 0, "no projections"
        assert len(rows(page)) == 3
        for rank, (*_, x0, y0, x1, y1) in enumerate(rows(page), 1):
            cell = f"dialog .mosaic button:nth-of-type({rank}) .crop"
            assert page.ask(f"document.querySelector('{cell} img').decode().then(() => 1)") == 1
            left, top, right, bottom = page.ask(f"{INSIDE}('{cell}', '{cell} img')")
            np.testing.assert_allclose((right - left, bottom - top), SIDE, atol=0.05)
            # A field that reaches over the left or upper border of the square ends where its box does.
            for low, high, field, border in ((x0, x1, (left, right), 8), (y0, y1, (top, bottom), 0)):
                is_clipped = int(low) == border
                assert field[is_clipped] == pytest.approx(int(high if is_clipped else low), abs=0.05)
                clipped += is_clipped and int(high) - int(low) < SIDE
    assert clipped > 0


def test_similar_units_are_linked(page):
    go_to(page, "#conv1_1/3")
    other = text(page, "dialog .cards a figcaption").split(":")[0]
    page.ask("document.querySelector('dialog .cards').scrollIntoView()")
    page.wait_for("document.querySelectorAll('dialog .cards a .mosaic').length > 0")
    click(page, "dialog .cards a")
    assert text(page, "dialog h2") == f"conv1_1 {other}"
    page.ask("history.back()")
    page.ask(SETTLED)
    assert text(page, "dialog h2") == "conv1_1 unit 3"
