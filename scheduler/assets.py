"""How does a run come to be that waits for assets? Its condition holds over what has come in: the run is created, once.

Each consumer is looked at in a transaction that holds its row: evaluating, creating the run, and using up the events
are one commit. What was recorded before and not looked at is found again after a crash.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from tradewind import faults
from tradewind.errors import TradewindError
from tradewind.metadata import asset_consumers, dags, runs
from tradewind.metadata.asset_consumers import Pending
from tradewind.metadata.dags import DagRow
from tradewind.metadata.database import Database
from tradewind.metadata.runs import NewRun, RunRecord
from tradewind.model.states import RunType
from tradewind.timetables import from_spec
from tradewind.timetables.asset import AssetTriggeredTimetable, PartitionedAssetTimetable
from tradewind.timetables.asset_condition import Key, Known, holds, missing
from tradewind.timetables.asset_mappers import RollupMapper, keys_of

log = logging.getLogger(__name__)

MAX_KEYS: Final = 1000
"""Partitions of a consumer that one event may belong to, unless its mapper says another number."""
_MAX_KEY_LENGTH: Final = 250


def look_at_consumers(db: Database, dag_ids: Sequence[str], now: datetime) -> list[RunRecord]:
    """Create the runs whose conditions hold, each DAG in a transaction of its own; return them."""
    made: list[RunRecord] = []
    for dag_id in sorted(dag_ids):
        try:
            with db.write() as tx:
                made += fire_assets(tx, dag_id, now)
                faults.crash_point("assets-before-commit")
        except TradewindError as error:  # of this DAG alone: it is looked at again when something else comes in
            log.error("asset.refused: dag=%s: %s", dag_id, error)
            with db.write() as tx:
                asset_consumers.settle(tx, dag_id, asset_consumers.read_pending(tx, dag_id))
    return made


def fire_assets(tx: Connection, dag_id: str, now: datetime) -> list[RunRecord]:
    """Create the runs of one consumer whose condition holds, and return them. Its row is locked first."""
    runs.lock_dag(tx, dag_id)
    dag = dags.find_dag(tx, dag_id)
    pending = asset_consumers.read_pending(tx, dag_id)
    if dag is None or not pending:
        return []
    if not dag.is_active or dag.is_paused or dag.version_id is None:
        asset_consumers.settle(tx, dag_id, pending)  # looked at again when it goes on
        return []
    timetable = from_spec(dags.load_spec(tx, dag.version_id).timetable)
    if not isinstance(timetable, AssetTriggeredTimetable):
        asset_consumers.drop(tx, dag_id, pending)
        return []
    known = asset_consumers.read_known(tx, timetable.condition)
    if isinstance(timetable, PartitionedAssetTimetable):
        return _Partitions(tx, dag, timetable, known, now).fire(pending)
    return _fire_whole(tx, dag, timetable, known, pending, now)


def missing_assets(tx: Connection, dag: DagRow) -> str | None:
    """Return, in words, what a DAG waits for before its next run; None: it does not wait for assets."""
    if dag.version_id is None:
        return None
    timetable = from_spec(dags.load_spec(tx, dag.version_id).timetable)
    if not isinstance(timetable, AssetTriggeredTimetable):
        return None
    if timetable.is_partitioned:
        return "it runs for each partition of its assets that is complete"
    pending = asset_consumers.read_pending(tx, dag.dag_id)
    updated = {one.asset for one in pending if one.counts}
    known = asset_consumers.read_known(tx, timetable.condition)
    left = missing(timetable.condition, updated.__contains__, known)
    come = ", ".join(sorted(repr(name) for name, _ in updated))
    already = f" (already updated: {come})" if come else ""
    if left:
        return f"it waits for an update of {' and '.join(left)}{already}"
    if not updated:
        return "it waits for assets, and its condition names none that could be updated"
    running = asset_consumers.count_unfinished_runs(tx, dag.dag_id)
    if running >= dag.max_active_runs:
        return (
            f"its assets were updated, and it runs again when one of its {running} unfinished runs has ended{already}"
        )
    return f"its assets were updated, and it runs as soon as a scheduler looks at it{already}"


def _fire_whole(
    tx: Connection,
    dag: DagRow,
    timetable: AssetTriggeredTimetable,
    known: Known,
    pending: Sequence[Pending],
    now: datetime,
) -> list[RunRecord]:
    updated = {one.asset for one in pending if one.counts}
    if not updated or not holds(timetable.condition, updated.__contains__, known):
        asset_consumers.settle(tx, dag.dag_id, pending)
        return []
    if asset_consumers.count_unfinished_runs(tx, dag.dag_id) >= dag.max_active_runs:
        return []  # what comes until a run has ended is used together; it stays to be looked at
    due = max(one.at for one in pending if one.counts)
    return [_create(tx, dag, timetable, pending, due, now)]


def _create(
    tx: Connection,
    dag: DagRow,
    timetable: AssetTriggeredTimetable,
    used: Sequence[Pending],
    due: datetime,
    now: datetime,
    partition_key: str | None = None,
    partition_date: datetime | None = None,
) -> RunRecord:
    """Create the run that uses these events. Its name is made from them, so that they can make it only once."""
    assert dag.version_id is not None
    event_ids = sorted({one.event_id for one in used})
    said = f"{dag.dag_id}\0{partition_key or ''}\0{event_ids}"
    new = NewRun(
        dag_id=dag.dag_id,
        run_id=timetable.run_id(
            RunType.ASSET_TRIGGERED, due, unique=hashlib.blake2b(said.encode(), digest_size=4).hexdigest()
        ),
        version_id=dag.version_id,
        run_type=RunType.ASSET_TRIGGERED,
        triggered_by="asset",
        run_after=due,
        partition_key=partition_key,
        partition_date=partition_date,
    )
    pk = runs.insert_run(tx, new, now)
    asset_consumers.note_use(tx, pk, event_ids)
    asset_consumers.drop(tx, dag.dag_id, used)
    log.info("asset.run: dag=%s run=%s events=%d", dag.dag_id, new.run_id, len(event_ids))
    return runs.get_runs(tx, [pk])[0]


class _Partitions:
    """One look at a consumer whose runs are each about one partition."""

    def __init__(
        self, tx: Connection, dag: DagRow, timetable: PartitionedAssetTimetable, known: Known, now: datetime
    ) -> None:
        self._tx, self._dag, self._timetable, self._known, self._now = tx, dag, timetable, known, now

    def fire(self, pending: Sequence[Pending]) -> list[RunRecord]:
        """Sort what is new by partition, and create the run of each partition that is complete."""
        for one in pending:
            if not one.partition_key:
                asset_consumers.put_by_partition(self._tx, self._dag.dag_id, one.event_id, self._keys(one))
        asset_consumers.drop(self._tx, self._dag.dag_id, [one for one in pending if not one.partition_key])
        by_key: dict[str, list[Pending]] = {}
        for one in asset_consumers.read_pending(self._tx, self._dag.dag_id):
            by_key.setdefault(one.partition_key, []).append(one)
        made = []
        for key, events in sorted(by_key.items()):
            if self._is_complete(key, events):
                date = self._date(key, events)
                made.append(_create(self._tx, self._dag, self._timetable, events, self._now, self._now, key, date))
            else:
                asset_consumers.settle(self._tx, self._dag.dag_id, events)
        return made

    def _keys(self, one: Pending) -> list[str]:
        """Return the partitions that an event belongs to; none, which is logged, when that cannot be said."""
        mapper = self._timetable.mapper_of(*one.asset)
        if not one.counts:
            return []
        if one.source_key is None:
            log.warning(
                "asset.no_partition: dag=%s asset=%s: its event has no partition", self._dag.dag_id, one.asset[0]
            )
            return []
        try:
            keys = keys_of(mapper, one.source_key)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            log.warning(
                "asset.not_mapped: dag=%s asset=%s partition=%s: %s",
                self._dag.dag_id,
                *one.asset[:1],
                one.source_key,
                error,
            )
            return []
        limit = mapper.max_downstream_keys or MAX_KEYS
        if len(keys) > limit or any(not key or len(key) > _MAX_KEY_LENGTH for key in keys):
            log.warning(
                "asset.not_mapped: dag=%s asset=%s partition=%s belongs to %d partitions (at most %d are allowed), or "
                "to one whose key is empty or too long",
                self._dag.dag_id, one.asset[0], one.source_key, len(keys), limit,
            )  # fmt: skip
            return []
        return keys

    def _is_complete(self, key: str, events: Sequence[Pending]) -> bool:
        come: dict[Key, set[str]] = {}
        for one in events:
            come.setdefault(one.asset, set()).add(one.source_key or "")

        def is_updated(asset: Key) -> bool:
            return asset in come and self._is_enough(asset, key, come)

        return holds(self._timetable.condition, is_updated, self._known)

    def _is_enough(self, asset: Key, key: str, come: Mapping[Key, set[str]]) -> bool:
        mapper = self._timetable.mapper_of(*asset)
        if not isinstance(mapper, RollupMapper):
            return True
        try:
            expected = mapper.expected(key)
        except ValueError as error:
            log.warning("asset.not_mapped: dag=%s asset=%s partition=%s: %s", self._dag.dag_id, asset[0], key, error)
            return False
        return mapper.wait_policy.is_satisfied(come[asset], expected)

    def _date(self, key: str, events: Sequence[Pending]) -> datetime | None:
        """Return where the partition begins: what the mappers of time say, else the producers, when they agree."""
        mappers = {asset: self._timetable.mapper_of(*asset) for asset in {one.asset for one in events}}
        try:
            said = {mapper.to_partition_date(key) for mapper in mappers.values()} - {None}
        except ValueError as error:
            log.warning("asset.no_date: dag=%s partition=%s: %s", self._dag.dag_id, key, error)
            return None
        if not said:
            said = {one.source_date for one in events if mappers[one.asset].carries_date} - {None}
        return said.pop() if len(said) == 1 else None
