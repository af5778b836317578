"""What does a DAG file use that is not there? Its source is read; it is never imported."""

from __future__ import annotations

from tradewind.compat.inspection.findings import Finding as Finding
from tradewind.compat.inspection.source import inspect_source as inspect_source
