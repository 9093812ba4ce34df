"""The page of the preview in a real browser: a run as it goes on, the slider, a sweep that fills up."""

from nst_jax.preview.server import PreviewServer
from tests.browser import opened
from tests.preview.test_preview import finish, half_done, line, made_sweep

STATUS = "document.getElementById('status').textContent"


def test_a_run_is_followed_to_its_end(tmp_path):
    folder = half_done(tmp_path / "run")
    snapshot = folder.path / "progress" / "000050.png"
    later = snapshot.rename(tmp_path / "later.png")
    with (
        PreviewServer(folder.path).in_background() as server,
        opened(server.address, tmp_path / "profile") as page,
    ):
        page.wait_for(f"{STATUS}.startsWith('Painting: step 50 of 200')")
        facts = page.ask("document.getElementById('facts').innerText")
        assert "10.00" in facts
        assert "45 s" in facts
        drawn = "[...document.querySelectorAll('#plot [data-term]')].map(path => path.dataset.term)"
        assert page.ask(drawn) == ["total", "style"]
        page.click(".legend label:nth-child(2) input")
        assert page.ask("document.querySelectorAll('#plot path[data-term]').length") == 1
        assert page.ask("document.getElementById('pictures').hidden"), "no picture yet"
        later.rename(snapshot)
        page.wait_for("document.getElementById('after').naturalWidth === 32")

        page.click("#sliding")
        page.wait_for("document.getElementById('before').naturalWidth === 64")
        slider = "document.querySelector('.compare input')"
        page.ask(f"{slider}.focus()")
        before = page.ask(f"+{slider}.value")
        page.press("ArrowRight")
        assert page.ask(f"+{slider}.value") > before
        assert page.ask("document.querySelector('.compare').style.getPropertyValue('--at')") == "50.5%"

        picture = "document.getElementById('after')"
        assert page.ask(f"{picture}.width") > 300, "a coarse picture fills its column"
        page.ask("document.getElementById('zoom').focus()")
        for _ in range(8):
            page.press("ArrowRight")
        assert page.ask(f"{picture}.width > 1.5 * document.querySelector('.window').clientWidth")

        folder.metrics.write(line(60, scale=1.0, seconds=8.0))
        page.wait_for(f"{STATUS}.startsWith('Painting: step 60')")
        finish(folder)
        page.wait_for(f"{STATUS}.startsWith('Done')")
        page.wait_for("document.getElementById('after').src.includes('result.png')")
        assert page.ask("document.querySelector('.stage-name').textContent") == "scale 1"
        assert page.ask("document.getElementById('download').download") == "run.png"
        page.ask("document.getElementById('snapshot').focus()")
        page.press("ArrowLeft")
        assert page.ask("document.getElementById('step').textContent") == "50", "an earlier picture"
        page.wait_for("document.getElementById('after').naturalWidth === 32")
        for name, width in (("wide", 1200), ("narrow", 375)):
            page.resize(width, 900)
            assert page.ask("document.documentElement.scrollWidth") <= width, "nothing sticks out"
            page.screenshot(tmp_path / f"{name}.png")
        assert page.errors == []


def test_a_sweep_fills_up(tmp_path):
    sweep = made_sweep(tmp_path / "sweep")
    with (
        PreviewServer(sweep.path).in_background() as server,
        opened(server.address, tmp_path / "profile") as page,
    ):
        page.wait_for(f"{STATUS}.startsWith('0 of 4')")
        assert page.ask("document.querySelectorAll('#sweep figure').length") == 4
        assert page.ask("document.querySelectorAll('#sweep img').length") == 0
        finish(half_done(sweep.path / sweep.runs[3].folder))
        half_done(sweep.path / sweep.runs[1].folder)
        page.wait_for("document.querySelectorAll('#sweep img').length === 2")
        assert page.ask(STATUS).startswith("1 of 4")
        page.wait_for("document.querySelectorAll('#sweep img')[1].naturalWidth === 64")
        for name, width in (("wide", 1200), ("narrow", 375)):
            page.resize(width, 900)
            assert page.ask("document.documentElement.scrollWidth") <= width
            page.screenshot(tmp_path / f"{name}.png")
        assert page.errors == []
