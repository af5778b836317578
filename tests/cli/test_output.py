"""Is the same data printed truly in every format?"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from uuid import UUID

import pytest
import yaml

from tradewind.terminal import output
from tradewind.terminal.output import counted, emit, emit_record, fitted, hanging, show_duration


class Colour(Enum):
    RED = "red"


ROWS = [
    {
        "id": "a",
        "state": "success",
        "at": datetime(2026, 1, 31, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=1))),
        "took": timedelta(seconds=90),
        "tags": ("x", "y"),
        "extra": {"k": None},
        "on": True,
        "count": 3,
        "day": date(2026, 1, 31),
        "colour": Colour.RED,
        "uuid": UUID(int=1),
    },
    {"id": "b\nc", "state": "failed", "count": 12},
]
COLUMNS = tuple(ROWS[0])
PLAIN = {
    "id": "a",
    "state": "success",
    "at": "2026-01-31T02:04:05.000006+00:00",
    "took": 90.0,
    "tags": ["x", "y"],
    "extra": {"k": None},
    "on": True,
    "count": 3,
    "day": "2026-01-31",
    "colour": "red",
    "uuid": "00000000-0000-0000-0000-000000000001",
}


def test_json_and_yaml_keep_types_and_order(capsys):
    emit(ROWS, COLUMNS, "json")
    found = json.loads(capsys.readouterr().out)
    assert found[0] == PLAIN
    assert list(found[0]) == list(COLUMNS)
    assert found[1]["at"] is None

    emit(ROWS, COLUMNS, "yaml")
    assert yaml.safe_load(capsys.readouterr().out)[0] == PLAIN


def test_plain_is_one_line_for_each_row_below_a_header(capsys):
    emit(ROWS, ("id", "at", "count"), "plain")
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "id   at                                count",
        "a    2026-01-31T02:04:05.000006+00:00  3",
        "b c                                    12",
    ]


def test_a_table_holds_everything_uncoloured_when_nobody_looks(capsys):
    emit(ROWS, COLUMNS, "table")
    text = capsys.readouterr().out
    assert "\x1b" not in text
    for shown in ("2026-01-31 02:04:05Z", "1m 30s", "x, y", '{"k": null}', "True", "12"):
        assert shown in text


def test_a_table_for_a_program_is_never_cut(capsys):
    emit([{"text": "word " * 400}], ("text",), "table")
    assert ("word " * 400).strip() in capsys.readouterr().out


def test_nothing_found_is_said_to_people_and_is_an_empty_list_for_programs(capsys):
    emit([], ("id",), "table", empty="There are none.")
    people = capsys.readouterr()
    assert (people.out, people.err) == ("", "There are none.\n")
    emit([], ("id",), "json")
    assert json.loads(capsys.readouterr().out) == []


def test_one_thing_is_one_object(capsys):
    emit_record({"a": 1, "b": None}, "json")
    assert json.loads(capsys.readouterr().out) == {"a": 1, "b": None}
    emit_record({"a": 1, "b": None}, "yaml")
    assert yaml.safe_load(capsys.readouterr().out) == {"a": 1, "b": None}
    emit_record({"a": 1}, "plain")
    assert capsys.readouterr().out.splitlines() == ["property  value", "a         1"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.004, "0.004s"),
        (1.5, "1.50s"),
        (59.9, "59.90s"),
        (60, "1m 00s"),
        (3599, "59m 59s"),
        (3600, "1h 00m"),
        (90000, "1d 01h"),
    ],
)
def test_durations_are_shown_as_people_say_them(seconds, shown):
    assert show_duration(timedelta(seconds=seconds)) == shown


def test_markup_in_data_is_only_text(capsys):
    emit([{"text": "[red]not a style[/red] [/]"}], ("text",), "table")
    assert "[red]not a style[/red] [/]" in capsys.readouterr().out


def test_every_state_has_a_colour_that_click_knows():
    for state in output.STATE_STYLES:
        assert state in output.paint_state(state, state)


def test_things_are_counted_in_words():
    assert [counted(n, "pool") for n in (0, 1, 2, 1234)] == ["0 pools", "1 pool", "2 pools", "1,234 pools"]


def test_messages_break_between_words_on_a_terminal_only(monkeypatch):
    message = "say `tradewind db-migrate` now\n    indented lines stay as they are, tables and tracebacks too"
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert fitted(message) == message
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "24")
    assert fitted(message).split("\n") == ["say `tradewind", "db-migrate` now", message.split("\n")[1]]


def test_the_last_column_stays_a_column_on_a_terminal_only(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    assert hanging("it waits for a free slot of its pool", 10) == "it waits for a free slot of its pool"
    monkeypatch.setattr(output, "is_wide", lambda: True)
    assert hanging("it waits for a free slot of its pool", 10) == f"it waits for a free\n{' ' * 10}slot of its pool"
