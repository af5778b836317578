"""How much may one transaction remove, and how long is the rest after it? A blink's worth; a multiple of that."""

from __future__ import annotations

from typing import Final

AIM_SECONDS: Final = 0.03
"""How long a transaction should take on SQLite, where everybody else waits for it."""
AIM_SECONDS_ALONE: Final = 0.2
"""The same on PostgreSQL, where nobody waits for rows that nobody wants."""
MIN_ROWS: Final = 100
FIRST_ROWS: Final = 500
MAX_ROWS: Final = 5000


class Pace:
    """Finds out how many rows one transaction can remove in time. Pure: it is told how long each took."""

    def __init__(self, max_rows: int = MAX_ROWS, *, rests: float, aim_seconds: float = AIM_SECONDS) -> None:
        """
        Args:
            max_rows: no transaction removes more.
            rests: seconds to rest for each second of work; 3 leaves three quarters of the time to others.
            aim_seconds: how long one should take; where it takes less, the next may remove more.
        """
        self._max: Final = max(1, max_rows)
        self._rests: Final = rests
        self._aim: Final = aim_seconds
        self._rows = min(FIRST_ROWS, self._max)

    @property
    def rows(self) -> int:
        """How many rows the next transaction may remove."""
        return self._rows

    def note(self, rows: int, seconds: float) -> float:
        """Take note of a transaction, and return how many seconds to rest."""
        if seconds > 2 * self._aim:
            self._rows = max(min(MIN_ROWS, self._max), self._rows // 2)
        elif seconds < self._aim and rows >= self._rows:
            self._rows = min(self._max, self._rows * 2)
        return seconds * self._rests


def pace_for(is_sqlite: bool, max_rows: int = MAX_ROWS, *, rests: float) -> Pace:
    """Return the pace that suits a metadata DB."""
    return Pace(max_rows, rests=rests, aim_seconds=AIM_SECONDS if is_sqlite else AIM_SECONDS_ALONE)
