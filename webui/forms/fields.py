"""Which field does a run parameter get, and what value does its text stand for?

The browser checks what it can; what counts is the JSON schema, checked when the run is created.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tradewind.model.spec import ParamSpec

_SIMPLE: Final = {"integer": "integer", "number": "number", "boolean": "boolean", "object": "json", "array": "json"}
_FORMATS: Final = {"date": "date", "date-time": "datetime", "time": "time", "multiline": "text"}


class BadField(Exception):
    """The text of a field stands for no value; the message is for the person."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form.

    ``kind`` is string, text, integer, number, boolean, enum, list, json, date, datetime or time.
    """

    name: str
    kind: str
    title: str
    help: str
    value: str  # as text of the field; "true" or "" for a box to tick
    options: tuple[tuple[str, str], ...] = ()  # (text of the value, shown), of an enum
    is_required: bool = False
    may_be_empty: bool = False  # the schema accepts null
    attributes: Mapping[str, str] | None = None
    error: str = ""

    @property
    def input_name(self) -> str:
        """The name in the form."""
        return f"p_{self.name}"


def make_field(name: str, param: ParamSpec, text: str | None = None, error: str = "") -> Field:
    """Return the field of a parameter.

    Args:
        text: what somebody typed; None takes the default.
    """
    schema = param.schema
    kind = kind_of(schema, param.default)
    nullable = _is_nullable(schema)
    return Field(
        name,
        kind,
        str(schema.get("title", name)),
        param.description or str(schema.get("description", "")),
        value_text(kind, param.default) if text is None else text,
        _options(schema) if kind == "enum" else (),
        is_required=not nullable and not param.has_default,
        may_be_empty=nullable,
        attributes=_attributes(schema, kind),
        error=error,
    )


def kind_of(schema: Mapping[str, Any], default: Any = None) -> str:
    """Return the kind of field that fits a schema; what it does not say is guessed from the default."""
    if "enum" in schema:
        return "enum"
    names = schema.get("type")
    types = [name for name in ([names] if isinstance(names, str) else names or []) if name != "null"]
    if not types:
        return _guess(default)
    if len(types) > 1:
        return "json"
    items = schema.get("items")
    if types[0] == "array" and isinstance(items, Mapping) and items.get("type") == "string":
        return "list"
    if types[0] == "string":
        return _FORMATS.get(str(schema.get("format", "")), "text" if schema.get("maxLength", 0) > 300 else "string")
    return _SIMPLE.get(types[0], "json")


def _guess(default: Any) -> str:
    if isinstance(default, bool):
        return "boolean"
    if isinstance(default, (int, float)):
        return "number"
    if isinstance(default, str):
        return "text" if "\n" in default else "string"
    return "json" if default is not None else "string"


def _is_nullable(schema: Mapping[str, Any]) -> bool:
    names = schema.get("type")
    return names == "null" or (isinstance(names, (list, tuple)) and "null" in names) or None in schema.get("enum", ())


def _options(schema: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    shown = schema.get("values_display") or {}
    return tuple(
        (json.dumps(value), str(shown.get(value, value)) if _is_key(value) else str(value)) for value in schema["enum"]
    )


def _is_key(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool))


def _attributes(schema: Mapping[str, Any], kind: str) -> dict[str, str]:
    names = {"minimum": "min", "maximum": "max"} if kind in ("integer", "number") else {}
    if kind in ("string", "text"):
        names = {"minLength": "minlength", "maxLength": "maxlength"}
    found = {names[key]: str(schema[key]) for key in names if key in schema}
    if kind in ("integer", "number"):
        found["step"] = "1" if kind == "integer" else "any"
    return found


def value_text(kind: str, value: Any) -> str:
    """Return a value as the text of its field."""
    if kind == "enum":
        return json.dumps(value)
    if value is None:
        return ""
    if kind == "boolean":
        return "true" if value else ""
    if kind == "list":
        return "\n".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)
    if kind == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    return str(value)


def read_field(kind: str, text: str, *, nullable: bool) -> Any:
    """Return the value that the text of a field stands for.

    Raises:
        BadField: it stands for none.
    """
    if kind == "boolean":
        return text == "true"
    if not text.strip() and nullable:
        return None
    if kind in ("integer", "number"):
        return _number(kind, text)
    if kind == "list":
        return [line for line in (part.strip() for part in text.splitlines()) if line]
    if kind in ("json", "enum"):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise BadField(f"This is no JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from error
    return text.replace("\r\n", "\n")


def _number(kind: str, text: str) -> int | float:
    try:
        return int(text) if kind == "integer" else (int(text) if text.strip().lstrip("+-").isdecimal() else float(text))
    except ValueError:
        wanted = "a whole number" if kind == "integer" else "a number"
        raise BadField(f"{text!r} is not {wanted}.") from None
