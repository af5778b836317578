"""How is data printed? The same rows as a table for people, or as JSON, YAML or plain columns for programs.

Data goes to standard output, everything said about it to standard error. Columns keep their order and names.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any, Final, Literal
from uuid import UUID

import click

FORMATS: Final = ("table", "json", "yaml", "plain")

MIN_FOLDED: Final = 16
"""How narrow a column may become by being broken into lines."""
COLUMN_GAP: Final = 3

STATE_STYLES: Final = {
    "success": "green",
    "failed": "red",
    "running": "bright_green",
    "queued": "bright_black",
    "scheduled": "yellow",
    "up_for_retry": "bright_yellow",
    "upstream_failed": "dark_orange",
    "skipped": "magenta",
    "none": "bright_black",
}
"""How states look in a table on a terminal; the web UI has the same colours."""

Row = Mapping[str, Any]


def emit(rows: Iterable[Row], columns: Sequence[str], output: str, *, empty: str = "Nothing found.") -> None:
    """Print rows.

    Args:
        columns: names, in order. A row may lack one.
        output: one of :data:`FORMATS`.
        empty: what to say on standard error when there is no row; programs get an empty list.
    """
    data = [{name: row.get(name) for name in columns} for row in rows]
    if output == "json":
        click.echo(to_json([_plain(row) for row in data]))
    elif output == "yaml":
        click.echo(to_yaml([_plain(row) for row in data]), nl=False)
    elif not data:
        click.echo(empty, err=True)
    elif output == "plain":
        _print_plain(data, columns)
    else:
        _print_table(data, columns)


def emit_record(record: Row, output: str) -> None:
    """Print one thing: a table of two columns for people, one object for programs."""
    if output in ("json", "yaml"):
        value = _plain(record)
        click.echo(to_json(value) if output == "json" else to_yaml(value).rstrip("\n"))
        return
    rows = [{"property": name, "value": value} for name, value in record.items()]
    if output == "plain":
        _print_plain(rows, ("property", "value"))
    else:
        _print_table(rows, ("property", "value"), has_header=False)


def talk(message: str) -> None:
    """Say something to the person at the terminal; programs read standard output only."""
    click.echo(fitted(message), err=True)


def fitted(message: str) -> str:
    """Return a message broken into lines between words where a terminal would break it within one.

    Lines that are indented, as tables and tracebacks are, stay as they are; so does all where nobody looks.
    """
    if not sys.stderr.isatty():
        return message
    room = shutil.get_terminal_size().columns
    fill = partial(textwrap.fill, width=room, break_long_words=False, break_on_hyphens=False)
    return "\n".join(line if len(line) <= room or line[:1].isspace() else fill(line) for line in message.split("\n"))


def hanging(text: str, indent: int) -> str:
    """Return the text of a last column that begins at ``indent``, broken so that it stays there on a terminal."""
    room = shutil.get_terminal_size().columns - indent
    if not is_wide() or room < MIN_FOLDED:
        return text
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return ("\n" + " " * indent).join(lines)


def counted(number: int, noun: str) -> str:
    """Return ``1 pool``, ``2 pools``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def to_json(value: Any) -> str:
    """Return JSON as people can read it, in the order of the data."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def to_yaml(value: Any) -> str:
    """Return YAML in the order of the data."""
    import yaml  # 10 ms of CPU that only -o yaml needs

    return yaml.safe_dump(_plain(value), sort_keys=False, allow_unicode=True)


def paint_state(state: str, shown: str) -> str:
    """Return ``shown`` in the colour of a state. Colours are left out where standard output is no terminal."""
    colour = STATE_STYLES.get(state)
    return click.style(shown, fg="yellow" if colour == "dark_orange" else colour) if colour else shown


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows how far long work has come (done, of all), on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda done, of_all: None
        return

    def show(done: int, of_all: int) -> None:
        percent = 100 * done // of_all if of_all else 100
        click.echo(f"\r{what}: {done:,} of {of_all:,} ({percent} %)", nl=False, err=True)

    try:
        yield show
    finally:
        click.echo("\r\033[K", nl=False, err=True)


def show_instant(value: datetime) -> str:
    """Return an instant in UTC as ISO 8601, without empty microseconds."""
    return value.astimezone(UTC).isoformat()


def show_duration(value: timedelta) -> str:
    """Return a duration as people say it: ``0.21s``, ``3m 07s``, ``2h 05m``, ``4d 02h``."""
    seconds = value.total_seconds()
    if seconds < 60:
        return f"{seconds:.3f}s" if seconds < 1 else f"{seconds:.2f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02d}m"
    return f"{hours // 24}d {hours % 24:02d}h"


def is_wide() -> bool:
    """Return whether somebody looks at standard output, rather than a program or a file."""
    return sys.stdout.isatty()


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON can hold it."""
    if isinstance(value, datetime):
        return show_instant(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date | UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item) for item in value]
        return sorted(items) if isinstance(value, set | frozenset) else items
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def _cell(value: Any, *, is_table: bool = False) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if is_table else show_instant(value)
    if isinstance(value, timedelta):
        return show_duration(value)
    if isinstance(value, Mapping):
        return json.dumps(_plain(value), ensure_ascii=False)
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_cell(item) for item in _plain(value))
    return str(_plain(value))


def _print_plain(data: Sequence[Row], columns: Sequence[str]) -> None:
    cells = [list(columns), *([_cell(row[name]).replace("\n", " ") for name in columns] for row in data)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_table(data: Sequence[Row], columns: Sequence[str], *, has_header: bool = True) -> None:
    # Importing rich costs as much as the rest of a small command; JSON for programs does without.
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # A program that reads a table must not lose text to the width of a terminal that is not there.
    console = Console(soft_wrap=not is_wide(), width=None if is_wide() else 1_000_000)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, show_header=has_header)
    cells = [[_cell(row[name], is_table=True) for name in columns] for row in data]
    widths = {name: max(len(line[index]) for line in (*cells, columns)) for index, name in enumerate(columns)}
    folded = _folded(widths, console.width)
    for name in columns:
        is_number = all(isinstance(row[name], int | float) and not isinstance(row[name], bool) for row in data)
        justify: Literal["left", "right"] = "right" if is_number else "left"
        table.add_column(name, overflow="fold", no_wrap=name not in folded, justify=justify)
    for row, line in zip(data, cells, strict=True):
        table.add_row(*(Text(cell, style=_style(name, row[name])) for name, cell in zip(columns, line, strict=True)))
    with console.capture() as captured:
        console.print(table)
    for printed in captured.get().splitlines():
        click.echo(printed.rstrip())


def _folded(widths: Mapping[str, int], room: int) -> set[str]:
    """Return the columns that are broken into lines for lack of room: the widest ones, and no more than it takes."""
    folded: set[str] = set()
    needed = sum(widths.values()) + COLUMN_GAP * (len(widths) - 1)
    for name in sorted(widths, key=lambda name: -widths[name]):
        if needed <= room:
            break
        folded.add(name)
        needed -= max(0, widths[name] - MIN_FOLDED)
    return folded if needed <= room else set(widths)


def _style(column: str, value: Any) -> str:
    if column == "state" or column.endswith("_state"):
        return STATE_STYLES.get(_cell(value), "")
    if isinstance(value, bool):
        return "" if value else "bright_black"
    return ""
