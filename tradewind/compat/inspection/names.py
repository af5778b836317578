"""Which of Airflow's names are there, without importing the file that uses them?"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tradewind.compat.finder import OURS, PROVIDERS, ROOT
from tradewind.compat.names import Name, gone_hint, is_package, names_of
from tradewind.compat.providers import provider_folders
from tradewind.compat.standins import database

DATABASE = database.__name__
HARMLESS = frozenset({"NEW_SESSION", "XCOM_RETURN_KEY", "ID_LEN", "retry_db_transaction"})
"""Names beside the metadata DB that may be used: they are plain values."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a name does not resolve."""

    kind: str
    what: str
    mend: str


def is_airflow(dotted: str) -> bool:
    """Return whether a dotted name belongs to Airflow."""
    return dotted == ROOT or dotted.startswith(f"{ROOT}.")


def missing_module(module: str) -> Problem | None:
    """Return why a module cannot be imported, or None when it can."""
    if is_package(module) is not None or _installed(module):
        return None
    mend = gone_hint(module).strip() or "Remove the import."
    if module.startswith(PROVIDERS) and not module.startswith(OURS):
        return Problem("provider", f"{module} is not installed", mend)
    return Problem("import", f"{module} does not exist", mend)


def missing_name(module: str, name: str) -> Problem | None:
    """Return why a name of a module that is there cannot be imported, or None when it can."""
    dotted = f"{module}.{name}"
    if name == "*" or name in names_of(module) or is_package(dotted) is not None or _installed(dotted):
        return None
    if _installed(module):  # which names it has is known only to whoever imports it
        return None
    if module.startswith(PROVIDERS[:-1]) and not module.startswith(OURS):
        return Problem("provider", f"{dotted} is not installed", gone_hint(dotted).strip())
    return Problem("import", f"{module} has no name {name!r}", gone_hint(dotted).strip() or "Remove the import.")


def _installed(module: str) -> bool:
    """Return whether a module belongs to a provider package that is installed."""
    if not module.startswith(PROVIDERS) or module.startswith(OURS):
        return False
    parts = module.split(".")[2:]
    places = [Path(folder, *parts) for folder in provider_folders()]
    return any(place.is_dir() or place.with_suffix(".py").is_file() for place in places)


def split(dotted: str) -> tuple[str, list[str]]:
    """Return the longest module at the beginning of a dotted name, and the attributes behind it."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        if is_package(module) is not None:
            return module, parts[length:]
    return ROOT, parts[1:]


def place_of(dotted: str) -> tuple[Name | None, list[str]]:
    """Return what stands for the first name behind the module, and the attributes behind that."""
    module, rest = split(dotted)
    return (names_of(module).get(rest[0]), rest[1:]) if rest else (None, [])


def thing_of(place: Name) -> Any:
    """Return what stands for a name; a module of Tradewind is imported for it, never user code."""
    module = sys.modules.get(place.module) or import_module(place.module)
    return getattr(module, place.attribute) if place.attribute else module
