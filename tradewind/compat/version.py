"""Which Airflow do files see? The one whose behaviour is kept."""

from __future__ import annotations

from typing import Final

AIRFLOW_VERSION: Final = "3.3.2"
