"""Files of remote runs on their way home, without a cluster."""

import pytest

from nst_jax.cluster.inbox import Inbox, Outbox, attempted
from tests.cluster import one_process


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "home/a").mkdir(parents=True)
    return Inbox(str(tmp_path / "home"))


def test_what_a_worker_writes_arrives_and_what_it_deletes_goes(inbox, tmp_path):
    (attempt, _), away = inbox.begin("a", ["a"]), tmp_path / "away"
    (away / "a").mkdir(parents=True)
    outbox = Outbox(away)
    (away / "a/metrics.jsonl").write_text("1\n")
    (away / "a/checkpoint").write_bytes(b"state")
    (away / "a/.lock").write_text("held here only")
    assert inbox.receive("a", attempt, outbox.take(), 10)
    assert {path.name for path in (tmp_path / "home/a").iterdir()} == {"metrics.jsonl", "checkpoint"}
    with (away / "a/metrics.jsonl").open("a") as file:
        file.write("2\n")
    (away / "a/checkpoint").unlink()
    changed = outbox.take()
    assert changed == {"a/metrics.jsonl": b"1\n2\n", "a/checkpoint": None}
    inbox.receive("a", attempt, changed, 20)
    assert [path.read_text() for path in (tmp_path / "home/a").iterdir()] == ["1\n2\n"]
    assert inbox.steps() == {"a": 20}
    assert outbox.take() == {}


def test_a_second_attempt_begins_with_the_files_of_the_first(inbox, monkeypatch):
    one_process.install(monkeypatch)
    actor = one_process.Actor(inbox)
    with attempted(actor, "a", ["a"]) as (first, send):
        (first / "a").mkdir()
        (first / "a/10.png").write_bytes(b"picture")
        assert send({"a/10.png": b"picture"}, 10)
    assert not first.exists()
    with attempted(actor, "a", ["a"]) as (second, _):
        assert (second / "a/10.png").read_bytes() == b"picture"
        assert Outbox(second).take() == {}
    inbox.stop()
    with attempted(actor, "a", ["a"]) as attempt:
        assert attempt is None


def test_a_worker_that_was_taken_for_dead_changes_nothing(inbox, tmp_path):
    (first, _), (second, _) = inbox.begin("a", ["a"]), inbox.begin("a", ["a"])
    assert not inbox.receive("a", first, {"a/result.png": b"late"}, 60)
    assert not (tmp_path / "home/a/result.png").exists()
    assert inbox.receive("a", second, {"a/result.png": b"right"}, 30)
    assert inbox.steps() == {"a": 30}


def test_after_a_stop_files_still_arrive_and_no_task_begins(inbox, tmp_path):
    attempt, _ = inbox.begin("a", ["a"])
    inbox.stop()
    assert not inbox.receive("a", attempt, {"a/checkpoint": b"state"}, 5)
    assert (tmp_path / "home/a/checkpoint").read_bytes() == b"state"
    assert inbox.begin("b", ["b"]) is None
