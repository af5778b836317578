"""A small world for engine tests: DAG specs stored without files, and a scheduler whose executor plays a script.

The scripted executor stands at the executor contract: it reports what the test says. Everything behind the contract
(planner, admission, commit, metadata DB) is real; task processes have their own tests, the end-to-end tests use both.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update

from executors.base import Report
from scheduler.loop import Scheduler
from scheduler.plan import Policy
from tradewind.metadata import runs
from tradewind.metadata.database import Database, ring
from tradewind.metadata.models import Dag, DagSource, DagVersion, TaskInstance
from tradewind.metadata.pools import ensure_default_pool
from tradewind.metadata.runs import NewRun
from tradewind.model.keys import run_limits
from tradewind.model.orders import Aftermath, AttemptEnded, AttemptOrder, AttemptStarted, Outcome
from tradewind.model.spec import DagSpec, TaskSpec, TimetableSpec, encode_spec, version_hash
from tradewind.model.states import RunType, TaskState

T0 = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)


def task(task_id: str, *upstream: str, **fields: Any) -> TaskSpec:
    """A task behind its upstreams."""
    return TaskSpec(task_id=task_id, upstream=tuple(sorted(upstream)), **fields)


def dag(dag_id: str, *tasks: TaskSpec, **fields: Any) -> DagSpec:
    """A DAG without a schedule."""
    ordered = tuple(sorted(tasks, key=lambda t: t.task_id))
    return DagSpec(dag_id=dag_id, timetable=TimetableSpec("NullTimetable"), tasks=ordered, **fields)


def store(db: Database, spec: DagSpec) -> int:
    """Store a DAG with one version, and return the version's id."""
    source = f"# {spec.dag_id}"
    digest = hashlib.sha256(source.encode()).hexdigest()
    now = datetime.now(UTC)
    with db.write() as tx:
        ensure_default_pool(tx, 128)
        tx.execute(
            insert(Dag).values(
                dag_id=spec.dag_id, file_path="t.py", is_active=True, is_paused=False, version_id=None,
                max_active_runs=spec.max_active_runs, schedule_summary="", owners="", created_at=now, parsed_at=now,
                holds_after_failure=spec.holds_after_failure,
            )
        )  # fmt: skip
        tx.execute(insert(DagSource).values(digest=digest, source=source))
        version_id: int = tx.execute(
            insert(DagVersion)
            .values(
                dag_id=spec.dag_id, number=1, hash=version_hash(spec, source.encode()),
                spec=encode_spec(spec).decode(), source_digest=digest, file_path="t.py", created_at=now,
                concurrency=run_limits(spec),
            )
            .returning(DagVersion.id)
        ).scalar_one()  # fmt: skip
        tx.execute(update(Dag).where(Dag.dag_id == spec.dag_id).values(version_id=version_id))
    return version_id


def add_run(db: Database, version_id: int, dag_id: str, number: int = 1, **fields: Any) -> int:
    """Create a run of a stored DAG, and return its key."""
    new = NewRun(
        dag_id=dag_id,
        run_id=f"r{number}",
        version_id=version_id,
        run_type=RunType.MANUAL,
        triggered_by="test",
        run_after=T0 + timedelta(days=number),
        logical_date=T0 + timedelta(days=number),
    )
    with db.write() as tx:
        pk = runs.insert_run(tx, replace(new, **fields), datetime.now(UTC))
        ring(tx, "run")
    return pk


Behaviour = Callable[[AttemptOrder], Outcome | tuple[Outcome, Aftermath] | None]
"""What becomes of an attempt, and what follows; None: it goes on running."""


@dataclass
class ScriptedExecutor:
    """Ends each attempt as ``behave`` says, from a thread of its own, as a real executor does."""

    supervisor_id: UUID | None
    behave: Behaviour = lambda _order: Outcome.SUCCESS
    name: str = "LocalExecutor"
    slots: int | None = None
    orders: list[AttemptOrder] = field(default_factory=list)
    cancelled: list[UUID] = field(default_factory=list)
    _report: Report | None = None

    def start(self, report: Report) -> None:
        self._report = report

    def capacity(self) -> int | None:
        return self.slots

    def submit(self, orders: Sequence[AttemptOrder]) -> None:
        self.orders.extend(orders)
        threading.Thread(target=self._play, args=(list(orders),), daemon=True).start()

    def _play(self, orders: list[AttemptOrder]) -> None:
        for order in orders:
            end = self.behave(order)
            if isinstance(end, tuple):
                self.end(order, end[0], then=end[1])
            elif end is not None:
                self.end(order, end)

    def end(self, order: AttemptOrder, outcome: Outcome, **fields: Any) -> None:
        """Report the end of an attempt."""
        assert self._report is not None
        now = datetime.now(UTC)
        self._report([AttemptEnded(order.attempt_id, order.fence, order.run_pk, outcome, now, now, **fields)])

    def began(self, order: AttemptOrder) -> None:
        """Report that an attempt has a process."""
        assert self._report is not None
        now = datetime.now(UTC)
        self._report([AttemptStarted(order.attempt_id, order.fence, order.run_pk, now, "host", 1)])

    def cancel(self, attempt_ids: Sequence[UUID]) -> None:
        self.cancelled.extend(attempt_ids)

    def stop(self, grace_seconds: float) -> None:
        pass


@contextmanager
def running_scheduler(
    db: Database,
    behave: Behaviour = lambda _order: Outcome.SUCCESS,
    *,
    parallelism: int = 32,
    policy: Policy = Policy(),  # noqa: B008  frozen
    lease: timedelta = timedelta(seconds=30),
    poll_seconds: float = 0.5,
) -> Iterator[ScriptedExecutor]:
    """A scheduler in a thread; stopped on leaving, and its death is the test's failure."""
    process_id = uuid4()
    executor = ScriptedExecutor(process_id, behave)
    scheduler = Scheduler(
        db,
        {executor.name: executor},
        process_id=process_id,
        default_executor=executor.name,
        parallelism=parallelism,
        policy=policy,
        lease=lease,
        poll_seconds=poll_seconds,
    )
    failure: list[BaseException] = []

    def live() -> None:
        try:
            scheduler.run()
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=live, name="scheduler")
    thread.start()
    assert scheduler.wait_ready(10)
    try:
        yield executor
    finally:
        scheduler.stop()
        thread.join(timeout=20)
    if failure:
        raise failure[0]
    assert not thread.is_alive()


def states(db: Database, run_pk: int) -> dict[str, TaskState]:
    """The state of every task of a run."""
    with db.read() as tx:
        rows = tx.execute(select(TaskInstance.task_id, TaskInstance.state).where(TaskInstance.run_pk == run_pk))
        return {row.task_id: row.state for row in rows}


def index_states(db: Database, run_pk: int) -> dict[tuple[str, int], TaskState]:
    """The state of every instance of a run, index by index."""
    with db.read() as tx:
        return {task.key: task.state for task in runs.list_task_instances(tx, run_pk)}


def run_state(db: Database, run_pk: int) -> str:
    """The state of a run."""
    with db.read() as tx:
        return runs.get_runs(tx, [run_pk])[0].state.value


def is_over(db: Database, *pks: int) -> Callable[[], bool]:
    """A predicate: all these runs have ended."""

    def predicate() -> bool:
        with db.read() as tx:
            return all(run.ended_at is not None for run in runs.get_runs(tx, pks))

    return predicate
