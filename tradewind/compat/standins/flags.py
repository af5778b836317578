"""Which version of Airflow do providers find? Flags like ``AIRFLOW_V_3_1_PLUS``, as their packages compute them."""

from __future__ import annotations

import re

from tradewind.compat.version import AIRFLOW_VERSION

_VERSION = tuple(int(part) for part in AIRFLOW_VERSION.split("."))
_FLAG = re.compile(r"AIRFLOW_V_(\d+(?:_\d+)+)_PLUS")


def get_base_airflow_version_tuple() -> tuple[int, int, int]:
    """Return the version as three numbers."""
    major, minor, micro = _VERSION
    return major, minor, micro


def __getattr__(name: str) -> bool:
    """Return whether the version is at least the one that ``AIRFLOW_V_3_1_PLUS`` and its like name."""
    found = _FLAG.fullmatch(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return tuple(int(part) for part in found[1].split("_")) <= _VERSION
