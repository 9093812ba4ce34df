"""The server of the preview: one page, its state as JSON, and the pictures of one folder, read-only.

It listens on 127.0.0.1 only, and answers only requests addressed to this machine by name or number, so that
other sites cannot reach it through the browser. On any other address, everything is below a random token.
"""

import contextlib
import functools
import io
import json
import re
import secrets
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from PIL import Image

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.figures.pages import render
from nst_jax.images.writing import to_bytes
from nst_jax.preview.watching import folder_state
from nst_jax.runs.folder import read_settings

LOCAL = ("127.0.0.1", "localhost")
_PICTURE = re.compile(r"(?:[^/\\]+/)?(?:result\.png|progress/\d+\.png)")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class PreviewServer(ThreadingHTTPServer):
    """Serves the preview of one folder; `address` is what to open in a browser."""

    daemon_threads = True

    def __init__(self, folder: Path, host: str = LOCAL[0], port: int = 0):
        """Listen on `host` and `port`; 0 takes any free one.

        Raises:
            UserError: the address cannot be used, for example because the port is taken.
        """
        self.folder = folder
        self.local = host in LOCAL
        self.prefix = "/" if self.local else f"/{secrets.token_urlsafe(16)}/"
        try:
            super().__init__((host, port), PreviewHandler)
        except (OSError, OverflowError) as error:
            raise UserError(f"--port, --host: cannot listen on {host}:{port}: {error}") from error
        self.address = f"http://{host}:{self.server_address[1]}{self.prefix}"

    @contextlib.contextmanager
    def in_background(self) -> Iterator["PreviewServer"]:
        """Answer requests in a thread while the block runs."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()


class PreviewHandler(BaseHTTPRequestHandler):
    """Answers GET requests for `/`, `/state.json`, `/before.png` and the folder's pictures."""

    server: PreviewServer

    def do_GET(self) -> None:
        """Answer with the page, the state or a picture, or else with 403 or 404."""
        path, prefix = unquote(urlsplit(self.path).path), self.server.prefix.encode()
        if self.server.local and (self.headers.get("Host") or "").rpartition(":")[0] not in LOCAL:
            self._answer(HTTPStatus.FORBIDDEN)
        elif not secrets.compare_digest(path.encode()[: len(prefix)], prefix):
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            self._answer_path(path[len(prefix) :])

    def _answer_path(self, path: str) -> None:
        folder = self.server.folder
        match path:
            case "":
                page = render("preview.html", name=folder.resolve().name)
                self._answer(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8")
            case "state.json":
                self._answer(HTTPStatus.OK, _state(folder), "application/json")
            case "before.png" if (picture := before_picture(folder)) is not None:
                self._answer(HTTPStatus.OK, picture, "image/png")
            case _ if _PICTURE.fullmatch(path) and _inside(folder / path, folder):
                self._answer(HTTPStatus.OK, (folder / path).read_bytes(), "image/png")
            case _:
                self._answer(HTTPStatus.NOT_FOUND)

    def _answer(self, status: HTTPStatus, body: bytes = b"", kind: str = "text/plain") -> None:
        with contextlib.suppress(ConnectionError):  # the page was closed meanwhile
            self.send_response(status)
            for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""


def _state(folder: Path) -> bytes:
    try:
        state = folder_state(folder)
    except UserError as error:
        state = {"kind": "nothing", "message": str(error)}
    return json.dumps(state, allow_nan=False).encode()


def _inside(file: Path, folder: Path) -> bool:
    """Whether `file` is a file in `folder`, with links followed."""
    return file.is_file() and file.resolve().is_relative_to(folder.resolve())


def before_picture(folder: Path) -> bytes | None:
    """Return the content of the run in `folder` as a PNG, at the size of the result.

    If it cannot be read, because the run was made elsewhere, return the first snapshot, if there is one.
    """
    try:
        config = from_dict(read_settings(folder))
        return _content(config.content, config.size)
    except UserError:
        snapshots = sorted((folder / "progress").glob("*.png"))
        return snapshots[0].read_bytes() if snapshots else None


@functools.lru_cache(maxsize=1)
def _content(source: str, size: int) -> bytes:
    content = io.BytesIO()
    pixels, whole = images.read_reduced(source, size)
    picture = images.resize(pixels, *images.fitted(whole, size))
    Image.fromarray(to_bytes(picture[0])).save(content, format="PNG")
    return content.getvalue()
