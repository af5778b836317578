"""Is a log found wherever it is: on this machine, in the store, in pieces, or from several who wrote for one try?"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from executors.logs.pieces import part_name
from executors.logs.reading import LogFiles
from executors.logs.store import LogStore, open_store
from tests.support.waiting import wait_until

NAME = Path("dag_id=d/run_id=r/task_id=t/attempt=1.log")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def files(base: Path, store: LogStore):
    files = LogFiles(base, lambda: store)
    yield files
    files.close()


@pytest.fixture
def look(files: LogFiles, monkeypatch: pytest.MonkeyPatch):
    """``look()``: what is found now, not a second ago."""
    monkeypatch.setattr("executors.logs.reading.FRESH_SECONDS", 0.0)

    def look(name: Path = NAME) -> bytes | None:
        found = files.find(name)
        assert not found.trouble
        return found.path.read_bytes() if found.path.exists() else None

    return look


def write(base: Path, data: bytes, name: Path = NAME) -> Path:
    path = base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_what_is_in_the_store_is_read_as_it_grows(store: LogStore, look, files: LogFiles):
    assert look() is None
    store.put(str(NAME), b"one\n")
    assert look() == b"one\n"
    inode = files.find(NAME).path.stat().st_ino
    store.put(str(NAME), b"one\ntwo\n")
    assert look() == b"one\ntwo\n"
    store.put(part_name(str(NAME), 8), b"three\n")
    store.put(part_name(str(NAME), 100), b"behind a gap\n")
    assert look() == b"one\ntwo\nthree\n"
    store.put(str(NAME), b"one\ntwo\nthree\nfour\n")  # whole: the part is still there
    assert look() == b"one\ntwo\nthree\nfour\n"
    store.remove([part_name(str(NAME), 8), part_name(str(NAME), 100)])
    assert look() == b"one\ntwo\nthree\nfour\n"
    assert files.find(NAME).path.stat().st_ino == inode, "it is the same file, longer"


def test_this_machine_is_ahead_of_the_store_and_may_go(store: LogStore, base: Path, look, files: LogFiles):
    path = write(base, b"one\ntwo\nthree\n")
    store.put(str(NAME), b"one\n")
    assert look() == b"one\ntwo\nthree\n"
    assert files.find(NAME).path == path
    store.put(str(NAME), b"one\ntwo\nthree\n")
    path.unlink()
    assert look() == b"one\ntwo\nthree\n"


def test_another_log_of_the_same_name_takes_its_place(store: LogStore, look):
    store.put(str(NAME), b"a long log of a run that was removed\n")
    assert look() == b"a long log of a run that was removed\n"
    store.put(str(NAME), b"another\n")
    assert look() == b"another\n"


def test_those_who_wrote_for_one_try_are_put_together(store: LogStore, base: Path, look):
    first, trigger, last = (
        f"[2026-01-05T00:00:0{n}.000+00:00] INFO a - {text}\n".encode()
        for n, text in ((1, "asks"), (2, "waits"), (3, "goes on"))
    )
    store.put(str(NAME), first)
    write(base, last, NAME.with_name(f"{NAME.name}.2"))
    assert look() == first + last
    store.put(f"{NAME}.trigger-0a1b", trigger)
    store.put(str(NAME.with_name("attempt=10.log")), b"another try\n")
    assert look() == first + trigger + last
    assert look(NAME.with_name("attempt=10.log")) == b"another try\n"


def test_a_size_is_known_without_waiting_and_looked_for(store: LogStore, files: LogFiles, monkeypatch):
    monkeypatch.setattr("executors.logs.reading.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("executors.logs.reading.LONGEST_LOOK_SECONDS", 0.0)
    assert files.size(NAME) == 0
    store.put(str(NAME), b"one\n")
    wait_until(lambda: files.size(NAME) == 4)
    store.put(str(NAME), b"one\ntwo\n")
    wait_until(lambda: files.size(NAME) == 8)


def test_a_store_that_is_away_costs_nothing_that_is_here(base: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{probe.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        files = LogFiles(base, lambda: open_store("s3://logs"))
        path = write(base, b"here\n")
        found = files.find(NAME)
        assert found.path == path
        assert "The log store s3://logs does not do its work" in found.trouble
        assert "Shown is what this machine has" in found.trouble
        other = files.find(NAME.with_name("attempt=2.log"))  # nobody waits for it again so soon
        assert not other.path.exists() and other.trouble == found.trouble
        assert files.size(NAME) == 5
        files.close()


def test_without_a_store_logs_are_where_they_were_written(base: Path):
    files = LogFiles(base, None)
    assert files.find(NAME).path == base / NAME
    assert files.size(NAME) == 0
    write(base, b"here\n")
    assert files.size(NAME) == 5
