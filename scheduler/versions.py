"""What did a DAG say at the version of a run? Specs and graphs, built once and kept while they are used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from tradewind.metadata.runs import RunRecord, StoredVersion, version_of, versions_of
from tradewind.metadata.views.versions import find_versions
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
        self._versions: OrderedDict[tuple[int, tuple[str, ...] | None], Version] = OrderedDict()

    def get(self, tx: Connection, version_id: int, task_ids: Sequence[str] | None = None) -> Version:
        """Return a version, read from the metadata DB when it was not used lately.

        Args:
            task_ids: of a run that consists of some tasks only, which; None: all.
        """
        key = version_id, None if task_ids is None else tuple(task_ids)
        version = self._versions.get(key)
        if version is None:
            version = self._keep(version_of(tx, version_id), task_ids)
        self._versions.move_to_end(key)
        return version

    def get_many(self, tx: Connection, version_ids: Collection[int]) -> dict[int, Version]:
        """Return versions by their ids, those that were not used lately read in one statement."""
        found = {version_id: self._versions.get((version_id, None)) for version_id in version_ids}
        missing = [version_id for version_id, version in found.items() if version is None]
        read = {stored.id: self._keep(stored, None) for stored in versions_of(tx, missing)}
        return read | {version_id: version for version_id, version in found.items() if version is not None}

    def _keep(self, stored: StoredVersion, task_ids: Sequence[str] | None) -> Version:
        spec = decode_spec(stored.spec) if task_ids is None else part_of(decode_spec(stored.spec), task_ids)
        version = Version(stored.id, spec, DagGraph(spec), stored.file_path, stored.source_digest)
        self._versions[stored.id, None if task_ids is None else tuple(task_ids)] = version
        if len(self._versions) > self._size:
            self._versions.popitem(last=False)
        return version

    def find(self, tx: Connection, version_id: int, run: RunRecord) -> Version | None:
        """Return a version that a run may go on with, or None: there is no such one, or it is of another DAG."""
        found = find_versions(tx, [version_id]).get(version_id)
        if found is None or found.dag_id != run.dag_id:
            return None
        return self.get(tx, version_id, run.task_subset)


def part_of(spec: DagSpec, task_ids: Collection[str]) -> DagSpec:
    """Return a DAG with some of its tasks only. What stands above them and is left out is waited for no more."""
    kept = set(task_ids)
    tasks = (
        msgspec.structs.replace(task, upstream=tuple(up for up in task.upstream if up in kept))
        for task in spec.tasks
        if task.task_id in kept
    )
    return msgspec.structs.replace(spec, tasks=tuple(tasks))
