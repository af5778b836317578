"""What is said to a task that waits, as text? The payload of an event, or how the task is to end without going on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tradewind.xcom.errors import XComDecodeError
from tradewind.xcom.serde import decode, encode

_PAYLOAD, _END, _XCOMS = "payload", "end", "xcoms"


@dataclass(frozen=True, slots=True)
class Said:
    """What a trigger or a person said.

    Attributes:
        payload: what the operator's method is given.
        end: success, failed or skipped when the task is to end so, without its method being called; else None.
        xcoms: what such an end leaves for other tasks, by key.
    """

    payload: Any = None
    end: str | None = None
    xcoms: Mapping[str, Any] | None = None


def write_event(said: Said, what: str = "The payload of the event") -> str:
    """Return the text of an event.

    Raises:
        XComEncodeError: a part of it cannot be stored.
    """
    if said.end is None:
        return encode({_PAYLOAD: said.payload}, what)
    return encode({_END: said.end, _XCOMS: dict(said.xcoms or {})}, what)


def read_event(text: str) -> Said:
    """Return what :func:`write_event` wrote.

    Raises:
        XComDecodeError: it did not write ``text``, or a class that it names cannot be imported.
    """
    value = decode(text)
    if isinstance(value, dict) and _PAYLOAD in value:
        return Said(value[_PAYLOAD])
    if isinstance(value, dict) and _END in value:
        return Said(end=value[_END], xcoms=value[_XCOMS])
    raise XComDecodeError(f"{text[:100]!r} is not an event that a task waits for.")
