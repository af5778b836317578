"""What is a task told that asks about runs? The answer of the metadata DB; triggering a run is a question, too."""

from __future__ import annotations

from typing import assert_never

from sqlalchemy import Connection

from tradewind.metadata import run_lookups, triggering
from tradewind.metadata.database import Database
from tradewind.metadata.triggering import WantedRun
from tradewind.model.orders import AttemptOrder
from tradewind.model.states import RunType
from tradewind.sdk.run_questions import (
    CountRuns,
    CountTasks,
    FindDag,
    FindPreviousRun,
    FindPreviousTask,
    FindRun,
    ListTasks,
    RunAnswer,
    RunQuestion,
    Triggered,
    TriggerRun,
)


def answer(database: Database, order: AttemptOrder, question: RunQuestion) -> RunAnswer:
    """Return the answer to one question of an attempt.

    Raises:
        NotFound: what is asked about does not exist.
        UsageError, Conflict: the run cannot be triggered; a run that is there already is an answer, no error.
    """
    if isinstance(question, TriggerRun):
        with database.write() as tx:
            return RunAnswer(triggered=_trigger(tx, database, order, question))
    with database.read() as tx:
        return _look(tx, question)


def _trigger(tx: Connection, database: Database, order: AttemptOrder, asked: TriggerRun) -> Triggered:
    wanted = WantedRun(
        asked.dag_id,
        asked.run_id,
        asked.logical_date,
        asked.run_after,
        asked.conf,
        asked.note,
        RunType.OPERATOR_TRIGGERED,
        triggered_by="operator",
        user=order.triggering_user,  # a chain of runs is that of the person who began it
    )
    now = database.now()
    twin = triggering.find_twin(tx, wanted)
    if twin is None:
        return Triggered(triggering.create_run(tx, wanted, now).run_id)
    if asked.replaces:
        triggering.run_again(tx, twin, now)
    return Triggered(twin.run_id, is_new=asked.replaces)


def _look(tx: Connection, question: RunQuestion) -> RunAnswer:
    match question:
        case FindRun():
            return RunAnswer(run=run_lookups.find_run(tx, question.dag_id, question.run_id))
        case FindPreviousRun():
            found = run_lookups.find_previous_run(tx, question.dag_id, question.logical_date, question.state)
            return RunAnswer(run=found)
        case FindPreviousTask():
            task = run_lookups.find_previous_task(
                tx, question.dag_id, question.task_id, question.logical_date, question.map_index, question.state
            )
            return RunAnswer(tasks=() if task is None else (task,))
        case FindDag():
            return RunAnswer(dag=run_lookups.find_dag(tx, question.dag_id))
        case CountRuns():
            return RunAnswer(count=run_lookups.count_runs(tx, question))
        case CountTasks():
            return RunAnswer(count=run_lookups.count_tasks(tx, question))
        case ListTasks():
            return RunAnswer(tasks=tuple(run_lookups.list_tasks(tx, question)))
        case TriggerRun():
            raise AssertionError("Triggering writes; it is answered elsewhere.")
        case _:
            assert_never(question)
