"""DAGs whose runs people have worked on: held, restarting, replayed, part of a backfill. What the pages show of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from tests.webui.seed import Seed
from tradewind.metadata.models import Backfill, BackfillSlot, DagRun, TaskInstance
from tradewind.model.backfills import SlotState
from tradewind.model.spec import TaskSpec
from tradewind.model.states import RunState, RunType

TASKS = (
    TaskSpec("fetch", "BashOperator"),
    TaskSpec("check", "PythonOperator", ("fetch",)),
    TaskSpec("load", "SQLExecuteQueryOperator", ("check",)),
    TaskSpec("index", "PythonOperator", ("load",)),
    TaskSpec("mail", "EmailOperator", ("index",)),
)
HELD_BY = "held by admin: the disk of the warehouse is full"
OPERATED = "tariffs"


def hold(seed: Seed, dag_id: str, run_id: str, task_id: str | None = None, why: str = HELD_BY) -> None:
    """Write that somebody holds a run, or one of its tasks."""
    pk = seed.pks[dag_id, run_id]
    with seed.db.write() as tx:
        if task_id is None:
            tx.execute(update(DagRun).where(DagRun.id == pk).values(held=why))
        else:
            where = (TaskInstance.run_pk == pk, TaskInstance.task_id == task_id)
            tx.execute(update(TaskInstance).where(*where).values(held=why))


def backfill(seed: Seed, dag_id: str, version_id: int, *, dates: int = 30, open_: bool = True) -> int:
    """Write a backfill that has come some way, and return its id."""
    first = datetime(2013, 1, 1, tzinfo=UTC)
    values = {
        "dag_ids": [dag_id], "from_date": first, "to_date": first + timedelta(days=dates - 1), "conf": {"full": True},
        "reprocess_behavior": "failed", "makes_missing": True, "max_active_runs": 4, "run_backwards": False,
        "run_on_latest_version": True, "plan": {"waits_for": {}, "tasks": {}, "task_patterns": []}, "is_paused": False,
        "created_at": seed.now - timedelta(minutes=40), "created_by": "admin", "updated_at": seed.now,
        "completed_at": None if open_ else seed.now, "outcome": None if open_ else "success",
    }  # fmt: skip
    with seed.db.write() as tx:
        backfill_id = int(tx.execute(insert(Backfill).values(**values).returning(Backfill.id)).scalar_one())
    done = dates if not open_ else dates // 2
    for number in range(dates):
        due = first + timedelta(days=number)
        run_id, pk, state, reason = f"backfill__{due.isoformat()}", None, SlotState.WAITING, None
        if number % 9 == 4:
            state, reason = SlotState.SKIPPED, f"run scheduled__{due.isoformat()} is there, and did not fail"
        elif number < done + 3:
            run_state = _state_of(number, done)
            tasks = dict.fromkeys(("fetch", "check", "load", "index", "mail"), "success")
            if run_state is RunState.FAILED:
                tasks |= {"load": "failed", "index": "upstream_failed", "mail": "upstream_failed"}
            if run_state is RunState.RUNNING:
                tasks |= {"load": "running", "index": "none", "mail": "none"}
            seed.run(
                dag_id, version_id, {} if run_state is RunState.QUEUED else tasks, run_id=run_id, state=run_state,
                due=due, run_type=RunType.BACKFILL, length=50 + number, user="admin",
            )  # fmt: skip
            pk, state = seed.pks[dag_id, run_id], SlotState.MADE
        with seed.db.write() as tx:
            if pk is not None:
                tx.execute(update(DagRun).where(DagRun.id == pk).values(backfill_id=backfill_id))
            tx.execute(
                insert(BackfillSlot).values(
                    backfill_id=backfill_id, ordinal=number + 1, dag_id=dag_id, logical_date=due,
                    data_interval_start=due, data_interval_end=due, run_after=due, run_id=run_id, run_pk=pk,
                    state=state.value, reason=reason,
                )
            )  # fmt: skip
    return backfill_id


def _state_of(number: int, done: int) -> RunState:
    if number < done:
        return RunState.FAILED if number % 7 == 3 else RunState.SUCCESS
    return RunState.QUEUED if number == done + 2 else RunState.RUNNING


def operated(seed: Seed) -> int:
    """Write a DAG whose newest runs show all that people can do, and a backfill of it; return the backfill's id."""
    version = seed.dag(OPERATED, TASKS, description="Tariffs of all carriers, by night", tags=("finance",))
    done = dict.fromkeys((task.task_id for task in TASKS), "success")
    for day in range(6, 2, -1):
        seed.run(OPERATED, version, done, due=seed.now - timedelta(days=day), length=40 + day)
    seed.run(OPERATED, version, {**done, "index": "removed"}, run_id="with removed", due=seed.now - timedelta(days=2))
    again = {"fetch": "success", "check": "success", "load": "restarting", "index": "none", "mail": "none"}
    seed.run(OPERATED, version, again, run_id="again", state=RunState.RUNNING, due=seed.now - timedelta(hours=8))
    waits = {"fetch": "success", "check": "success", "load": "none", "index": "none", "mail": "none"}
    for run_id, task_id in (("held load", "load"), ("held", None)):
        due = seed.now - timedelta(hours=2 if task_id else 1)
        seed.run(OPERATED, version, waits, run_id=run_id, state=RunState.RUNNING, due=due)
        hold(seed, OPERATED, run_id, task_id)
    return backfill(seed, OPERATED, version)
