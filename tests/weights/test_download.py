import hashlib
import http.client
import os
import socket
import time

import pytest

from nst_jax.errors import UserError
from nst_jax.weights.download import DownloadError, download, file_digest
from tests.weight_server import Reply, Server

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch):
    monkeypatch.setattr("nst_jax.weights.download.TIMEOUT", 5.0)
    monkeypatch.setattr("nst_jax.weights.download.PAUSE", 0.001)


def get(target, *urls, digest=SHA256, size: int | None = 1 << 20):
    download(urls, target, size, digest)
    assert target.read_bytes() == CONTENT
    assert os.listdir(target.parent) == [target.name]


def test_plain(tmp_path):
    with Server(CONTENT) as server:
        get(tmp_path / "w", f"{server.url}/w")
    assert server.requests == [("/w", None)]


@pytest.mark.parametrize(
    "digest", ["md5:" + hashlib.md5(CONTENT).hexdigest(), SHA256, SHA256[: len("sha256:") + 8]]
)
def test_digests_of_each_kind(tmp_path, digest):
    with Server(CONTENT) as server:
        get(tmp_path / "w", server.url, digest=digest)


def test_cut_connections_are_continued(tmp_path):
    with Server(CONTENT, Reply(cut_after=300_000), Reply(cut_after=300_000)) as server:
        get(tmp_path / "w", server.url)
    assert server.ranges == [None, "bytes=300000-", "bytes=600000-"]


def test_a_size_that_nobody_published_is_the_server_s(tmp_path):
    with Server(CONTENT, Reply(cut_after=300_000)) as server:
        get(tmp_path / "w", server.url, size=None)
    assert server.ranges == [None, "bytes=300000-"]
    with Server(CONTENT[1:]) as server, pytest.raises(DownloadError, match="a corrupt file"):
        get(tmp_path / "x", server.url, size=None)


def test_many_cuts_are_no_failure_while_there_is_progress(tmp_path):
    with Server(CONTENT, *[Reply(cut_after=100_000)] * 9) as server:
        get(tmp_path / "w", server.url)
    assert len(server.requests) == 10


def test_an_earlier_process_left_a_beginning(tmp_path):
    (tmp_path / "w.part").write_bytes(CONTENT[:1000])
    with Server(CONTENT) as server:
        get(tmp_path / "w", server.url)
    assert server.ranges == ["bytes=1000-"]


def test_an_earlier_process_left_everything(tmp_path):
    (tmp_path / "w.part").write_bytes(CONTENT)
    with Server(CONTENT) as server:
        get(tmp_path / "w", server.url)
    assert server.requests == []


@pytest.mark.parametrize("beginning", [b"wrong" * 100, CONTENT + b"too long"])
def test_a_wrong_beginning_is_thrown_away(tmp_path, beginning):
    (tmp_path / "w.part").write_bytes(beginning)
    with Server(CONTENT) as server:
        get(tmp_path / "w", server.url)
    assert server.ranges[-1] is None


def test_a_server_that_ignores_ranges(tmp_path):
    with Server(CONTENT, Reply(cut_after=1000), Reply(ignore_range=True)) as server:
        get(tmp_path / "w", server.url)
    assert server.ranges == [None, "bytes=1000-"]


def test_a_server_without_lengths(tmp_path):
    with Server(CONTENT, Reply(announce=False)) as server:
        get(tmp_path / "w", server.url)


def test_redirects_keep_the_range(tmp_path):
    (tmp_path / "w.part").write_bytes(CONTENT[:1000])
    with Server(CONTENT) as there, Server(b"", Reply(302, location=f"{there.url}/x")) as here:
        get(tmp_path / "w", here.url)
    assert there.requests == [("/x", "bytes=1000-")]


def test_a_server_that_fails_once(tmp_path):
    with Server(CONTENT, Reply(500), Reply(503)) as server:
        get(tmp_path / "w", server.url)
    assert len(server.requests) == 3


def test_the_next_mirror_after_404_and_after_corruption(tmp_path):
    with (
        Server(CONTENT, Reply(404)) as first,
        Server(CONTENT, Reply(corrupt=True)) as second,
        Server(CONTENT) as third,
    ):
        get(tmp_path / "w", first.url, second.url, third.url)
    assert [len(server.requests) for server in (first, second, third)] == [1, 1, 1]


def test_a_second_mirror_continues_the_first_ones_file(tmp_path):
    cut = [Reply(cut_after=5000), Reply(500), Reply(500), Reply(500)]
    with Server(CONTENT, *cut) as first, Server(CONTENT) as second:
        get(tmp_path / "w", first.url, second.url)
    assert second.ranges == ["bytes=5000-"]


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ([Reply(404)], "HTTP 404"),
        ([Reply(403)], "HTTP 403"),
        ([Reply(500)] * 3, "HTTP 500"),
        ([Reply(corrupt=True)], "corrupt file"),
        ([Reply(content=CONTENT[:-1])], "1048575 bytes instead of 1048576"),
        ([Reply(content=CONTENT[:-1], announce=False)] * 9, "a different range"),
        ([Reply(extra=b"more")], "more than the 1048576 bytes"),
        ([Reply(302, location="file:///etc/passwd")], "302"),
        ([Reply(cut_after=0)] * 3, "connection lost after 0"),
    ],
)
def test_failures_say_why_and_leave_no_file(tmp_path, replies, message):
    with Server(CONTENT, *replies) as server, pytest.raises(DownloadError, match=message) as error:
        get(tmp_path / "w", server.url)
    assert server.url.removeprefix("http://") in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "w").exists()
    assert all(path.stat().st_size == 0 for path in tmp_path.iterdir())


def test_silence_ends_soon(tmp_path, monkeypatch):
    monkeypatch.setattr("nst_jax.weights.download.TIMEOUT", 0.1)
    start = time.monotonic()
    with Server(CONTENT, Reply(hang=1.0)) as server, pytest.raises(DownloadError, match="timed out"):
        get(tmp_path / "w", server.url)
    assert len(server.requests) == 1
    assert time.monotonic() - start < 3


def test_nobody_there(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/w"
        with pytest.raises(DownloadError, match="refused"):
            get(tmp_path / "w", url)


def test_no_such_host(tmp_path, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DownloadError, match=r"nowhere\.invalid: Name or service not known"):
        get(tmp_path / "w", "http://nowhere.invalid/w")


def test_garbage_instead_of_http(tmp_path, monkeypatch):
    def garbage(*_, **__):
        raise http.client.BadStatusLine("SSH-2.0")

    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", garbage)
    with Server(CONTENT) as server, pytest.raises(DownloadError, match="SSH"):
        get(tmp_path / "w", server.url)


@pytest.mark.parametrize("url", ["ftp://host/w", "/a/path", "javascript:1"])
def test_addresses_of_other_kinds(tmp_path, url):
    with pytest.raises(DownloadError, match="unsupported URL"):
        get(tmp_path / "w", url)


def test_a_folder_as_mirror(tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "w").write_bytes(CONTENT)
    (tmp_path / "cache").mkdir()
    get(tmp_path / "cache" / "w", (tmp_path / "mirror" / "w").as_uri())


def test_the_proxy_is_asked(tmp_path, monkeypatch):
    with Server(CONTENT) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        get(tmp_path / "w", "http://nowhere.invalid/w")
    assert proxy.requests == [("http://nowhere.invalid/w", None)]


def test_a_folder_that_cannot_be_written_is_the_users_to_mend(tmp_path):
    with Server(CONTENT) as server, pytest.raises(UserError, match="cannot write") as error:
        get(tmp_path / "none" / "w", server.url)
    assert not isinstance(error.value, DownloadError)


def test_a_full_disk_is_told_from_a_failing_network(tmp_path):
    full = "/dev/full"
    if not os.path.exists(full):
        pytest.skip("no /dev/full on this system")
    (tmp_path / "w.part").symlink_to(full)
    with Server(CONTENT) as server, pytest.raises(UserError, match="No space left"):
        get(tmp_path / "w", server.url)
    assert len(server.requests) == 1


def test_file_digest(tmp_path):
    (tmp_path / "w").write_bytes(CONTENT)
    assert f"sha256:{file_digest(tmp_path / 'w')}" == SHA256
