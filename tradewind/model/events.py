"""What does the event log of a run hold? Events: the truth, of which every other table is a projection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

NO_MAP: int = -1
"""The map index of a task that is not mapped."""


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of a run's log, before it has its sequence number.

    ``kind`` is a member of ``RunEvent`` (``task_id`` is None) or ``TaskEvent``. ``payload`` is small plain JSON, and
    holds all that folding needs beyond the fields here: folding the log again gives the same projection.
    """

    kind: str
    task_id: str | None = None
    map_index: int = NO_MAP
    try_number: int = 0
    payload: Mapping[str, Any] = {}
