"""What stands for the helpers of Airflow that work on texts: keys, booleans, hashes, templates, encodings?"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import string
from collections.abc import Callable
from typing import Any, Final

from tradewind.sdk.exceptions import AirflowException

TRUE_LIKE_VALUES: Final = frozenset({"on", "t", "true", "y", "yes", "1"})
KEY_REGEX: Final = re.compile(r"^[\w.-]+$")
GROUP_KEY_REGEX: Final = re.compile(r"^[\w-]+$")
CAMELCASE_TO_SNAKE_CASE_REGEX: Final = re.compile(r"(?!^)([A-Z]+)")
ANSI_ESCAPE: Final = re.compile(r"\x1b[@-_][0-?]*[ -/]*[@-~]")


def validate_key(k: str, max_length: int = 250) -> None:
    """Refuse what cannot be the id of a DAG or task.

    Raises:
        TypeError: it is no text.
        AirflowException: it is too long, or has other signs than letters, digits, ``-``, ``.`` and ``_``.
    """
    _validated(k, max_length, KEY_REGEX, "letters, digits, dashes, dots and underscores")


def validate_group_key(k: str, max_length: int = 200) -> None:
    """Refuse what cannot be the id of a task group: as for tasks, and no dots.

    Raises:
        TypeError: it is no text.
        AirflowException: it is too long, or has other signs.
    """
    _validated(k, max_length, GROUP_KEY_REGEX, "letters, digits, dashes and underscores")


def _validated(key: str, max_length: int, pattern: re.Pattern[str], allowed: str) -> None:
    if not isinstance(key, str):
        raise TypeError(f"The key must be a text, not {key!r} ({type(key).__name__}).")
    if len(key) > max_length:
        raise AirflowException(f"The key {key[:40]!r}... has {len(key)} signs; at most {max_length} are allowed.")
    if not pattern.match(key):
        raise AirflowException(f"The key {key!r} may only have {allowed}. Replace the others.")


def convert_camel_to_snake(camel_str: str) -> str:
    """Return ``CamelCase`` as ``camel_case``."""
    return CAMELCASE_TO_SNAKE_CASE_REGEX.sub(r"_\1", camel_str).lower()


def to_boolean(astring: str | None) -> bool:
    """Return whether a text says yes; anything unknown, and None, says no."""
    return astring is not None and astring.lower() in TRUE_LIKE_VALUES


def get_random_string(length: int = 8, choices: str = string.ascii_letters + string.digits) -> str:
    """Return ``length`` signs that nobody can guess."""
    return "".join(secrets.choice(choices) for _ in range(length))


def remove_escape_codes(text: str) -> str:
    """Return ``text`` without the codes that colour terminals."""
    return ANSI_ESCAPE.sub("", text)


def md5(__string: bytes = b"") -> Any:
    """Return an MD5 hash that is used as a name and protects nothing."""
    return hashlib.md5(__string, usedforsecurity=False)


def parse_template_string(template_string: str) -> tuple[str | None, Any]:
    """Return the text and None when it has no template in it, else None and the template."""
    if "{{" not in template_string:
        return template_string, None
    import jinja2

    return None, jinja2.Template(template_string)


def render_template_to_string(template: Any, context: Any) -> str:
    """Return a Jinja2 template filled in from ``context``."""
    return "".join(template.root_render_func(template.new_context(dict(context))))


def render_template_as_native(template: Any, context: Any) -> Any:
    """Return the Python value that a Jinja2 template gives with ``context``."""
    from jinja2.nativetypes import native_concat

    return native_concat(template.root_render_func(template.new_context(dict(context))))


def render_template(template: Any, context: Any, *, native: bool) -> Any:
    """Return a Jinja2 template filled in: as Python value with ``native``, else as text."""
    return render_template_as_native(template, context) if native else render_template_to_string(template, context)


def ask_yesno(question: str, default: bool | None = None, output_fn: Callable[[str], object] = lambda _: None) -> bool:
    """Refuse: nobody sits before a task.

    Raises:
        AirflowException: always.
    """
    raise AirflowException(
        f"ask_yesno({question!r}) needs a person at a terminal; a task has none. Use HITLOperator, or a param."
    )


class XComEncoder(json.JSONEncoder):
    """Writes what XComs can hold as JSON."""

    def default(self, o: Any) -> Any:
        """Return dates, sets and the like in a form that JSON has."""
        from tradewind.xcom import serde

        return json.loads(serde.encode(o))


class XComDecoder(json.JSONDecoder):
    """Reads JSON; values that :class:`XComEncoder` wrote in a form of their own come back as they were."""

    def decode(self, s: str, *args: Any) -> Any:
        """Return the value that the text ``s`` stands for."""
        from tradewind.xcom import serde

        return serde.decode(s)
