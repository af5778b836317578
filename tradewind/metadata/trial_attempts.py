"""How does an attempt come about without a scheduler? As the conformance suite of executors needs it, and only there.

What a scheduler would write is written: a DAG with its file, a run that runs, a task instance, an attempt that waits
or that is claimed already; and what an executor leaves for the run is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert, select, update

from tradewind.metadata.commit import cancel_attempts
from tradewind.metadata.dag_files import save_file
from tradewind.metadata.dags import get_dag
from tradewind.metadata.database import Database
from tradewind.metadata.inbox import InboxRow, read_facts
from tradewind.metadata.migrate import migrate
from tradewind.metadata.models import Attempt, DagRun, RunInbox, TaskInstance
from tradewind.metadata.new_runs import NewRun, insert_run
from tradewind.model.orders import Fact, attempt_id
from tradewind.model.parsed import ParsedFile
from tradewind.model.spec import DagSpec, TaskSpec, TimetableSpec
from tradewind.model.states import AttemptState, RunState, RunType, TaskState


def prepare(database: Database) -> None:
    """Bring an empty metadata DB to the newest schema; one that is migrated stays as it is."""
    migrate(database)


def save_trial_dag(
    database: Database, dag_id: str, path: str, source: bytes, task_ids: Sequence[str], queue: str
) -> None:
    """Store a DAG of tasks that do not depend on each other, with the text of its file."""
    tasks = tuple(TaskSpec(task_id=task_id, queue=queue) for task_id in sorted(task_ids))
    spec = DagSpec(dag_id=dag_id, timetable=TimetableSpec("NullTimetable"), tasks=tasks)
    with database.write() as tx:
        save_file(tx, ParsedFile(path, source, (spec,)), database.now(), paused_at_creation=False)


def put_up_attempt(
    database: Database,
    dag_id: str,
    run_id: str,
    task_id: str,
    *,
    executor: str,
    queue: str,
    map_index: int = -1,
    supervisor_id: UUID | None = None,
) -> UUID:
    """Store a run of a DAG with one attempt of one of its tasks, and return the attempt's id.

    Args:
        supervisor_id: the lease by which it is claimed from its birth; None: whoever runs it claims it.
    """
    with database.write() as tx:
        now = database.now()
        version_id = get_dag(tx, dag_id).version_id
        assert version_id is not None
        new = NewRun(dag_id, run_id, version_id, RunType.MANUAL, "test", run_after=now, logical_date=None)
        pk = insert_run(tx, new, now)
        tx.execute(update(DagRun).where(DagRun.id == pk).values(state=RunState.RUNNING, started_at=now))
        one = attempt_id(pk, task_id, map_index, 1)
        is_claimed = supervisor_id is not None
        tx.execute(
            insert(TaskInstance).values(
                run_pk=pk, task_id=task_id, map_index=map_index, dag_id=dag_id, state=TaskState.QUEUED, try_number=1,
                max_tries=0, failures=0, losses=0, attempt_id=one, scheduled_at=now, queued_at=now,
            )
        )  # fmt: skip
        tx.execute(
            insert(Attempt).values(
                id=one, run_pk=pk, task_id=task_id, map_index=map_index, try_number=1, executor=executor, queue=queue,
                state=AttemptState.RUNNING if is_claimed else AttemptState.QUEUED, fence=1 if is_claimed else 0,
                pool="default_pool", pool_slots=1, supervisor_id=supervisor_id, queued_at=now,
            )
        )  # fmt: skip
    return one


def cancel_trial(database: Database, ids: Sequence[UUID]) -> None:
    """Write down that attempts are not wanted any more, as a scheduler does before it says so to its executors."""
    with database.write() as tx:
        cancel_attempts(tx, ids, database.now())


def told_of(database: Database, run_pk: int) -> list[Fact]:
    """Return the facts that were put into the inbox of a run, in their order."""
    query = select(RunInbox.id, RunInbox.run_pk, RunInbox.kind, RunInbox.payload).where(RunInbox.run_pk == run_pk)
    with database.read() as tx:
        return read_facts([InboxRow(*row) for row in tx.execute(query.order_by(RunInbox.id))])
