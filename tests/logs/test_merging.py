"""Do lines of several processes stand in the order of their times, each once, and stay where they are?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from executors.logs.merging import merge

START = datetime(2026, 1, 5, tzinfo=UTC)


def line(second: int, text: str) -> bytes:
    stamp = (START + timedelta(seconds=second)).isoformat(timespec="milliseconds")
    return f"[{stamp}] INFO a - {text}\n".encode()


def write(folder: Path, *logs: bytes) -> list[Path]:
    paths = [folder / f"{number}.log" for number in range(len(logs))]
    for path, log in zip(paths, logs, strict=True):
        path.write_bytes(log)
    return paths


def test_a_task_that_went_on_elsewhere_reads_as_one(tmp_path: Path):
    first = line(1, "asks") + b"a line without time\n" + line(5, "goes on")
    trigger = b"early words\n" + line(2, "waits") + line(4, "fires")
    parts = write(tmp_path, first, trigger)
    assert merge(parts, tmp_path / "out" / "whole.log").read_bytes() == (
        line(1, "asks") + b"a line without time\n" + b"early words\n" + line(2, "waits") + line(4, "fires")
        + line(5, "goes on")
    )  # fmt: skip


def test_what_only_grows_stays_the_same_file(tmp_path: Path):
    target = tmp_path / "whole.log"
    inode = merge(write(tmp_path, line(1, "a"), line(2, "b")), target).stat().st_ino
    assert merge(write(tmp_path, line(1, "a"), line(2, "b") + line(3, "c")), target).stat().st_ino == inode
    assert target.read_bytes() == line(1, "a") + line(2, "b") + line(3, "c")
    assert merge(write(tmp_path, line(1, "a") + line(2, "late"), line(3, "c")), target).stat().st_ino != inode


lines = st.lists(st.tuples(st.none() | st.integers(0, 20), st.integers(0, 3)), max_size=12)


@settings(max_examples=80, deadline=None)
@given(st.lists(lines, min_size=1, max_size=4), st.lists(st.booleans(), min_size=4, max_size=4))
def test_each_line_is_there_once_and_those_of_one_process_keep_their_order(tmp_path_factory, logs, ended):
    folder = tmp_path_factory.mktemp("merge")
    texts = []
    for process, log in enumerate(logs):
        said = [
            f"{process}.{n} x\n".encode() if at is None else line(at, f"{process}.{n}") for n, (at, _) in enumerate(log)
        ]
        text = b"".join(said)
        texts.append(text if ended[process] else text[:-1])
    whole = merge(write(folder, *texts), folder / "whole.log").read_bytes()

    assert sorted(whole.splitlines()) == sorted(one for text in texts for one in text.splitlines())
    for text in texts:
        places = [whole.splitlines().index(one) for one in text.splitlines()]
        assert places == sorted(places)
