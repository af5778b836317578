"""Which options and kinds of value do many commands share? The same word means the same everywhere."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from tradewind.errors import UsageError
from tradewind.terminal.output import FORMATS, talk

NOTHING_TO_DO: Final = "Nothing was changed."


def option(*names: str, **attrs: Any) -> click.Option:
    """Declare an option, as ``click.option`` does for a decorated function."""
    return click.Option(names, **attrs)


def argument(name: str, **attrs: Any) -> click.Argument:
    """Declare an argument."""
    return click.Argument([name], **attrs)


class Instant(click.ParamType):  # type: ignore[type-arg]  # generic in click 8.5, not yet in 8.1
    """An instant: ISO 8601 or what people write. Without an offset it is in ``[core] default_timezone``."""

    name = "datetime"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return an aware instant."""
        if isinstance(value, datetime):
            return value
        from tradewind.terminal.instants import parse_instant  # reads the configuration, which no help needs

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


OUTPUT: Final = option(
    "-o",
    "--output",
    type=click.Choice(FORMATS, case_sensitive=False),
    default="table",
    show_default=True,
    help="How to print. json, yaml and plain are for programs.",
)
YES: Final = option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
CONF: Final = option("-c", "--conf", type=JsonObject(), help="Values for the params of the DAG, as a JSON object.")
DAG_FILE: Final = option("-f", "--dagfile-path", type=click.Path(), help="The DAG file. [default: found by the DAG id]")
MAP_INDEX: Final = option(
    "--map-index", type=int, default=-1, show_default=True, help="Of a mapped task; -1: not mapped."
)


def confirm(question: str, yes: bool) -> None:
    """Go on when ``yes`` was given or somebody types y; stop with exit code 1 otherwise."""
    if not yes and not click.confirm(question, err=True):
        click.echo(NOTHING_TO_DO, err=True)
        raise click.exceptions.Exit(1)


def is_asked() -> bool:
    """Return whether somebody is there to answer, rather than a program or a file."""
    return sys.stdin.isatty()


def confirm_affected(what: str, question: str) -> None:
    """Go on when somebody at a terminal types y; stop with exit code 1 otherwise.

    Raises:
        UsageError: nobody is there to be asked.
    """
    if not is_asked():
        raise UsageError(f"{what} There is nobody to ask whether that is meant: say so with -y.")
    talk(what)
    confirm(question, yes=False)


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
