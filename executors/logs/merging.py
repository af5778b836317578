"""In which order do lines stand that several processes have written for one try? In that of their times.

A line without a time belongs to the one before it. Lines of one process never change places, whatever their times say.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

_TIME: Final = re.compile(rb"\[(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{3,6})(?:Z|\+00:00)\]")
_LINE_BYTES: Final = 1 << 20
"""Longer lines are carried in pieces; so much without any time is carried until one comes."""
_COMPARE_BYTES: Final = 1 << 20


def merge(parts: Sequence[Path], target: Path) -> Path:
    """Write the lines of several logs into one file, and return it.

    When the lines that it has already stay what and where they are, the file grows; else it is another file under the
    same name.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}")
    with ExitStack() as stack, fresh.open("wb") as out:
        files = [stack.enter_context(path.open("rb")) for path in parts]
        out.writelines(line for _, line in heapq.merge(*map(_timed, files), key=lambda pair: pair[0]))
    grown = _bytes_behind(target, fresh)
    if grown is None:
        fresh.replace(target)
        return target
    with target.open("ab") as file, fresh.open("rb") as source:
        source.seek(grown)
        while block := source.read(_COMPARE_BYTES):
            file.write(block)
    fresh.unlink()
    return target


def _timed(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Give each line with the time at which it stands; that of the first one that has a time for those before it."""
    waiting: list[bytes] = []
    at, size = b"", 0
    for line in _lines(file):
        found = _TIME.match(line)
        if found is not None:
            at = max(at, found[1])
        if not at and size < _LINE_BYTES:
            waiting.append(line)
            size += len(line)
            continue
        yield from ((at, one) for one in waiting)
        waiting.clear()
        yield at, line
    yield from ((at, one) for one in waiting)


def _lines(file: BinaryIO) -> Iterable[bytes]:
    last = b"\n"
    while line := file.readline(_LINE_BYTES):
        last = line
        yield line
    if not last.endswith(b"\n"):
        yield b"\n"  # what another process says does not go on in the middle of it


def _bytes_behind(old: Path, new: Path) -> int | None:
    """Return how long a file is that is the beginning of another; None when it is not, or not there."""
    try:
        with old.open("rb") as one, new.open("rb") as other:
            size = 0
            while block := one.read(_COMPARE_BYTES):
                if other.read(len(block)) != block:
                    return None
                size += len(block)
            return size
    except FileNotFoundError:
        return None
