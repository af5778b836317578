"""Which options and kinds of value do many commands share? The same word means the same everywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import click

from tradewind.config import load_config
from tradewind.terminal.groups import SETTINGS
from tradewind.terminal.output import FORMATS

F = TypeVar("F", bound=Callable[..., Any])
NOTHING_TO_DO: Final = "Nothing was changed."


def _note_verbose(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().meta["verbose"] = True


verbose_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_note_verbose,
    help="Show the traceback when something fails.",
)

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(FORMATS, case_sensitive=False),
    default="table",
    show_default=True,
    help="How to print. json, yaml and plain are for programs.",
)

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")


def command(name: str, **attrs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command that takes ``-v`` and ``-h`` as all do."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        make: Callable[[Callable[..., Any]], click.Command] = click.command(
            name, context_settings=dict(SETTINGS), **attrs
        )
        return make(verbose_option(function))

    return decorate


class Instant(click.ParamType):  # type: ignore[type-arg]  # generic in click 8.5, not yet in 8.1
    """An instant: ISO 8601 or what people write. Without an offset it is in ``[core] default_timezone``."""

    name = "datetime"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return an aware instant."""
        if isinstance(value, datetime):
            return value
        found = parse_instant(str(value))
        if found is None:
            self.fail(
                f"{value!r} is not a date or a time. Write it like 2026-01-31 or 2026-01-31T02:00:00+00:00.", param, ctx
            )
        return found


class JsonObject(click.ParamType):  # type: ignore[type-arg]  # as above
    """A JSON object."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the object."""
        if isinstance(value, dict):
            return value
        try:
            found = json.loads(value)
        except ValueError as error:
            self.fail(f'{value!r} is not JSON: {error}. Write it like \'{{"key": "value"}}\'.', param, ctx)
        if not isinstance(found, dict):
            self.fail(f'{value!r} is JSON, but not an object. Write it like \'{{"key": "value"}}\'.', param, ctx)
        return found


def parse_instant(value: str) -> datetime | None:
    """Return the instant that ``value`` names, or None when it names none."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        from dateutil import parser  # only for what is not ISO 8601; importing it costs more than all else here

        try:
            found = parser.parse(value)
        except (ValueError, OverflowError):
            return None
    if found.tzinfo is not None:
        return found
    zone = load_config(os.environ).core.default_timezone
    return found.astimezone() if zone == "system" else found.replace(tzinfo=ZoneInfo(zone))


def confirm(question: str, yes: bool) -> None:
    """Go on when ``yes`` was given or somebody types y; stop with exit code 1 otherwise."""
    if not yes and not click.confirm(question, err=True):
        click.echo(NOTHING_TO_DO, err=True)
        raise click.exceptions.Exit(1)


def file_format(path: str, known: tuple[str, ...], given: str | None, default: str = "json") -> str:
    """Return the format of a file by what was given, else its ending. ``-`` is standard input or output."""
    if given is not None:
        return given
    if path == "-":
        return default
    ending = Path(path).suffix.removeprefix(".").lower() or Path(path).name.removeprefix(".").lower()
    ending = "yaml" if ending == "yml" else ending
    if ending not in known:
        raise click.UsageError(f"The format of {path!r} is not known by its name. End it with .{', .'.join(known)}.")
    return ending
