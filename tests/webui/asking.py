"""A run with a task that asks a person, as it stands in the metadata DB while it waits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from tests.webui.seed import Seed
from tradewind.metadata.models import Attempt, AuditEntry, RunInbox, TaskInstance
from tradewind.metadata.waits import NewWait, put_waits
from tradewind.model.orders import Question, Wait, attempt_id
from tradewind.model.spec import TaskSpec
from tradewind.model.states import AttemptState, RunState, TaskState
from tradewind.xcom.event_text import read_event
from tradewind.xcom.serde import encode

FIELDS = {
    "reason": {"value": "", "description": "Why", "schema": {"type": "string", "maxLength": 20}},
    "rows": {"value": 5, "description": None, "schema": {"type": "integer", "minimum": 1}},
}


def ask(
    seed: Seed,
    dag_id: str = "d",
    *,
    options: tuple[str, ...] = ("Approve", "Reject"),
    timeout: timedelta | None = None,
    asked_at: datetime | None = None,
    **fields: Any,
) -> UUID:
    """Write a run ``r`` of a DAG whose task ``ask`` has asked, and return the id of the question."""
    version = seed.dag(dag_id, (TaskSpec("ask", "ApprovalOperator"),), schedule="")
    seed.run(dag_id, version, {"ask": "running"}, run_id="r", state=RunState.RUNNING)
    pk = seed.pks[dag_id, "r"]
    attempt = attempt_id(pk, "ask", -1, 1)
    question = Question("Load the day?", options, "Rows: **842**", **fields)
    seconds = None if timeout is None else timeout.total_seconds()
    with seed.db.write() as tx:
        tx.execute(update(TaskInstance).where(TaskInstance.run_pk == pk).values(state=TaskState.AWAITING_INPUT))
        tx.execute(update(Attempt).where(Attempt.id == attempt).values(state=AttemptState.ENDED, ended_at=seed.now))
        wait = Wait("execute_complete", timeout_seconds=seconds, question=question)
        put_waits(tx, [NewWait(attempt, pk, ("ask", -1), wait)], asked_at or seed.now)
    return attempt


def ask_again(seed: Seed, dag_id: str = "d") -> UUID:
    """Write a second try of the same task, which asks again."""
    pk = seed.pks[dag_id, "r"]
    attempt = attempt_id(pk, "ask", -1, 2)
    with seed.db.write() as tx:
        tx.execute(
            insert(Attempt).values(
                id=attempt, run_pk=pk, task_id="ask", map_index=-1, try_number=2, state=AttemptState.ENDED, fence=1,
                executor="LocalExecutor", queue="default", pool="default_pool", pool_slots=1, queued_at=seed.now,
            )
        )  # fmt: skip
        wait = Wait("execute_complete", question=Question("Load it now?", ("Yes",)))
        put_waits(tx, [NewWait(attempt, pk, ("ask", -1), wait)], seed.now + timedelta(seconds=1))
    return attempt


def defer(seed: Seed, trigger: str, **kwargs: Any) -> None:
    """Write a run ``r`` of a DAG whose task ``wait`` waits for a trigger."""
    version = seed.dag("d", (TaskSpec("wait", "FileSensor"),), schedule="")
    seed.run("d", version, {"wait": "running"}, run_id="r", state=RunState.RUNNING)
    pk = seed.pks["d", "r"]
    with seed.db.write() as tx:
        tx.execute(update(TaskInstance).where(TaskInstance.run_pk == pk).values(state=TaskState.DEFERRED))
        wait = Wait("back", trigger=trigger, trigger_kwargs=encode(kwargs))
        put_waits(tx, [NewWait(attempt_id(pk, "wait", -1, 1), pk, ("wait", -1), wait)], seed.now)


def told(seed: Seed) -> list[Any]:
    """What runs have been told of answers."""
    with seed.db.read() as tx:
        payloads = tx.execute(select(RunInbox.payload).where(RunInbox.kind == "wait_over")).scalars().all()
    return [read_event(payload["event"]).payload for payload in payloads]


def audited(seed: Seed) -> list[tuple[str, str, str | None]]:
    """Who answered, from where, which task."""
    with seed.db.read() as tx:
        rows = tx.execute(
            select(AuditEntry.actor, AuditEntry.via, AuditEntry.task_id).where(AuditEntry.action == "hitl.respond")
        )
        return [(row.actor, row.via, row.task_id) for row in rows]
