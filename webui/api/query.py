"""What may stand behind the ``?`` of a path of the REST API? Only what is known, and only values that can be meant.

A parameter that is passed over in silence answers another question than the one asked: 422 says which there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeVar

from flask import abort, current_app, request

from tradewind.errors import did_you_mean

MAX_LIMIT: Final = 100
DEFAULT_LIMIT: Final = 50
MAX_NUMBER: Final = 2**31 - 1
PAGING: Final = ("limit", "offset")
_TYPES: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
}
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted."""

    limit: int
    offset: int


def takes(*names: str) -> Callable[[F], F]:
    """Say which query parameters a path has; one that says nothing has none."""

    def decorate(view: F) -> F:
        view.takes = names  # type: ignore[attr-defined]  # read by refuse_unknown
        return view

    return decorate


def refuse_unknown() -> None:
    """End the request with 422 when its query names something that its path does not have."""
    known: Collection[str] = getattr(current_app.view_functions.get(request.endpoint or ""), "takes", ())
    for name in request.args:
        if name not in known:
            there_are = f"There are: {', '.join(known)}." if known else "It has none."
            refuse(f"{request.path} has no query parameter {name!r}.{did_you_mean(name, known)} {there_are}")


def refuse(text: str) -> NoReturn:
    """End the request with 422."""
    abort(422, description=text)


def page() -> Page:
    """Return the part that is wanted: ``limit`` 50 unless given and never more than 100, from ``offset`` 0 on."""
    return Page(min(number("limit", DEFAULT_LIMIT), MAX_LIMIT), number("offset", 0))


def text(name: str) -> str | None:
    """Return a parameter that may be given once; None when it is absent or empty."""
    values = [value for value in request.args.getlist(name) if value]
    if len(values) > 1:
        refuse(f"{name!r} is given {len(values)} times. Give it once.")
    return values[0] if values else None


def number(name: str, default: int, *, least: int = 0) -> int:
    """Return a whole number."""
    given = text(name)
    if given is None:
        return default
    digits = given.removeprefix("-") if least < 0 else given
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20) or not least <= int(given) <= MAX_NUMBER:
        refuse(f"{name!r} is {given!r}; expected a whole number from {least} to {MAX_NUMBER}.")
    return int(given)


def boolean(name: str) -> bool | None:
    """Return true or false, None when nothing is given."""
    given = text(name)
    if given is None:
        return None
    if given.lower() not in _BOOLEANS:
        refuse(f"{name!r} is {given!r}; expected true or false.")
    return _BOOLEANS[given.lower()]


def one_of(name: str, allowed: Collection[str], default: str) -> str:
    """Return one of some words."""
    given = text(name) or default
    if given not in allowed:
        refuse(f"{name!r} is {given!r}.{did_you_mean(given, allowed)} It can be: {', '.join(allowed)}.")
    return given


def words(name: str, kind: type[S], also: Mapping[str, S] | None = None) -> tuple[S, ...]:
    """Return the members of ``kind`` that a parameter names, which may be given several times."""
    allowed = {member.value: member for member in kind} | dict(also or {})
    found = []
    for given in request.args.getlist(name):
        if given not in allowed:
            refuse(f"{name!r} is {given!r}.{did_you_mean(given, allowed)} It can be: {', '.join(allowed)}.")
        found.append(allowed[given])
    return tuple(found)


def instant(name: str) -> datetime | None:
    """Return an instant, None when nothing is given."""
    given = text(name)
    return None if given is None else parse_instant(name, given)


def parse_instant(name: str, given: Any) -> datetime:
    """Return the instant that an ISO 8601 text with a time zone says; anything else ends the request."""
    try:
        at = datetime.fromisoformat(given if isinstance(given, str) else "")
    except ValueError:
        refuse(f"{name!r} is {given!r}; expected an ISO 8601 instant such as '2013-01-31T02:00:00Z'.")
    if at.tzinfo is None:
        refuse(f"{name!r} is {given!r}, which has no time zone. Add Z or an offset.")
    return at


def body(known: Mapping[str, type], not_yet: Collection[str] = ()) -> dict[str, Any]:
    """Return the JSON object that was sent; each field has its type or is null.

    Args:
        known: name and type of each field.
        not_yet: fields that Airflow has, which are refused as not supported yet unless they are null.
    """
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        refuse("The body must be a JSON object, sent with Content-Type: application/json.")
    for name, value in sent.items():
        if name in not_yet:
            if value is not None:
                refuse(f"The field {name!r} is not supported yet. Leave it out.")
        elif name not in known:
            refuse(f"The body has an unknown field {name!r}.{did_you_mean(name, known)} There are: {', '.join(known)}.")
        elif value is not None and not isinstance(value, known[name]):
            refuse(f"The field {name!r} is {value!r}; expected {_TYPES[known[name]]}.")
    return sent
