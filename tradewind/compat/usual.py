"""What do nearly all files written for Airflow import? A process that imports it once spares it all its forks."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from tradewind.compat.finder import install

_USUAL: Final = (
    "airflow",
    "airflow.decorators",
    "airflow.operators.bash",
    "airflow.operators.empty",
    "airflow.operators.python",
    "airflow.providers.standard.operators.bash",
    "airflow.providers.standard.operators.empty",
    "airflow.providers.standard.operators.python",
    "airflow.sdk",
)
"""Modules only: what stands in them is looked up, and warned about, by each DAG file for itself."""


def import_usual() -> None:
    """Import the modules that nearly all DAG files import. Nothing happens where Apache Airflow is installed: that
    would take seconds."""
    for name in _USUAL if install() else ():
        import_module(name)
