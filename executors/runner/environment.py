"""What does user code find in its environment? That of the host process, without what only Tradewind may know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.engine import make_url

from executors.runner.masking import SENSITIVE_NAMES

MARKER: Final = "TRADEWIND_SUPERVISOR"
"""Names the supervisor to which a process belongs, so that it can be found when all else has failed."""

_OURS: Final = re.compile(r"(TRADEWIND|AIRFLOW)(__|_CONN_|_VAR_)", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"(TRADEWIND|AIRFLOW)_VAR_", re.IGNORECASE)
_HARMLESS: Final = frozenset(
    f"{prefix}__{option}"
    for prefix in ("TRADEWIND", "AIRFLOW")
    for option in (
        "CORE__DAGS_FOLDER",
        "CORE__DEFAULT_TIMEZONE",
        "LOGGING__BASE_LOG_FOLDER",
        "LOGGING__LOGGING_LEVEL",
        "OPERATORS__DEFAULT_DEFERRABLE",  # operators of provider packages ask for it as they are imported
    )
)
_MIN_PASSWORD: Final = 4
"""Shorter passwords are part of too many harmless values."""


def task_environment(
    environ: Mapping[str, str], metadata_url: str, marker: str, secrets: Sequence[str] = ()
) -> dict[str, str]:
    """Return what the base process and everything below it gets as environment.

    Left out: settings of Tradewind and Airflow that could hold secrets (the address of the metadata DB, the Fernet
    key), connections and variables whose names sound secret (a task asks for them by name instead), and whatever has
    the password of the metadata DB, or another secret, in it. Other variables stay, since DAG files read them while
    they are imported.

    Args:
        environ: that of the host process.
        metadata_url: ``[database] sql_alchemy_conn``.
        marker: the value of :data:`MARKER`.
        secrets: further texts that no value may hold.
    """
    url = make_url(metadata_url)
    password = str(url.password or "")
    kept = {
        name: value
        for name, value in environ.items()
        if (not _OURS.match(name) or name in _HARMLESS or _is_harmless_variable(name))
        and not (len(password) >= _MIN_PASSWORD and password in value)
        and metadata_url not in value
        and not any(secret in value for secret in secrets)
    }
    if url.get_backend_name() == "postgresql" and not password:
        kept.pop("PGPASSWORD", None)  # then it is the password of the metadata DB
    kept[MARKER] = marker
    return kept


def _is_harmless_variable(name: str) -> bool:
    return bool(_VARIABLE.match(name)) and not any(part in name.lower() for part in SENSITIVE_NAMES)
