"""How does a value become JSON text and come back the same?

JSON values stand for themselves. Anything else is an object ``{"__tw__": kind, "v": ...}``; a dict that has the mark
``__tw__`` as a key of its own is wrapped too, so nothing that a user returns can be mistaken for one. Reading imports
the classes of Enums, dataclasses and pydantic models by name, checks that they are of that kind, and calls nothing
else: there is no pickle.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum, Flag
from importlib import import_module
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from tradewind.xcom.errors import XComDecodeError, XComEncodeError

MARK: Final = "__tw__"
_MEND: Final = (
    "Return JSON values (text, numbers, booleans, None, lists, dicts), or datetime, date, time, timedelta, "
    "Decimal, bytes, set, frozenset, tuple, UUID, Enum, a dataclass or a pydantic model; "
    "for anything larger write a file and return its path."
)


def encode(value: Any, what: str = "The value") -> str:
    """Return ``value`` as JSON text.

    Args:
        value: what to store.
        what: how errors call it, e.g. ``"The return value of task 'extract'"``.

    Raises:
        XComEncodeError: a part of it has a type that would not come back the same; says which part.
    """
    try:
        return json.dumps(_plain(value, ""), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except _Refused as refused:
        where = f" at {refused.path}" if refused.path else ""
        raise XComEncodeError(
            f"{what}{where} is {refused.reason}, which cannot be stored as an XCom. {_MEND}"
        ) from None
    except RecursionError:
        raise XComEncodeError(f"{what} contains itself, or is nested too deeply. {_MEND}") from None


def decode(text: str) -> Any:
    """Return the value that :func:`encode` was given.

    Raises:
        XComDecodeError: :func:`encode` did not write ``text``, or a class that it names is gone or of another kind.
    """
    try:
        return _restore(json.loads(text))
    except XComDecodeError:
        raise
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
        raise XComDecodeError(
            f"A stored XCom cannot be read: {type(error).__name__}: {error}. Run its task again."
        ) from error


class _Refused(Exception):
    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(reason)


# --- writing ------------------------------------------------------------------------------------


def _plain(value: Any, path: str) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is int:
        return _surrogates_refused(value, path) if kind is str else value
    if kind is float:
        return value if math.isfinite(value) else _marked("float", repr(value))
    if kind is list:
        return [_plain(one, f"{path}[{index}]") for index, one in enumerate(value)]
    if kind is dict:
        return _plain_dict(value, path)
    writer = _WRITERS.get(kind)
    if writer is not None:
        return writer(value, path)
    return _plain_instance(value, path)


def _surrogates_refused(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Refused(path, "text with broken characters (lone surrogates)") from None
    return value


def _plain_dict(value: dict[Any, Any], path: str) -> Any:
    """Keys that are no text become text, as in JSON, and in Airflow: ``{1: "a"}`` comes back as ``{"1": "a"}``."""
    plain = {_key_text(key, path): _plain(one, f"{path}[{key!r}]") for key, one in value.items()}
    if len(plain) < len(value):
        raise _Refused(path, "a dict of which two keys are the same as text")
    return _marked("dict", list(map(list, plain.items()))) if MARK in plain else plain


def _key_text(key: Any, path: str) -> str:
    if type(key) is not str:
        _plain(key, f"{path}.key({key!r})")  # what cannot be stored as a value has no text that means anything
    return _surrogates_refused(str(key), path)


def _plain_instance(value: Any, path: str) -> Any:
    kind = type(value)
    if isinstance(value, Enum):
        by = "flag" if isinstance(value, Flag) else "enum"  # a combination of flags has no name of its own
        return _marked(by, [_class_path(kind, path), value.value if by == "flag" else value.name])
    if dataclasses.is_dataclass(value):
        fields = {f.name: _plain(getattr(value, f.name), f"{path}.{f.name}") for f in dataclasses.fields(value)}
        return _marked("dataclass", [_class_path(kind, path), fields])
    if _is_pydantic(kind):
        fields = {name: _plain(one, f"{path}.{name}") for name, one in _pydantic_state(value).items()}
        return _marked("pydantic", [_class_path(kind, path), fields])
    if isinstance(value, datetime):  # other subclasses than pendulum's come back as the plain class
        plain = _datetime(value, path)
        return _marked("pendulum", plain) if kind.__module__.startswith("pendulum.") else plain
    if isinstance(value, date) and kind.__module__.startswith("pendulum."):
        return _marked("pendulum_date", value.isoformat())
    if isinstance(value, timedelta):
        return _WRITERS[timedelta](value, path)
    if isinstance(value, ZoneInfo) and value.key:  # one that was read from a file has no name
        by = "pendulum_zone" if kind.__module__.startswith("pendulum.") else "zone"
        return _marked(by, value.key)
    if hasattr(kind, "__from_xcom__"):
        return _marked("object", [_class_path(kind, path), _plain(value.__to_xcom__(), path)])
    for plain, make in _PLAIN_KINDS:  # subclasses of them, e.g. the texts of HTTP headers, come back as the plain kind
        if isinstance(value, plain):
            return _plain(make(value), path)
    raise _Refused(path, f"of type {kind.__module__}.{kind.__qualname__}")


_PLAIN_KINDS: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (dict, dict),
    (list, list),
    (tuple, tuple),
)


def _datetime(value: datetime, _: str) -> Any:
    zone = value.tzinfo
    name = getattr(zone, "key", None)
    if isinstance(name, str) and name:  # zoneinfo (and pendulum, whose zones are zoneinfo's)
        naive = value.replace(tzinfo=None, fold=0)
        return _marked("datetime", [naive.isoformat(), name, value.fold])
    return _marked("datetime", value.isoformat())


def _class_path(kind: type, path: str) -> str:
    if "<locals>" in kind.__qualname__ or kind.__module__ == "__main__":
        raise _Refused(
            path,
            f"of the class {kind.__qualname__}, which stands inside a function or a script and cannot be imported",
        )
    return f"{kind.__module__}:{kind.__qualname__}"


def _marked(kind: str, value: Any) -> dict[str, Any]:
    return {MARK: kind, "v": value}


def _many(kind: str) -> Callable[[Any, str], Any]:
    return lambda value, path: _marked(kind, [_plain(one, f"{path}[{i}]") for i, one in enumerate(value)])


def _unordered(kind: str) -> Callable[[Any, str], Any]:
    """Sets are written in an order of their own, so that the same set is the same text."""

    def write(value: Any, path: str) -> Any:
        plain = [_plain(one, f"{path}{{{one!r}}}") for one in value]
        return _marked(kind, sorted(plain, key=lambda one: json.dumps(one, sort_keys=True)))

    return write


_WRITERS: Final[dict[type, Callable[[Any, str], Any]]] = {
    tuple: _many("tuple"),
    set: _unordered("set"),
    frozenset: _unordered("frozenset"),
    datetime: _datetime,
    date: lambda value, _: _marked("date", value.isoformat()),
    time: lambda value, _: _marked("time", value.isoformat()),
    timedelta: lambda value, _: _marked("timedelta", [value.days, value.seconds, value.microseconds]),
    Decimal: lambda value, _: _marked("decimal", str(value)),
    bytes: lambda value, _: _marked("bytes", base64.b64encode(value).decode()),
    UUID: lambda value, _: _marked("uuid", str(value)),
}


# --- reading ------------------------------------------------------------------------------------


def _restore(value: Any) -> Any:
    if isinstance(value, list):
        return [_restore(one) for one in value]
    if not isinstance(value, dict):
        return value
    if MARK not in value:
        return {key: _restore(one) for key, one in value.items()}
    reader = _READERS.get(value[MARK])
    if reader is None:
        raise XComDecodeError(f"A stored XCom holds a value of the unknown kind {value[MARK]!r}. Run its task again.")
    return reader(value["v"])


def _read_datetime(value: Any) -> datetime:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    text, zone, fold = value
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def _read_pendulum(value: Any) -> datetime:
    """A date that was pendulum's comes back as pendulum's, so that whoever gets it can go on calculating with it."""
    import pendulum  # imported when first used: 20 ms

    when: datetime = pendulum.instance(_restore(value))
    return when


def _read_pendulum_date(value: str) -> date:
    import pendulum

    return pendulum.Date.fromisoformat(value)


def _read_pendulum_zone(value: str) -> tzinfo:
    import pendulum

    return pendulum.timezone(value)


def _read_object(value: Any) -> Any:
    """A value of a class of ours that says itself what is to be stored: only a class that reads it back is called."""
    kind: Any = _load_class(value[0], lambda k: hasattr(k, "__from_xcom__"), "a class that can be stored")
    return kind.__from_xcom__(_restore(value[1]))


def _read_enum(value: Any) -> Any:
    kind: Any = _load_class(value[0], lambda k: issubclass(k, Enum), "an Enum")
    try:
        return kind[value[1]]
    except KeyError:
        raise XComDecodeError(f"The Enum {value[0]} has no member {value[1]!r} any more. Run the task again.") from None


def _read_dataclass(value: Any) -> Any:
    kind: Any = _load_class(value[0], dataclasses.is_dataclass, "a dataclass")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    given = {name: _restore(one) for name, one in value[1].items() if name in fields}
    try:
        made = kind(**{name: one for name, one in given.items() if fields[name].init})
    except TypeError as error:
        raise XComDecodeError(f"The dataclass {value[0]} has changed since: {error}. Run the task again.") from error
    for name, one in given.items():
        if not fields[name].init:
            object.__setattr__(made, name, one)
    return made


def _read_pydantic(value: Any) -> Any:
    kind: Any = _load_class(value[0], _is_pydantic, "a pydantic model")
    return kind.model_validate({name: _restore(one) for name, one in value[1].items()})


def _load_class(path: str, fits: Callable[[type], bool], words: str) -> type:
    module_name, _, qualified = path.partition(":")
    try:
        found: Any = sys.modules.get(module_name) or import_module(module_name)
        for part in qualified.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise XComDecodeError(
            f"The class {path} of a stored XCom cannot be imported: {error}. "
            "Keep it in a module that both tasks can import, or run the task again."
        ) from error
    if not isinstance(found, type) or not fits(found):
        raise XComDecodeError(f"{path} of a stored XCom is not {words}. Run the task again.")
    return found


def _is_pydantic(kind: type) -> bool:
    """Whether ``kind`` is a pydantic model. Does not import pydantic: if it is not loaded, nothing is a model of it."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(kind, pydantic.BaseModel)


def _pydantic_state(value: Any) -> Mapping[str, Any]:
    return {**dict(value), **(getattr(value, "__pydantic_extra__", None) or {})}


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "float": float,
    "dict": lambda pairs: {_restore(key): _restore(one) for key, one in pairs},
    "tuple": lambda items: tuple(map(_restore, items)),
    "set": lambda items: set(map(_restore, items)),
    "frozenset": lambda items: frozenset(map(_restore, items)),
    "datetime": _read_datetime,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda parts: timedelta(days=parts[0], seconds=parts[1], microseconds=parts[2]),
    "decimal": Decimal,
    "bytes": base64.b64decode,
    "uuid": UUID,
    "enum": _read_enum,
    "flag": lambda value: _load_class(value[0], lambda k: issubclass(k, Flag), "a Flag")(value[1]),
    "dataclass": _read_dataclass,
    "pydantic": _read_pydantic,
    "pendulum": _read_pendulum,
    "pendulum_date": _read_pendulum_date,
    "pendulum_zone": _read_pendulum_zone,
    "zone": ZoneInfo,
    "object": _read_object,
}
