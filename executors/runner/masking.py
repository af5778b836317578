"""What must not be read in logs and rendered fields? Values that were given as secrets, and those of telling names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

import msgspec

MASK: Final = "***"
SENSITIVE_NAMES: Final = (
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "keyfile_dict",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "secret",
    "service_account",
    "token",
)
"""A name that has one of these in it sounds secret, whatever its case."""

_MIN_LINE: Final = 8
"""Shorter lines of a secret of many lines (a private key) are not telling, and would mask half of a log."""


class Masker:
    """Replaces the secrets of one task process."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = SENSITIVE_NAMES
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def set_names(self, more: Iterable[str], is_on: bool = True) -> None:
        """Set which names sound secret: the usual ones and ``more``; none at all when masking by name is off."""
        self._names = (*SENSITIVE_NAMES, *(name.lower() for name in more)) if is_on else ()

    @property
    def secrets(self) -> frozenset[str]:
        """What is masked, in all forms in which it is looked for."""
        return frozenset(self._secrets)

    def is_sensitive(self, name: str) -> bool:
        """Say whether values of this name are secrets."""
        lowered = name.lower()
        return any(part in lowered for part in self._names)

    def add(self, value: Any) -> None:
        """Mask this text from now on, also in its URL-quoted and escaped forms; texts in lists and dicts as well."""
        if isinstance(value, dict):
            for item in value.values():
                self.add(item)
        elif isinstance(value, (list, tuple, set, frozenset)):
            for item in value:
                self.add(item)
        elif isinstance(value, str) and value.strip():
            self._secrets.update(_forms(value))
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def add_by_name(self, name: str, value: Any) -> None:
        """Mask ``value`` if its name sounds secret, and in a dict those of its values whose names do."""
        if self.is_sensitive(name):
            self.add(value)
        elif isinstance(value, dict):
            for key, item in value.items():
                self.add_by_name(str(key), item)

    def redact(self, text: str) -> str:
        """Return ``text`` with every secret replaced."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def redact_value(self, value: Any, name: str = "") -> Any:
        """Return plain data with its secrets replaced, wherever they stand in it."""
        if name and value not in (None, "") and self.is_sensitive(name):
            return MASK
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {key: self.redact_value(item, str(key)) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.redact_value(item) for item in value]
        return value


def _forms(value: str) -> set[str]:
    escaped = msgspec.json.encode(value).decode()[1:-1]
    forms = {value, quote(value, safe=""), escaped, repr(value)[1:-1]}
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:  # printed line by line, no line of it holds the whole
        forms.update(line for line in lines if len(line) >= _MIN_LINE)
    return forms
