"""How is one option declared? A dataclass field whose metadata says its default, its meaning and how its text is read.

The declarations are the only list of options: reading, checking, ``config list`` and ``airflow.cfg.example`` all come
from them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

Parse = Callable[[str], Any]
"""Turns the text of an option into its value, or raises ``ValueError`` with what was expected (``"an integer"``)."""

_KEY: Final = "option"


@dataclass(frozen=True, slots=True)
class OptionInfo:
    """What is known about an option before anybody sets it.

    Attributes:
        default: text, as it would stand in the file; ``{home}`` stands for the home folder.
        parse: reads the text.
        doc: what the option does, with its unit and the reason for its default.
        is_secret: the value is shown only as ``***``.
    """

    default: str
    parse: Parse
    doc: str
    is_secret: bool = False


def option(default: str, parse: Parse, doc: str, *, is_secret: bool = False) -> Any:
    """Declare an option as a field of a section. Gives ``Any``, as :func:`dataclasses.field` does for type checkers."""
    return field(metadata={_KEY: OptionInfo(default, parse, " ".join(doc.split()), is_secret)})


def options_of(section: type[Any]) -> Iterator[tuple[str, OptionInfo]]:
    """Give the options of a section in the order of their declaration."""
    for declared in fields(section):
        yield declared.name, declared.metadata[_KEY]


def text(value: str) -> str:
    """Any text."""
    return value


def required(value: str) -> str:
    """Text that is not empty."""
    if not value:
        raise ValueError("a value that is not empty")
    return value


def boolean(value: str) -> bool:
    """True or False, in the spellings that Airflow takes and the usual ones beside them."""
    known = {"true": True, "t": True, "1": True, "yes": True, "on": True}
    known |= {"false": False, "f": False, "0": False, "no": False, "off": False}
    try:
        return known[value.lower()]
    except KeyError:
        raise ValueError("True or False") from None


def integer(at_least: int = 0, at_most: int | None = None) -> Parse:
    """An integer between two bounds, both included."""
    expected = f"an integer of at least {at_least}" if at_most is None else f"an integer from {at_least} to {at_most}"

    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError(expected) from None
        if number < at_least or (at_most is not None and number > at_most):
            raise ValueError(expected)
        return number

    return parse


def number(at_least: float = 0.0, *, above: bool = False) -> Parse:
    """A number of at least (or, with ``above``, of more than) the bound."""
    expected = f"a number {'above' if above else 'of at least'} {at_least:g}"

    def parse(value: str) -> float:
        try:
            amount = float(value)
        except ValueError:
            raise ValueError(expected) from None
        if not (amount > at_least if above else amount >= at_least) or amount == float("inf"):
            raise ValueError(expected)
        return amount

    return parse


def share(value: str) -> float:
    """A part of a whole: more than 0, at most 1."""
    expected = "a share: a number above 0, and at most 1"
    try:
        amount = float(value)
    except ValueError:
        raise ValueError(expected) from None
    if not 0 < amount <= 1:
        raise ValueError(expected)
    return amount


def optional(inner: Parse) -> Parse:
    """Nothing, for an empty text or ``None``; else what ``inner`` reads."""

    def parse(value: str) -> Any:
        if value.lower() in ("", "none"):
            return None
        try:
            return inner(value)
        except ValueError as error:
            raise ValueError(f"{error}, or nothing") from None

    return parse


def choice(*allowed: str, fold: bool = False) -> Parse:
    """One of the allowed words; with ``fold`` in any case of letters."""

    def parse(value: str) -> str:
        for word in allowed:
            if value == word or (fold and value.lower() == word.lower()):
                return word
        raise ValueError(f"{allowed[0]!r}" if len(allowed) == 1 else f"one of {', '.join(map(repr, allowed))}")

    return parse


def words(value: str) -> tuple[str, ...]:
    """A comma-separated list."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def folder(value: str) -> Path:
    """An absolute path. The loader has expanded ``~``, ``$NAME`` and ``{home}`` before."""
    path = Path(value)
    if not path.is_absolute():
        raise ValueError("an absolute path")
    return path


def optional_folder(value: str) -> Path | None:
    """Nothing, for an empty text; else an absolute path."""
    return folder(value) if value else None


def optional_address(value: str) -> tuple[str, int] | None:
    """Nothing, for an empty text; else host and port of ``HOST:PORT``, an IPv6 address in brackets."""
    if not value:
        return None
    host, _, port = value.rpartition(":")
    if not host or (":" in host and host[0] + host[-1] != "[]") or not port.isdecimal() or int(port) > 65535:
        raise ValueError("HOST:PORT, e.g. 0.0.0.0:8974 (port 0: any free one), or nothing")
    return host.strip("[]"), int(port)


def timezone(value: str) -> str:
    """The name of an IANA time zone, ``utc`` in any case of letters. Not ``system``: machines may differ."""
    if value.lower() == "utc":
        return "UTC"
    from zoneinfo import ZoneInfo  # costs milliseconds of each start, and UTC, the default, does not need it

    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError):
        raise ValueError("the name of a time zone such as Europe/Berlin, or utc") from None
    return value


def fernet_keys(value: str) -> str:
    """Fernet keys, comma-separated: the first encrypts, all decrypt. Empty: made on first use."""
    for key in words(value):
        try:
            raw = base64.urlsafe_b64decode(key.encode())
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != 32:
            raise ValueError("Fernet keys (44 characters of URL-safe base64 each), separated by commas")
    return value
