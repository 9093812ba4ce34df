"""The gallery in a real browser, opened from disk: what it shows, and what clicks and keys do."""

from collections.abc import Iterator

import numpy as np
import pytest

from nst_jax.sweeps import gallery, plan
from nst_jax.sweeps.sweep_folder import Sweep
from tests.browser import Page, opened

HEIGHT, WIDTH = 43, 64
EVALUATIONS = (9, 1000, 30, 200)  # sorted as words they would come in another order


@pytest.fixture(scope="module")
def page(tiny_weights, tmp_path_factory) -> Iterator[Page]:
    """The gallery of two by two runs that were never painted: each a plain colour, with a made-up loss."""
    base = {"size": WIDTH, "network": {"arch": "slim", "weights": str(tiny_weights)}}
    cells = [
        ((f"pool {p}", f"seed <{s}>"), {"network.pool": p, "seed": s}) for p in ("avg", "max") for s in (0, 1)
    ]
    sweep = Sweep(tmp_path_factory.mktemp("sweep"), "mine", plan.plan_runs(base, cells))
    for index, (run, evaluations) in enumerate(zip(sweep.runs, EVALUATIONS, strict=True)):
        folder = sweep.folder(run)
        folder.begin()
        for step in range(3):
            line = {"step": step, "evaluations": step + 1, "seconds": float(step), "scale": 1.0}
            folder.metrics.write(line | {"total": 10.0**-step, "content": 1.0, "style": 2.0, "tv": 3.0})
        about = {"status": "done", "steps": 2, "evaluations": evaluations}
        about |= {"network": {"name": "tiny", "arch": "slim"}, "wall_seconds": 1.5, "painted_together": 2}
        folder.save_result(np.full((1, HEIGHT, WIDTH, 3), index / 4, np.float32), about)
    sweep.save()
    with opened(gallery.write_gallery(sweep), tmp_path_factory.mktemp("profile")) as page:
        yield page
        assert page.errors == []


def dialog(page: Page, ask: str) -> object:
    return page.ask(f"document.querySelector('dialog[open]')?.{ask}")


def test_every_picture_is_shown_where_the_axes_say(page):
    shown = "[...document.querySelectorAll('figure img')]"
    page.ask(f"Promise.all({shown}.map(i => {{ i.loading = 'eager'; return i.decode(); }})).then(() => 1)")
    assert page.ask(f"{shown}.map(i => i.naturalWidth)")[-4:] == [WIDTH] * 4
    places = page.ask(
        "[...document.querySelectorAll('.gallery figure')].map(f => [f.offsetTop, f.offsetLeft])"
    )
    (up, left), (_, right), (down, _), last = places
    assert places == [[up, left], [up, right], [down, left], last]
    assert last == [down, right]
    assert (up < down, left < right) == (True, True)
    assert "seed <1>" in page.ask("document.querySelector('.gallery').textContent")


def test_a_click_opens_the_picture_at_full_size_with_curves_and_settings(page):
    folder = page.ask("document.querySelectorAll('.gallery button')[2].dataset.opens")
    assert dialog(page, "id") is None
    page.click(f"button[data-opens={folder!r}]")
    assert dialog(page, "id") == folder
    assert dialog(page, "querySelector('img').decode().then(() => 1)") == 1
    assert dialog(page, "querySelector('img').naturalHeight") == HEIGHT
    assert dialog(page, "querySelectorAll('.curves path[data-term]').length") == 3, "tv has no weight"
    settings = "querySelectorAll('table')[1].textContent"
    assert "network.poolmax" in dialog(page, settings)
    assert dialog(page, "querySelectorAll('.swept').length") == 2

    page.press("ArrowRight")
    assert dialog(page, "id") == page.ask("document.querySelectorAll('.gallery button')[3].dataset.opens")
    page.press("ArrowRight")
    page.click("dialog[open] [data-turn='-1']")
    assert dialog(page, "id") == folder, "at the last one an arrow leads nowhere"
    page.click("dialog[open] form button")
    assert dialog(page, "id") is None


def test_a_click_on_a_header_sorts_by_number_and_the_next_one_turns_it(page):
    names = page.ask(
        "[...document.querySelector('.sortable').querySelectorAll('th')].map(h => h.textContent)"
    )
    column = names.index("evaluations")
    for expected in (sorted(EVALUATIONS), sorted(EVALUATIONS, reverse=True)):
        page.click(f".sortable th:nth-child({column + 1}) button")
        rows = "[...document.querySelector('.sortable').tBodies[0].rows]"
        cells = f"{rows}.map(r => +r.cells[{column}].textContent)"
        assert page.ask(cells) == expected
    assert page.ask("document.querySelectorAll('[aria-sort=descending]').length") == 1


SHOWN = (
    "[...document.querySelectorAll('.gallery figure')].filter(f => !f.hidden).map(f => f.innerText.trim())"
)


def choose(page: Page, selector: str, value: str) -> None:
    page.ask(
        f"(s => {{ s.value = {value!r}; s.dispatchEvent(new Event('change')); }})"
        f"(document.querySelector({selector!r}))"
    )


def test_filters_and_sorting(page):
    everything = page.ask(SHOWN)
    choose(page, "[data-filter='network.pool']", "max")
    assert page.ask(SHOWN) == everything[2:]
    assert page.ask("document.getElementById('count').textContent") == "2 of 4"
    choose(page, "[data-filter='network.pool']", "")
    choose(page, "#sort", "evaluations")
    ascending = [title for _, title in sorted(zip(EVALUATIONS, everything, strict=True))]
    assert page.ask(SHOWN) == ascending
    page.click("#turn")
    assert page.ask(SHOWN) == ascending[::-1]
    page.click(".gallery figure:nth-child(1) button")
    page.press("ArrowRight")
    title = dialog(page, "querySelector('h2').textContent")
    assert title == ascending[::-1][1], "arrows follow the order that is shown"
    page.click("dialog[open] form button")
    page.click("#turn")
    choose(page, "#sort", "")
    assert page.ask(SHOWN) == everything


def test_two_cells_are_compared_by_a_slider(page):
    page.click(".gallery figure:nth-child(1) button")
    assert dialog(page, "querySelector('.compare input').checkVisibility()") is False
    other = page.ask("document.querySelectorAll('.gallery img')[3].getAttribute('src')")
    choose(page, "dialog[open] .with", other)
    assert dialog(page, "querySelector('.under').decode().then(() => 1)") == 1
    assert dialog(page, "querySelector('.under').getAttribute('src')") == other
    dialog(page, "querySelector('.compare input').focus()")
    page.press("ArrowRight")
    assert dialog(page, "querySelector('.compare').style.getPropertyValue('--at')") == "50.5%"
    dialog(page, "querySelector('form button').focus()")
    page.press("ArrowRight")
    assert dialog(page, "querySelector('.under').getAttribute('src')") == other, "kept for the next cell"
    page.press("c")
    assert dialog(page, "querySelector('.compare input').checkVisibility()") is False
    page.press("c")
    assert dialog(page, "querySelector('.under').getAttribute('src')") == "sources/0.png", "its photo"
    assert dialog(page, "querySelector('.under').decode().then(() => 1)") == 1
    page.press("c")
    page.click("dialog[open] form button")


def test_the_command_is_ready_to_copy(page):
    page.click(".gallery figure:nth-child(4) button")
    command = dialog(page, "querySelector('code').textContent")
    assert command.startswith("python -m nst_jax.run --config=gatys")
    assert "--config.network.pool=max" in command
    page.click("dialog[open] .copy")
    assert page.ask("getSelection().toString()").strip() == command
    page.wait_for("document.querySelector('dialog[open] .copy').textContent === 'Copied'")
    page.click("dialog[open] form button")


def test_arrows_move_between_pictures(page):
    page.ask("document.querySelector('.gallery button').focus()")
    page.press("ArrowRight")
    page.press("ArrowDown")
    buttons = "[...document.querySelectorAll('.gallery button')]"
    assert page.ask(f"{buttons}.indexOf(document.activeElement)") == 3


def test_nothing_sticks_out_on_a_phone(page):
    page.resize(375, 700)
    assert page.ask("document.documentElement.scrollWidth") <= 375
    columns = "getComputedStyle(document.querySelector('.gallery')).gridTemplateColumns.split(' ').length"
    assert page.ask(columns) == 2, "the columns of the sheet"
    page.click(".gallery button")
    assert dialog(page, "scrollWidth") <= 375
    page.click("dialog[open] form button")
    page.resize(1200, 900)


def test_the_open_picture_leads_to_its_file(page):
    page.click(".gallery button")
    page.click("dialog[open] a", leads_away=True)
    assert page.ask("location.pathname").endswith("result.png")
    assert page.ask("document.images[0].naturalWidth") == WIDTH
