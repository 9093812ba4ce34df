"""A web server on this machine that misbehaves as told."""

import contextlib
import dataclasses
import http.server
import threading
import time


@dataclasses.dataclass
class Reply:
    """One answer; those after the last are whole and right."""

    status: int = 200
    cut_after: int | None = None  # bytes of the body, then the connection closes
    corrupt: bool = False
    extra: bytes = b""
    location: str | None = None
    ignore_range: bool = False
    hang: float = 0.0  # seconds of silence before the headers
    announce: bool = True  # send a Content-Length
    content: bytes | None = None


class Server:
    """Serves `content` at every path; `replies` are used up one by one."""

    def __init__(self, content: bytes, *replies: Reply):
        self.content = content
        self.replies = list(replies)
        self.requests: list[tuple[str, str | None]] = []  # path, Range header
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Server":
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def ranges(self) -> list[str | None]:
        return [wanted for _, wanted in self.requests]


def _handler(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append((self.path, self.headers["Range"]))
            reply = server.replies.pop(0) if server.replies else Reply()
            time.sleep(reply.hang)
            with contextlib.suppress(ConnectionError):  # a client may have given up
                self._answer(reply)

        def _answer(self, reply: Reply) -> None:
            content = server.content if reply.content is None else reply.content
            start = self._start(reply)
            if start > len(content) and reply.status == 200:
                reply = Reply(status=416)
            status = 206 if start and reply.status == 200 else reply.status
            body = (content[start:] if status < 300 else b"") + reply.extra
            if reply.corrupt:
                body = bytes(byte ^ 1 for byte in body)
            self.send_response(status)
            if reply.location:
                self.send_header("Location", reply.location)
            if status == 206:
                last = len(content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
            if reply.announce:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: reply.cut_after])

        def _start(self, reply: Reply) -> int:
            wanted = self.headers["Range"]
            if wanted is None or reply.ignore_range:
                return 0
            return int(wanted.removeprefix("bytes=").removesuffix("-"))

        def log_message(self, *_) -> None:
            pass

    return Handler
