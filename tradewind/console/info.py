"""``tradewind info``: what is installed here, and how it stands."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

import click

from tradewind import __version__
from tradewind.config import Config, load_config
from tradewind.errors import TradewindError
from tradewind.metadata.dags import count_dags, count_import_errors
from tradewind.metadata.opening import open_database
from tradewind.metadata.processes import list_processes
from tradewind.metadata.revision import HEAD, read_revision, require_current
from tradewind.terminal.output import emit_record, talk, to_json, to_yaml

PACKAGES: Final = (
    "SQLAlchemy",
    "alembic",
    "psycopg",
    "click",
    "Flask",
    "croniter",
    "celery",
    "redis",
    "apache-airflow",
)


def info(anonymize: bool, output: str) -> None:
    """Show versions, paths and the state of this installation."""
    config = load_config(os.environ)
    hide = _Anonymous() if anonymize else _Plain()
    sections = {
        "Tradewind": _installation(config),
        "Metadata DB": _metadata(config),
        "System": _system(),
        "Packages": _packages(),
    }
    shown = {title: {name: hide(value) for name, value in rows.items()} for title, rows in sections.items()}
    if output in ("json", "yaml"):
        click.echo(to_json(shown) if output == "json" else to_yaml(shown).rstrip("\n"))
        return
    for number, (title, rows) in enumerate(shown.items()):
        click.echo(("\n" if number else "") + click.style(title, bold=True))
        emit_record(rows, output)
    for warning in config.warnings:
        talk(f"Warning: {hide(warning)}")


class _Plain:
    def __call__(self, value: Any) -> Any:
        return value


class _Anonymous(_Plain):
    """Replaces what tells who and where."""

    def __init__(self) -> None:
        words = {str(Path.home()): "~", platform.node(): "HOST"}
        words.update({os.environ[name]: "USER" for name in ("USER", "LOGNAME") if os.environ.get(name)})
        self._words: Final = {word: new for word, new in words.items() if len(word) > 2}

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        for word, new in self._words.items():
            value = value.replace(word, new)
        return value


def _installation(config: Config) -> Mapping[str, Any]:
    file = config.home / "airflow.cfg"
    return {
        "version": __version__,
        "home": str(config.home),
        "configuration": str(file) if file.is_file() else "defaults and environment",
        "dags_folder": str(config.core.dags_folder),
        "base_log_folder": str(config.logging.base_log_folder),
        "executor": ", ".join(map(str, config.core.executor)),
        "parallelism": config.core.parallelism,
    }


def _metadata(config: Config) -> Mapping[str, Any]:
    """Look at the metadata DB; when it cannot be used, that is what is shown: this command is for finding out why."""
    try:
        with open_database(config, is_current=False) as db:
            rows: dict[str, Any] = {"address": db.safe_url}
            try:
                require_current(db)
            except TradewindError as error:
                return {**rows, "state": str(error)}
            now = datetime.now(UTC)
            with db.read() as tx:
                rows["state"] = "usable"
                rows["revision"] = f"{read_revision(tx)} (newest: {HEAD})"
                rows["dags"] = count_dags(tx)
                rows["import_errors"] = count_import_errors(tx)
                alive = list_processes(tx, alive_at=now)
            rows["processes"] = ", ".join(f"{p.kind} {p.hostname}:{p.pid}" for p in alive) or "none alive"
            return rows
    except TradewindError as error:
        return {"state": str(error)}


def _system() -> Mapping[str, Any]:
    return {
        "system": platform.platform(),
        "python": f"{platform.python_version()} ({sys.executable})",
        "sqlite": sqlite3.sqlite_version,
        "cpus": os.cpu_count(),
        "timezone": datetime.now().astimezone().tzname(),
    }


def _packages() -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name in PACKAGES:
        try:
            found[name] = version_of(name)
        except PackageNotFoundError:
            if name != "apache-airflow":  # beside it, `import airflow` is not ours: worth knowing when it is there
                found[name] = "not installed"
    return found
