"""Which part of a log is shown? The end of it, the lines around a number, what is new, or what matches a search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from zlib import crc32

from webui.logs.index import Indexes

WINDOW_LINES: Final = 4000
WINDOW_BYTES: Final = 2 << 20
MAX_LINE: Final = 16 << 10
"""Longer lines are cut on the page; the file has them whole."""
MAX_HITS: Final = 500
SEARCH_BYTES: Final = 256 << 20
_MARK_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class LogWindow:
    """A stretch of whole lines. ``next_offset`` is where reading on continues."""

    first_line: int
    lines: tuple[str, ...]
    start_offset: int
    next_offset: int
    file_size: int
    total_lines: int

    @property
    def last_line(self) -> int:
        """The number of the last line in it."""
        return self.first_line + len(self.lines) - 1


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that matches a search."""

    line: int
    text: str


class LogReader:
    """Reads log files. Safe to use from several threads."""

    def __init__(self) -> None:
        self._indexes = Indexes()

    def tail(self, path: Path, lines: int = WINDOW_LINES, limit: int = WINDOW_BYTES) -> LogWindow | None:
        """Return the last lines of the file, None when there is no file."""
        index = self._indexes.of(path)
        if not path.is_file():
            return None
        first = max(1, index.line_count - lines + 1)
        anchor, offset = index.anchor(first)
        if index.size - offset > limit:
            anchor, offset = index.anchor_at(index.size - limit)
            return self._read(path, anchor, offset, from_byte=index.size - limit)
        return self._read(path, anchor, offset, from_line=first)

    def around(self, path: Path, line: int, lines: int = WINDOW_LINES) -> LogWindow | None:
        """Return lines with ``line`` in their middle."""
        index = self._indexes.of(path)
        if not path.is_file():
            return None
        first = max(1, min(line - lines // 2, index.line_count - lines + 1))
        anchor, offset = index.anchor(first)
        return self._read(path, anchor, offset, from_line=first, max_lines=lines)

    def before(self, path: Path, line: int, lines: int = WINDOW_LINES) -> LogWindow | None:
        """Return the lines that end before ``line``."""
        index = self._indexes.of(path)
        if not path.is_file():
            return None
        first = max(1, line - lines)
        anchor, offset = index.anchor(first)
        return self._read(path, anchor, offset, from_line=first, max_lines=max(0, line - first))

    def since(self, path: Path, offset: int, limit: int = 256 << 10) -> LogWindow | None:
        """Return whole lines from a byte on that an earlier window named; what has not ended yet comes next time."""
        index = self._indexes.of(path)
        if not path.is_file():
            return None
        anchor, start = index.anchor_at(min(offset, index.size))
        return self._read(path, anchor, start, from_byte=min(offset, index.size), limit=limit, whole=True)

    def search(self, path: Path, needle: str) -> list[Hit]:
        """Return the first lines that contain ``needle``, in any case of letters, at most :data:`MAX_HITS`."""
        wanted = needle.lower().encode()
        hits: list[Hit] = []
        if not wanted or not path.is_file():
            return hits
        with path.open("rb") as file:
            read = 0
            for number, line in enumerate(file, start=1):
                read += len(line)
                if wanted in line.lower():
                    hits.append(Hit(number, decode_line(line)))
                if len(hits) >= MAX_HITS or read > SEARCH_BYTES:
                    break
        return hits

    def _read(
        self,
        path: Path,
        line: int,
        offset: int,
        *,
        from_line: int = 1,
        from_byte: int = 0,
        max_lines: int | None = None,
        limit: int = WINDOW_BYTES,
        whole: bool = False,
    ) -> LogWindow:
        index = self._indexes.of(path)
        with path.open("rb") as file:
            file.seek(offset)
            line, offset = _skip(file, line, offset, from_line, from_byte)
            start = offset
            texts: list[str] = []
            for raw, length, has_ended in _lines(file, index.size - offset):
                if (whole and not has_ended) or (max_lines is not None and len(texts) >= max_lines):
                    break
                if texts and offset - start + length > limit:
                    break
                offset += length
                texts.append(decode_line(raw, length))
        return LogWindow(line, tuple(texts), start, offset, index.size, index.line_count)


def _skip(file: BinaryIO, line: int, offset: int, from_line: int, from_byte: int) -> tuple[int, int]:
    """Walk from an indexed line to the line that is wanted; the last line is never walked over."""
    while line < from_line or offset < from_byte:
        _, length, has_ended = _read_line(file)
        if not has_ended:
            file.seek(offset)
            break
        line += 1
        offset += length
    return line, offset


def _lines(file: BinaryIO, count: int) -> Iterator[tuple[bytes, int, bool]]:
    """Yield the lines that begin in the next ``count`` bytes: a task that writes faster than we read holds no page."""
    while count > 0:
        raw, length, has_ended = _read_line(file)
        if not length:
            return
        count -= length
        yield raw, length, has_ended


def _read_line(file: BinaryIO) -> tuple[bytes, int, bool]:
    """Return the beginning of a line, its length in bytes, and whether it has ended.

    A line without end, such as a progress bar or binary output, must not fill the memory.
    """
    raw = file.readline(MAX_LINE * 4)
    length, last = len(raw), raw[-1:]
    while last and last != b"\n":
        more = file.readline(1 << 20)
        length += len(more)
        if not more:
            break
        last = more[-1:]
    return raw, length, last == b"\n"


def mark_of(path: Path, offset: int) -> str:
    """Return a mark of the bytes before an offset: another one, when they are not what they were."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, offset - _MARK_BYTES))
            return f"{crc32(file.read(min(offset, _MARK_BYTES))):08x}"
    except OSError:
        return ""


def decode_line(raw: bytes, length: int | None = None) -> str:
    """Return a line as text without its end, cut when it is long; bytes that are no UTF-8 are shown as such."""
    text = raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    rest = max(len(text), length or 0) - MAX_LINE
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]} … {rest} more characters"
