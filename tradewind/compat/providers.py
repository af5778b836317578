"""Which provider packages of Airflow are installed, and what do they offer? Found by their entry points, when asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

ENTRY_POINTS: Final = "apache_airflow_provider"
FOLDER: Final = ("airflow", "providers")


def provider_folders() -> list[str]:
    """Return the folders ``airflow/providers`` on the module search path: where provider packages are installed."""
    found = (Path(entry or ".").joinpath(*FOLDER) for entry in sys.path)
    return [str(folder) for folder in found if folder.is_dir()]


@cache
def provider_info() -> Mapping[str, Mapping[str, Any]]:
    """Return what each installed provider package says of itself, by the name of the package.

    One that cannot be asked (a part of it is missing) is left out.
    """
    if not provider_folders():
        return {}
    from importlib.metadata import entry_points  # late: costs as much as a small DAG file

    found: dict[str, Mapping[str, Any]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        try:
            info = point.load()()
        except Exception:  # a broken package costs that package
            continue
        found[info.get("package-name", point.dist.name if point.dist else point.name)] = info
    return found


def is_installed(package: str) -> bool:
    """Return whether a provider is there, by its module path below ``airflow.providers`` (``"common.sql"``)."""
    parts = package.split(".")
    return any(Path(folder, *parts).is_dir() for folder in provider_folders())


def _entries(kind: str) -> Iterator[Mapping[str, Any]]:
    for info in provider_info().values():
        yield from info.get(kind) or ()


@cache
def hook_paths() -> Mapping[str, str]:
    """Return the class path of the hook for each type of connection."""
    return {entry["connection-type"]: entry["hook-class-name"] for entry in _entries("connection-types")}


@cache
def dialect_paths() -> Mapping[str, str]:
    """Return the class path for each SQL dialect that a provider brings."""
    return {entry["dialect-type"]: entry["dialect-class-name"] for entry in _entries("dialects")}


@cache
def decorator_paths() -> Mapping[str, str]:
    """Return the path of the function behind each ``@task.<name>`` that a provider brings."""
    return {entry["name"]: entry["class-name"] for entry in _entries("task-decorators")}


def decorator_of(name: str) -> Any:
    """Return what stands behind ``@task.<name>`` in an installed provider package; None when no package has it."""
    path = decorator_paths().get(name)
    return None if path is None else load(path)


@cache
def _options() -> Mapping[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for info in provider_info().values():
        for section, described in (info.get("config") or {}).items():
            for name, option in (described.get("options") or {}).items():
                if option.get("default") is not None:
                    found[section, name] = str(option["default"])
    return found


def option_default(section: str, option: str) -> str | None:
    """Return the default that a provider package gives an option of its own, or None."""
    return _options().get((section, option))


def load(path: str) -> Any:
    """Return the object that a provider names as ``package.module.Name``."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
