"""A headless Chromium for tests of pages, driven over a pipe by its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--remote-debugging-pipe", "--window-size=1200,900", "--force-device-scale-factor=1"),
)
# The protocol goes through descriptors 3 and 4; the shell joins them to the pipes that Popen makes.
LAUNCH = 'exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1'
DEADLINE = 90  # seconds, of everything that a test does with one page


class Page:
    """An open page, to ask by JavaScript, click on and look at; `errors` are its console's complaints."""

    def __init__(self, process: subprocess.Popen[bytes]):
        """Attach to a fresh page of the browser in `process`."""
        self.errors: list[str] = []
        self._process, self._calls, self._loads = process, 0, 0
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, address: Path | str) -> None:
        """Load a file from disk, or an http address, with all that it shows."""
        before = self._loads
        url = address if isinstance(address, str) else address.resolve().as_uri()
        self._call("Page.navigate", url=url)
        self._wait_for_load(before)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        found = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in found, f"{expression}: {found['exceptionDetails']}"
        return found["result"].get("value")

    def click(self, selector: str, leads_away: bool = False) -> None:
        """Press and release the mouse on the middle of an element, scrolled into view."""
        before = self._loads
        box = self.ask(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
            f" return [b.x + b.width / 2, b.y + b.height / 2]; }})"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        if leads_away:
            self._wait_for_load(before)

    def press(self, key: str) -> None:
        """Press and release a key by its name, such as ArrowRight."""
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key)

    def resize(self, width: int, height: int) -> None:
        """Show the page in a window of this size, in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        self.ask(f"new Promise(f => {{ const g = () => ({expression}) ? f(1) : setTimeout(g, 20); g(); }})")

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as a PNG."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _wait_for_load(self, before: int) -> None:
        while self._loads == before:
            self._note(self._read())

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        self._process.stdin.flush()
        while (answer := self._read()).get("id") != self._calls:
            self._note(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self._process.stdout.read(1)) != b"\0":
            assert byte, f"the browser ended, or took more than {DEADLINE} seconds"
            message += byte
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        about = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self._loads += 1
            case "Runtime.exceptionThrown":
                self.errors.append(str(about["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if about["type"] in ("error", "warning", "assert"):
                self.errors.append(str(about["args"]))
            case "Log.entryAdded" if about["entry"]["level"] in ("error", "warning"):
                self.errors.append(str(about["entry"]))


@contextmanager
def opened(address: Path | str, profile: Path) -> Iterator[Page]:
    """The page of an HTML file or an http address in a browser of its own, with a fresh folder as profile.

    Skips the test where there is no browser.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no headless browser here: none of {', '.join(NAMES)} is on PATH")
    process = subprocess.Popen(
        ["/bin/sh", "-c", LAUNCH, program, *FLAGS, f"--user-data-dir={profile}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    watchdog = threading.Timer(DEADLINE, process.kill)
    watchdog.start()
    try:
        page = Page(process)
        page.open(address)
        yield page
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()
