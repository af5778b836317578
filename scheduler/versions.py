"""What did a DAG say at the version of a run? Specs and graphs, built once and kept while they are used."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import Connection

from tradewind.metadata.runs import version_of
from tradewind.model.spec import DagSpec, decode_spec
from tradewind.run.graph import DagGraph


@dataclass(frozen=True, slots=True)
class Version:
    """One DAG version, ready for use."""

    id: int
    spec: DagSpec
    graph: DagGraph
    file_path: str
    source_digest: str


class VersionCache:
    """The versions used last. Versions never change, so nothing here can be stale."""

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._versions: OrderedDict[int, Version] = OrderedDict()

    def get(self, tx: Connection, version_id: int) -> Version:
        """Return a version, read from the metadata DB when it was not used lately."""
        version = self._versions.get(version_id)
        if version is None:
            text, file_path, source_digest = version_of(tx, version_id)
            spec = decode_spec(text)
            version = self._versions[version_id] = Version(version_id, spec, DagGraph(spec), file_path, source_digest)
            if len(self._versions) > self._size:
                self._versions.popitem(last=False)
        self._versions.move_to_end(version_id)
        return version
