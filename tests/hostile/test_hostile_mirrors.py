"""Servers and addresses that misbehave: the file as published, or a refusal in a line, and soon."""

import random
import socket
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nst_jax.errors import UserError
from nst_jax.weights.download import download, file_digest
from tests.command import call
from tests.hostile.contract import assert_promises, assert_refusal, cases, within
from tests.hostile.damage import damaged

CONTENT = random.Random(0).randbytes(5000)
TIMEOUT = 0.3
LOCATIONS = (
    *(
        "http://[::1",
        "http://[x]/",
        "http://ü.invalid/w",
        "//",
        "",
        "?",
        "http://",
        "http://127.0.0.1:99999/",
    ),
    *(
        "http://127.0.0.1:x/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://a\x1b[31m/",
        "/w",
        "http:///w",
    ),
    *(
        "http://" + "a" * 300,
        "http://127.0.0.1:1/" + "x" * 3000,
        "gopher://x",
        "http://user:secret@127.0.0.1:1/",
    ),
)


class RawServer:
    """Answers every connection with what `reply(connection)` sends; nothing is well-formed on its own."""

    def __init__(self, reply):
        self._reply = reply
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/w"
        self._stopped = threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._socket.close()

    def _serve(self):
        while not self._stopped.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection:
            try:
                connection.recv(65_536)
                for part in self._reply():
                    if self._stopped.is_set():
                        return
                    connection.sendall(part)
            except OSError:
                pass


def hostile_reply(seed):
    """A function that yields the parts of an answer."""
    generator = random.Random(seed)
    kind = generator.randrange(9)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
    if kind == 0:
        length = generator.choice(("-1", "abc", "9" * 50, "0", "1e3", "", "4999", "5001"))
        return lambda: [f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + CONTENT]
    if kind == 1:
        location = generator.choice(LOCATIONS).encode("utf-8", "surrogateescape")
        return lambda: [b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"]
    if kind == 2:
        status = generator.choice(("404", "500", "999", "99", "x", "-1", "2000", "206", "416", "401", "204"))
        reason = generator.choice(("", "\x1b[31mred\x07", "x" * 5000, "ü"))
        return lambda: [f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\n\r\n".encode()]
    if kind == 3:
        dripped = generator.choice((head + CONTENT, head, b"H" * 1000))
        return lambda: (time.sleep(0.05) or dripped[i : i + 1] for i in range(len(dripped)))
    if kind == 4:
        return lambda: [generator.randbytes(generator.choice((0, 1, 100, 70_000)))]
    if kind == 5:
        lines = b"".join(b"X-%d: y\r\n" % i for i in range(generator.choice((50, 150, 5000))))
        return lambda: [b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n" + CONTENT]
    if kind == 6:
        chunks = generator.choice(
            (b"zz\r\n", b"-1\r\n", b"FFFFFFFFFF\r\n" + CONTENT, b"5\r\nabcde\r\n0\r\n\r\n")
        )
        return lambda: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks]
    if kind == 7:
        ranges = generator.choice(("bytes 9-8/7", "junk", "bytes */*", "bytes 0-4999/" + "9" * 40))
        return lambda: [b"HTTP/1.1 206 Partial\r\nContent-Range: " + ranges.encode() + b"\r\n\r\n" + CONTENT]
    return lambda: [damaged(head + CONTENT, generator)]


def fetch(target, *urls):
    digest = "sha256:" + DIGEST
    download(urls, target, len(CONTENT), digest)


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch):
    monkeypatch.setattr("nst_jax.weights.download.TIMEOUT", TIMEOUT)
    monkeypatch.setattr("nst_jax.weights.download.PAUSE", 0.0)


@pytest.fixture(scope="module", autouse=True)
def _digest(tmp_path_factory):
    global DIGEST
    path = tmp_path_factory.mktemp("content") / "w"
    path.write_bytes(CONTENT)
    DIGEST = file_digest(path)


@pytest.fixture(autouse=True)
def _this_machine_only(monkeypatch):
    """No name is looked up, and no proxy is asked."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    real = socket.getaddrinfo

    def local(host, *rest, **options):
        if host in ("127.0.0.1", "localhost", b"127.0.0.1"):
            return real(host, *rest, **options)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", local)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("seed", cases(12, 150))
def test_any_answer_gives_the_file_or_a_refusal(tmp_path, seed):
    target = tmp_path / "w"
    with RawServer(hostile_reply(seed)) as server, within(20):
        try:
            fetch(target, server.url)
        except UserError as error:
            assert_refusal(error)
            assert not target.exists()
            return
    assert target.read_bytes() == CONTENT


def test_a_server_that_drips_is_left_soon(tmp_path):
    reply = lambda: (time.sleep(0.05) or b"H" for _ in range(10_000))  # noqa: E731
    began = time.monotonic()
    with RawServer(reply) as server, within(20), pytest.raises(UserError, match="slower than 10 KiB/s"):
        fetch(tmp_path / "w", server.url)
    assert time.monotonic() - began < 10


ADDRESSES = (
    *LOCATIONS,
    *("http://user:secret@127.0.0.1:1/w", "http://user:s\x1becret@[::1/w", "https://user:secret@ü.invalid/w"),
    *(
        "http://\udcff/w",
        "http://127.0.0.1:1/\n",
        "http://127.0.0.1:1/ü",
        "http://127.0.0.1:-1/",
        "://",
        "http:",
    ),
)


@pytest.mark.parametrize("url", ADDRESSES)
def test_any_address_is_refused_without_its_password(tmp_path, url):
    with within(20), pytest.raises(UserError) as caught:
        fetch(tmp_path / "w", url)
    assert_refusal(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://user:secret@127.0.0.1:1", "http://[::1", "http://ü.invalid", "\x1b[31m"]
)
def test_no_command_prints_the_password_of_a_mirror(tmp_path, url):
    environment = {"NST_JAX_OFFLINE": "0", "NST_JAX_MIRROR": url, "NST_JAX_CACHE": str(tmp_path)}
    for command in (["list"], ["fetch", "vgg19"]):
        with within(60):
            result = call(*command, module="nst_jax.weights.__main__", **environment)
        assert_promises(result)
        assert "secret" not in result.stdout + result.stderr


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=30), st.sampled_from(("http://", "https://", "file://", "", "http://127.0.0.1:1/")))
def test_addresses_of_any_text(tmp_path_factory, text, start):
    folder = tmp_path_factory.getbasetemp() / "addresses"
    folder.mkdir(exist_ok=True)
    with within(20), pytest.raises(UserError) as caught:
        fetch(folder / "w", start + text)
    assert_refusal(caught.value)
