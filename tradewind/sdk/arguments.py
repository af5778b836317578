"""Is this argument something that can be meant? Checks with messages that name the thing, the argument and the mend."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from types import FrameType
from typing import Any, Final

from tradewind.errors import did_you_mean
from tradewind.sdk.exceptions import DagArgumentError, IgnoredArgumentWarning, NotSupportedYet

Check = Callable[[str, str, Any], Any]
"""Takes who asks (``"BashOperator 'x'"``), the argument's name and value; returns the value to keep, or raises."""

_ID: Final = re.compile(r"[\w.\-]+")
_HERE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
MAX_ID_LENGTH: Final = 250
MAX_GROUP_ID_LENGTH: Final = 200


def wrong(who: str, name: str, value: Any, expected: str) -> DagArgumentError:
    """Return the error for a value that does not fit."""
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    return DagArgumentError(f"{who}: {name} must be {expected}, not {shown} ({type(value).__name__}).")


def check_id(who: str, name: str, value: Any) -> str:
    """Return ``value`` when it can name a DAG, task or group."""
    if not isinstance(value, str):
        raise wrong(who, name, value, "a text")
    check_length(who, name, value, MAX_ID_LENGTH)
    if not _ID.fullmatch(value):
        raise DagArgumentError(
            f"{who}: {name} {value!r} may hold only letters, digits, '_', '-' and '.', and not be empty. Rename it."
        )
    return value


def check_length(who: str, name: str, value: str, most: int) -> None:
    """Refuse an id that is longer than the metadata DB, or Airflow, holds."""
    if len(value) > most:
        raise DagArgumentError(
            f"{who}: {name} is {len(value)} characters long; at most {most} are allowed. Shorten it."
        )


def instance(types: type | tuple[type, ...], words: str, *, optional: bool = False) -> Check:
    """Return a check that takes instances of ``types`` (a bool never passes as a number)."""
    wanted = types if isinstance(types, tuple) else (types,)
    takes_bool = bool in wanted or object in wanted

    def check(who: str, name: str, value: Any) -> Any:
        if value is None and optional:
            return None
        if not isinstance(value, wanted) or (isinstance(value, bool) and not takes_bool):
            raise wrong(who, name, value, f"{words} or None" if optional else words)
        return value

    return check


text: Final = instance(str, "a text")
optional_text: Final = instance(str, "a text", optional=True)
boolean: Final = instance(bool, "True or False")
optional_boolean: Final = instance(bool, "True or False", optional=True)
integer: Final = instance(int, "a whole number")
duration: Final = instance(timedelta, "a datetime.timedelta such as timedelta(minutes=5)")
optional_duration: Final = instance(timedelta, "a datetime.timedelta such as timedelta(minutes=5)", optional=True)
optional_instant: Final = instance(datetime, "a datetime.datetime such as datetime(2026, 1, 1)", optional=True)
mapping: Final = instance(dict, "a dict")


def at_least(least: int, *, optional: bool = False) -> Check:
    """Return a check for a whole number that is ``least`` or more."""

    def check(who: str, name: str, value: Any) -> int | None:
        if value is None and optional:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise wrong(who, name, value, f"a whole number of {least} or more{' or None' if optional else ''}")
        return value

    return check


def one_of(choices: Iterable[str]) -> Check:
    """Return a check for one of a few words."""
    known = [str(choice) for choice in choices]

    def check(who: str, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise wrong(who, name, value, f"one of {', '.join(known)}")
        if str(value) not in known:
            raise DagArgumentError(
                f"{who}: {name} {str(value)!r} does not exist.{did_you_mean(value, known)} "
                f"It must be one of {', '.join(known)}."
            )
        return str(value)

    return check


def seconds_or_duration(who: str, name: str, value: Any) -> timedelta:
    """Return a timedelta; a bare number is taken as seconds."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    raise wrong(who, name, value, "a datetime.timedelta or a number of seconds")


def optional_seconds_or_duration(who: str, name: str, value: Any) -> timedelta | None:
    """Return a timedelta or None; a bare number is taken as seconds."""
    return None if value is None else seconds_or_duration(who, name, value)


def callbacks(who: str, name: str, value: Any) -> list[Callable[..., Any]]:
    """Return a list of callables from None, one callable or several."""
    if value is None:
        return []
    given = list(value) if isinstance(value, list | tuple | set) else [value]
    for one in given:
        if not callable(one):
            raise wrong(who, name, one, "a function that takes the context, or a list of such functions")
    return given


def addresses(who: str, name: str, value: Any) -> str | list[str] | None:
    """Return mail addresses as they were given: None, one text (several divided by commas), or several texts."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple | set) and all(isinstance(one, str) for one in value):
        return list(value)
    raise wrong(who, name, value, "a mail address or a list of them")


def ignored(why: str, check: Check | None = None) -> Check:
    """Return a check for an argument that is accepted and has no effect: anything that asks for something warns.

    Args:
        why: the reason and what to do, e.g. ``"Airflow 3 ignores it as well. Remove it."``.
        check: what the value must pass besides.
    """

    def warn(who: str, name: str, value: Any) -> Any:
        kept = value if check is None else check(who, name, value)
        if not _is_nothing(kept):
            warn_user(f"{who}: {name} has no effect: {why}", IgnoredArgumentWarning)
        return kept

    return warn


def _is_nothing(value: Any) -> bool:
    """Whether a value asks for nothing. Not ``not value``: arrays and output references have no truth value."""
    if value is None or (isinstance(value, int) and value == 0):
        return True
    return isinstance(value, str | list | tuple | dict | set | frozenset) and len(value) == 0


def refused(why: str) -> Check:
    """Return a check for an argument whose feature does not exist yet: anything but None is an error."""

    def check(who: str, name: str, value: Any) -> None:
        if value is not None:
            raise NotSupportedYet(f"{who}: {name} is not supported yet. {why}")

    return check


def unknown(who: str, names: Iterable[str], known: Iterable[str]) -> DagArgumentError:
    """Return the error for arguments that nobody knows, with the nearest known one."""
    options = sorted(set(known))
    said = " ".join(f"{name!r} is not an argument of it.{did_you_mean(name, options)}" for name in sorted(names))
    return DagArgumentError(f"{who}: {said} Correct the name or remove it.")


def renamed(who: str, old: str, new: str) -> None:
    """Warn that an argument's name is that of Airflow 2."""
    warn_user(f"{who}: {old} is the name of Airflow 2; write {new}= instead", DeprecationWarning)


def removed(who: str, old: str, why: str) -> None:
    """Warn that an argument of Airflow 2 is gone and needs no replacement."""
    warn_user(f"{who}: {old} is gone since Airflow 3: {why}; remove it", DeprecationWarning)


def calling_frame() -> FrameType:
    """Return the nearest frame outside of this package: the DAG file, or a factory that it uses."""
    frame = sys._getframe(1)
    while frame.f_back is not None and os.path.abspath(frame.f_code.co_filename).startswith(_HERE):
        frame = frame.f_back
    return frame


def calling_place() -> tuple[str, int]:
    """Return file and line of :func:`calling_frame`."""
    frame = calling_frame()
    return frame.f_code.co_filename, frame.f_lineno


def warn_late(place: tuple[str, int], message: str) -> None:
    """Warn about what was written at ``place``, from the end of an object's life; not while the interpreter goes."""
    if not sys.is_finalizing():
        with warning_at(place):
            warn_user(message, UserWarning)


_place: ContextVar[tuple[str, int] | None] = ContextVar("tradewind_warning_place", default=None)


@contextmanager
def warning_at(place: tuple[str, int]) -> Iterator[None]:
    """Let warnings in the block be about this file and line instead of those of the caller."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn, as from the line of the DAG file that caused it."""
    frame = calling_frame()
    named = frame.f_globals
    filename, line = _place.get() or (frame.f_code.co_filename, frame.f_lineno)
    warnings.warn_explicit(
        message,
        category,
        filename,
        line,
        module=named.get("__name__"),
        registry=named.setdefault("__warningregistry__", {}),
    )
