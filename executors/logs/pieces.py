"""Which files of a folder make up a log? Names of the pieces of one, and of the logs of one try."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_PART: Final = re.compile(r"(?P<log>.+)\.part-(?P<start>\d{15})")


class Piece(NamedTuple):
    """Bytes of a log that lie in one file."""

    name: str
    start: int
    size: int

    @property
    def end(self) -> int:
        """The byte after it."""
        return self.start + self.size


def part_name(log: str, start: int) -> str:
    """Return the name of the piece of a log that begins at a byte; the first has that of the log."""
    return log if start == 0 else f"{log}.part-{start:015d}"


def is_part(name: str, log: str) -> bool:
    """Return whether a file is a piece of a log, and not its first."""
    found = _PART.fullmatch(name)
    return found is not None and found["log"] == log


def pieces_of(log: str, sizes: Mapping[str, int]) -> list[Piece]:
    """Return the pieces of a log, in order, without gap; one may reach into the next. Those behind a gap are no part
    of it: they are left from another log of this name, or what lies before them is yet to come.
    """
    found = [Piece(log, 0, sizes[log])] if log in sizes else []
    for name, size in sorted(sizes.items()):
        match = _PART.fullmatch(name)
        if match is not None and match["log"] == log:
            found.append(Piece(name, int(match["start"]), size))
    joined: list[Piece] = []
    end = 0
    for piece in found:
        if piece.start > end:
            break
        if piece.end > end or not joined:
            joined.append(piece)
            end = piece.end
    return joined


def logs_of_try(name: str, sizes: Mapping[str, int]) -> list[str]:
    """Return the logs in a folder that belong to one try: its own, and those of others who wrote for it.

    Args:
        name: ``attempt=1.log``; the others have a dot and more behind it.
    """
    found = set(map(_log_of, sizes))
    return sorted(one for one in found if one == name or one.startswith(f"{name}."))


def _log_of(name: str) -> str:
    found = _PART.fullmatch(name)
    return name if found is None else found["log"]
