"""How is one task tried out? With an order made up for it, in a stored run or in one that is made up too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from scheduler.stored import Stored
from tradewind.errors import NotFound, UsageError
from tradewind.metadata.runs import RunRecord
from tradewind.model.events import NO_MAP
from tradewind.model.orders import AttemptOrder, attempt_id
from tradewind.model.states import RunType
from tradewind.sdk.mapping import mapped_groups
from tradewind.terminal.instants import parse_instant

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG


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
        run_id=dag.timetable.run_id(RunType.MANUAL, now, when, interval=interval),
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
        raise NotFound("Run", name, (), "Give a date, or the id of a run.", within=f"of DAG {dag_id!r}")
    return run, date


def require_map_index(dag: DAG, task_id: str, map_index: int) -> None:
    """Refuse to try out a mapped task as a whole, or an index of a task that has none.

    Raises:
        UsageError: a map index is missing, or was given for nothing.
    """
    task = dag.get_task(task_id)
    is_mapped = task.is_mapped or any(True for _ in mapped_groups(task.task_group))
    if map_index != NO_MAP and not is_mapped:
        raise UsageError(f"Task {task_id!r} of DAG {dag.dag_id!r} is not mapped. Leave out --map-index.")
    if map_index == NO_MAP and is_mapped:
        raise UsageError(
            f"Task {task_id!r} of DAG {dag.dag_id!r} is mapped, so one of its indexes must be chosen. "
            "Add --map-index 0, for instance."
        )
