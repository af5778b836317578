"""What stands for Airflow's secrets masker? A value that a task calls secret is shown as ``***`` from then on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tradewind.sdk import reach

SENSITIVE: Final = (
    "access_token", "api_key", "apikey", "authorization", "keyfile_dict", "passphrase", "passwd", "password",
    "private_key", "secret", "service_account", "token", "keyfile", "connection_string",
)  # fmt: skip
_TOO_SHORT: Final = 5
_seen: set[str] = set()


def mask_secret(secret: Any, name: str | None = None) -> None:
    """Show ``***`` in the log in place of ``secret`` from now on; for a dict or list, of what is secret in it.

    Args:
        secret: a text, or a dict, list or tuple of them.
        name: what it is called; a dict's own keys are looked at otherwise.
    """
    answering = reach.source()
    for text in _texts(secret, is_secret=True if name is None else should_hide_value_for_key(name)):
        _seen.add(text)
        if answering is not None:
            answering.mask_secret(text)


async def amask_secret(secret: Any, name: str | None = None) -> None:
    """Do the same in a coroutine; see :func:`mask_secret`."""
    mask_secret(secret, name)


def _texts(value: Any, *, is_secret: bool) -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, is_secret=should_hide_value_for_key(key))
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _texts(inner, is_secret=is_secret)
    elif is_secret and isinstance(value, str) and len(value) >= _TOO_SHORT:
        yield value


def should_hide_value_for_key(name: Any) -> bool:
    """Return whether a value with this name is a secret."""
    return isinstance(name, str) and any(part in name.strip().lower() for part in SENSITIVE)


def redact(value: Any, name: str | None = None, max_depth: int | None = None, replacement: str = "***") -> Any:
    """Return ``value`` with its secrets replaced: what has a name that sounds secret, and what was called secret.

    Args:
        value: a text, dict, list, tuple or set; anything else is returned as it is.
        name: what the value is called.
        max_depth: how deep to look; 5 by default.
        replacement: what stands for a secret.
    """
    return _redacted(value, name, 5 if max_depth is None else max_depth, replacement)


def _redacted(value: Any, name: str | None, depth: int, replacement: str) -> Any:
    if name and should_hide_value_for_key(name) and isinstance(value, str) and value:
        return replacement
    if isinstance(value, str):
        return (
            re.sub("|".join(map(re.escape, sorted(_seen, key=len, reverse=True))), replacement, value)
            if _seen
            else value
        )
    if depth <= 0:
        return value
    if isinstance(value, Mapping):
        return {
            key: _redacted(inner, key if isinstance(key, str) else name, depth - 1, replacement)
            for key, inner in value.items()
        }
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_redacted(inner, name, depth - 1, replacement) for inner in value)
    return value
