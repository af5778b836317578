"""Where does each line of a log file start? An index of every 500th line, grown as the file grows."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path
from typing import Final

EVERY: Final = 500
BLOCK: Final = 1 << 20
MAX_INDEXES: Final = 64


class LineIndex:
    """The line starts of one file. Line numbers count from 1.

    An index is grown from where it ended, so a growing log is read once. A file that became smaller is another file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self.size = 0  # bytes that are counted
        self.lines = 0  # lines that end within them
        self._starts = [0]  # offset of line 1, EVERY + 1, 2 * EVERY + 1 ...
        self._inode = -1

    def update(self) -> None:
        """Count what is new. A file that does not exist has no lines."""
        with self._lock:
            try:
                stat = self.path.stat()
            except OSError:
                self._forget()
                return
            if stat.st_size < self.size or stat.st_ino != self._inode:
                self._forget()
                self._inode = stat.st_ino
            if stat.st_size > self.size:
                self._grow()

    def _grow(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self.size)
            while block := file.read(BLOCK):
                self._count(block)
                self.size += len(block)

    def _count(self, block: bytes) -> None:
        """Add the lines of the bytes that follow."""
        total = self.lines + block.count(b"\n")
        walked, at = self.lines, -1
        while len(self._starts) * EVERY <= total:
            for _ in range(len(self._starts) * EVERY - walked):
                at = block.index(b"\n", at + 1)
            walked = len(self._starts) * EVERY
            self._starts.append(self.size + at + 1)
        self.lines = total

    @property
    def line_count(self) -> int:
        """Lines in the file; the last one counts although it has not ended."""
        if not self.size:
            return 0
        with self.path.open("rb") as file:
            file.seek(self.size - 1)
            return self.lines + (file.read(1) != b"\n")

    def anchor(self, line: int) -> tuple[int, int]:
        """Return (line, offset) of the nearest indexed line at or before ``line``."""
        number = min((max(line, 1) - 1) // EVERY, len(self._starts) - 1)
        return number * EVERY + 1, self._starts[number]

    def anchor_at(self, offset: int) -> tuple[int, int]:
        """Return (line, offset) of the nearest indexed line at or before a byte of the file."""
        number = bisect_right(self._starts, offset) - 1
        return number * EVERY + 1, self._starts[number]


class Indexes:
    """The indexes of the logs that were looked at last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Path, LineIndex] = OrderedDict()

    def of(self, path: Path) -> LineIndex:
        """Return the index of a file, up to date."""
        with self._lock:
            index = self._kept.setdefault(path, LineIndex(path))
            self._kept.move_to_end(path)
            while len(self._kept) > MAX_INDEXES:
                self._kept.popitem(last=False)
        index.update()
        return index
