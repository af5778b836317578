"""How are settings read from and written to files? JSON, YAML and .env; ``-`` is standard input or output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import yaml

from tradewind.errors import UsageError
from tradewind.terminal.options import file_format

FORMATS: Final = ("json", "yaml", "env")


def read_mapping(path: str, given_format: str | None = None) -> dict[str, Any]:
    """Return what a file maps from names to values.

    Raises:
        UsageError: it cannot be read, or does not hold that.
    """
    kind = file_format(path, FORMATS, given_format)
    source = "standard input" if path == "-" else path
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        found = _parse(text, kind)
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}.") from error
    except (ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{source} is not {kind.upper()}: {' '.join(str(error).split())}") from error
    if not isinstance(found, Mapping):
        raise UsageError(f"{source} does not map names to values at its top; it holds a {type(found).__name__}.")
    return {str(name): value for name, value in found.items()}


def _parse(text: str, kind: str) -> Any:
    if kind == "json":
        return json.loads(text)
    if kind == "yaml":
        return yaml.safe_load(text) or {}
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, separator, value = stripped.partition("=")
        if not separator or not name.strip():
            raise ValueError(f"line {number} is not NAME=VALUE")
        if name.strip() in found:
            raise ValueError(f"line {number} gives {name.strip()} for the second time")
        found[name.strip()] = value.strip()
    return found


def shown_name(path: str) -> str:
    """Return how a file is spoken of."""
    return "standard output" if path == "-" else path


def write_text(path: str, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all; ``-`` prints.

    Raises:
        UsageError: it cannot be written.
    """
    if path == "-":
        click.echo(text, nl=False)
        return
    target, draft = Path(path), Path(f"{path}.part")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
