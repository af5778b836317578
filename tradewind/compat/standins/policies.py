"""What stands for the hooks of ``airflow_local_settings`` that providers call? They change nothing."""

from __future__ import annotations

from typing import Any


def pod_mutation_hook(pod: Any) -> None:
    """Leave a pod as it is."""


def get_airflow_context_vars(context: Any) -> dict[str, str]:
    """Return no further variables."""
    return {}
