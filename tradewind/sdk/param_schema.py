"""Does a param's value fit its JSON schema? jsonschema decides (draft 2020-12, with the formats that need no extra)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import jsonschema
from jsonschema import Draft202012Validator, FormatChecker

from tradewind.model.param_formats import FORMATS
from tradewind.sdk.exceptions import ParamValidationError

_FORMATS: Final = FormatChecker(FORMATS)


def check(name: str, value: Any, schema: Mapping[str, Any]) -> None:
    """Check ``value`` against ``schema``.

    Raises:
        ParamValidationError: the value is not JSON, or does not fit, or the schema is wrong.
    """
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise ParamValidationError(
            f"Param {name!r}: {value!r} ({type(value).__name__}) is not JSON. "
            "Give texts, numbers, booleans, lists and dicts; write dates as text."
        ) from None
    try:
        Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ParamValidationError(
            f"Param {name!r}: its schema is wrong: {error.message}. Correct the schema."
        ) from None
    errors = Draft202012Validator(schema, format_checker=_FORMATS).iter_errors(value)
    worst = jsonschema.exceptions.best_match(errors)
    if worst is not None:
        where = "".join(f"[{step!r}]" for step in worst.absolute_path)
        raise ParamValidationError(
            f"Param {name!r}{where}: {worst.message}. Give a value that fits {dict(worst.schema)!r}."
        )
