"""The REST API under ``/api/v2``, in the paths and words of Airflow 3."""

from __future__ import annotations

from webui.api.routes import api

__all__ = ["api"]
