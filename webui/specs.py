"""Which DAG specs are at hand? Those looked at last: a version never changes, so what is kept stays right."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final

from tradewind.metadata.dags import load_spec
from tradewind.model.spec import DagSpec

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEEP: Final = 64


class SpecCache:
    """Specs of DAG versions of one metadata DB. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[int, DagSpec] = OrderedDict()

    def get(self, tx: Connection, version_id: int) -> DagSpec:
        """Return the spec of a version."""
        with self._lock:
            if version_id in self._kept:
                self._kept.move_to_end(version_id)
                return self._kept[version_id]
        spec = load_spec(tx, version_id)
        with self._lock:
            self._kept[version_id] = spec
            while len(self._kept) > KEEP:
                self._kept.popitem(last=False)
        return spec
