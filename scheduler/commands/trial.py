"""How is one task tried out? With an order made up for it, and a channel that reads what is stored, writing nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from executors.control_plane import SqlControlPlane
from tradewind.config import Config, with_secrets
from tradewind.errors import MetadataError, NotFound, UsageError
from tradewind.metadata.database import Database
from tradewind.metadata.opening import open_database
from tradewind.metadata.runs import RunRecord, find_run, find_run_at
from tradewind.model.events import NO_MAP
from tradewind.model.orders import AttemptOrder, attempt_id
from tradewind.model.states import RunType
from tradewind.sdk.channel import ConnectionData, FoundXCom, PreviousRun
from tradewind.sdk.memory_channel import MemoryChannel, RunMemory
from tradewind.terminal.instants import parse_instant
from tradewind.terminal.output import talk
from tradewind.xcom.policy import XComPolicy

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG


@dataclass(frozen=True, slots=True)
class Stored:
    """What a trial may read. Both None: no metadata DB can be used, and the trial does without."""

    database: Database | None = None
    plane: SqlControlPlane | None = None

    def find_run(self, dag_id: str, name: str, date: datetime | None) -> RunRecord | None:
        """Return the stored run that ``name`` names, or None."""
        if self.database is None:
            return None
        with self.database.read() as tx:
            run = find_run(tx, dag_id, name)
            return find_run_at(tx, dag_id, date) if run is None and date is not None else run


@contextmanager
def stored(config: Config) -> Iterator[Stored]:
    """Give what is stored, or say that the trial does without."""
    try:
        opened = open_database(config)
        database = opened.__enter__()
    except MetadataError as error:
        talk(f"Going on without a metadata DB: {error}")
        yield Stored()
        return
    try:
        yield Stored(database, SqlControlPlane(database, with_secrets(config)))
    finally:
        opened.__exit__(None, None, None)


def make_order(
    dag: DAG,
    task_id: str,
    run: RunRecord | None,
    date: datetime | None,
    conf: Mapping[str, Any],
    map_index: int = NO_MAP,
) -> AttemptOrder:
    """Return the order for a first try of a task: in a stored run, else in one made up for ``date`` (None: now)."""
    task = dag.get_task(task_id)
    now = datetime.now(UTC)
    when = date or now
    interval = dag.timetable.manual_interval(when)
    timeout = task.execution_timeout
    order = AttemptOrder(
        attempt_id=attempt_id(0, task_id, map_index, 1),
        fence=1,
        run_pk=0,
        dag_id=dag.dag_id,
        run_id=dag.timetable.run_id(RunType.MANUAL, now, when),
        task_id=task_id,
        map_index=map_index,
        try_number=1,
        max_tries=task.retries + 1,
        file_path=dag.fileloc,
        version_id=0,
        source_digest="",
        run_type=RunType.MANUAL.value,
        run_after=now,
        logical_date=when,
        data_interval_start=interval.start if interval else None,
        data_interval_end=interval.end if interval else None,
        run_started_at=now,
        conf=dict(conf),
        queue=task.queue,
        executor="in process",
        pool=task.pool,
        execution_timeout_seconds=None if timeout is None else timeout.total_seconds(),
    )
    return order if run is None else _within(run, order)


def _within(run: RunRecord, order: AttemptOrder) -> AttemptOrder:
    """Return the order as it would be in a run that exists."""
    return msgspec.structs.replace(
        order,
        run_pk=run.pk,
        run_id=run.run_id,
        version_id=run.version_id,
        run_type=run.run_type.value,
        run_after=run.run_after,
        logical_date=run.logical_date,
        data_interval_start=run.data_interval_start,
        data_interval_end=run.data_interval_end,
        conf={**run.conf, **order.conf},
        triggering_user=run.triggering_user,
    )


def resolve_run(source: Stored, dag_id: str, name: str | None) -> tuple[RunRecord | None, datetime | None]:
    """Return the stored run that ``name`` names, else the date that it is.

    Raises:
        NotFound: it is neither a stored run nor a date.
    """
    if name is None:
        return None, None
    date = parse_instant(name)
    run = source.find_run(dag_id, name, date)
    if run is None and date is None:
        raise NotFound(f"Run of DAG {dag_id!r}", name, (), "Give a date, or the id of a run.")
    return run, date


class TrialChannel(MemoryChannel):
    """Reads variables, connections and XComs where they are stored; keeps what is written to itself."""

    def __init__(self, order: AttemptOrder, source: Stored, policy: XComPolicy) -> None:
        super().__init__(order, RunMemory(), policy)
        self._trial_order, self._source = order, source

    def get_xcom(
        self,
        *,
        dag_id: str | None,
        run_id: str | None,
        task_ids: Sequence[str],
        key: str,
        map_index: int | None,
        include_prior_dates: bool,
    ) -> Sequence[FoundXCom]:
        """Return what this trial pushed, else what is stored."""
        asked: dict[str, Any] = {
            "dag_id": dag_id,
            "run_id": run_id,
            "task_ids": task_ids,
            "key": key,
            "map_index": map_index,
            "include_prior_dates": include_prior_dates,
        }
        own = super().get_xcom(**asked)
        if own or self._source.plane is None:
            return own
        return self._source.plane.get_xcom(self._trial_order, **asked)

    def get_variable(self, key: str) -> str | None:
        """Return a variable's text, or None."""
        own = super().get_variable(key)
        if own is not None or self._source.plane is None:
            return own
        return self._source.plane.get_variable(self._trial_order, key)

    def get_connection(self, conn_id: str) -> ConnectionData | None:
        """Return a connection, or None."""
        return None if self._source.plane is None else self._source.plane.get_connection(self._trial_order, conn_id)

    def get_previous_success(self) -> PreviousRun | None:
        """Return the latest successful run before this one, or None."""
        return None if self._source.plane is None else self._source.plane.get_previous_success(self._trial_order)


def require_unmapped(dag: DAG, task_id: str, map_index: int) -> None:
    """Refuse a map index: tasks are not mapped yet.

    Raises:
        UsageError: one was given.
    """
    if map_index != NO_MAP:
        raise UsageError(f"Task {task_id!r} of DAG {dag.dag_id!r} is not mapped. Leave out --map-index.")
