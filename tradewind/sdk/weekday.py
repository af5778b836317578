"""Which day of the week is meant? ``WeekDay``: by its name in any case of letters, or as a member of the enum."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, unique

from tradewind.errors import did_you_mean


@unique
class WeekDay(IntEnum):
    """The days, numbered as in ISO 8601."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7

    @classmethod
    def get_weekday_number(cls, week_day_str: str) -> WeekDay:
        """Return the day of that name.

        Raises:
            AttributeError: there is none.
        """
        name = week_day_str.upper()
        if name not in cls.__members__:
            near = did_you_mean(name, cls.__members__)
            raise AttributeError(f"There is no day of the week {week_day_str!r}.{near} Write its full English name.")
        return cls[name]

    @classmethod
    def convert(cls, day: str | WeekDay) -> int:
        """Return the number of a day."""
        return day if isinstance(day, WeekDay) else cls.get_weekday_number(day)

    @classmethod
    def validate_week_day(cls, week_day: str | WeekDay | Iterable[str] | Iterable[WeekDay]) -> set[int]:
        """Return the numbers of one day or of several.

        Raises:
            TypeError: it is neither a name nor a day, nor several.
            AttributeError: a name that no day has.
        """
        if isinstance(week_day, str | WeekDay):
            return {cls.convert(week_day)}
        if not isinstance(week_day, Iterable):
            raise TypeError(
                f"week_day must be the name of a day, a WeekDay, or several of them, not {week_day!r} "
                f"({type(week_day).__name__})."
            )
        return {cls.convert(day) for day in week_day}
