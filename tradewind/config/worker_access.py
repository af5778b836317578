"""How is written where a worker finds the control plane, and what it proves itself with? Two kinds of option values."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

MIN_TOKEN: Final = 32
"""Characters. Nothing slows guessing down, so it must be hopeless."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")  # what a bearer token may consist of (RFC 6750)


def control_plane_address(value: str) -> str:
    """Nothing, or the address of a web server, without a slash at its end.

    Airflow's form of it, which ends with ``/execution/``, means the same.
    """
    if not value:
        return ""
    expected = "the address of a web server, e.g. https://tradewind.example.com, or nothing"
    parts = urlsplit(value)
    try:
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        is_good = False
    if not is_good or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(expected)
    return value.rstrip("/").removesuffix("/execution").rstrip("/")


def worker_tokens(value: str) -> tuple[str, ...]:
    """Nothing, or tokens with commas between: a worker sends the first, a web server takes all."""
    tokens = tuple(part.strip() for part in value.split(",") if part.strip())
    if any(len(token) < MIN_TOKEN or not _TOKEN.fullmatch(token) for token in tokens):
        raise ValueError(
            f"tokens of at least {MIN_TOKEN} letters, digits and . _ ~ + / = -, separated by commas (`tradewind celery"
            " token` makes one)"
        )
    return tokens
