"""What does a timetable say that is the user's own code? Asked here, in the process that has read its file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from scheduler.dagfiles.protocol import RunAnswer, RunsAnswer, RunsQuestion
from tradewind.errors import DagError, UsageError
from tradewind.model.states import RunType
from tradewind.sdk.dag import DAG
from tradewind.sdk.serialize import to_spec
from tradewind.timetables import DataInterval, next_planned, restriction_of
from tradewind.timetables.between import runs_between


def answer_about_runs(dags: Sequence[DAG], question: RunsQuestion, redact: Callable[[str], str]) -> RunsAnswer:
    """Return what the timetable of a DAG says, or why it says nothing."""
    dag = next((dag for dag in dags if dag.dag_id == question.dag_id), None)
    if dag is None:
        return RunsAnswer(error="its file no longer defines it")
    try:
        if question.first is not None and question.last is not None:
            return _between(dag, question, question.first, question.last)
        return _by_hand(dag, question) if question.manual_at is not None else _coming(dag, question)
    except (DagError, UsageError, ValueError, TypeError) as error:
        return RunsAnswer(error=redact(str(error)))


def _coming(dag: DAG, question: RunsQuestion) -> RunsAnswer:
    spec, timetable = to_spec(dag), dag.timetable
    restriction, now = restriction_of(spec), question.now
    last = DataInterval(question.last_start, question.last_end) if question.last_start and question.last_end else None
    last_run_after = question.last_run_after
    count = question.count if timetable.active_runs_limit is None else 1  # else it depends on how long runs take
    found: list[RunAnswer] = []
    while len(found) < count:  # the time that reading a file may take bounds it
        run = next_planned(spec, timetable, restriction, last, last_run_after, now)
        if run is None:
            return RunsAnswer(tuple(found), is_last=True)
        if last is not None and run.logical_date <= last.start:
            raise DagError(
                f"after the run of {last.start.isoformat()} it gives one of {run.logical_date.isoformat()}; the start "
                "of the data interval must grow from run to run"
            )
        last, last_run_after, now = run.interval, run.run_after, max(now, run.run_after)
        run_id = timetable.run_id(RunType.SCHEDULED, run.run_after, run.logical_date, interval=run.interval)
        if not restriction.catchup and run.run_after <= question.now:
            found.clear()  # of those that were missed the newest is made
        found.append(RunAnswer(run.run_after, *run.interval, run_id))
    return RunsAnswer(tuple(found))


def _by_hand(dag: DAG, question: RunsQuestion) -> RunsAnswer:
    assert question.manual_at is not None
    timetable = dag.timetable
    interval = timetable.manual_interval(question.manual_at)
    run_id = timetable.run_id(RunType.MANUAL, question.now, question.manual_at, interval=interval)
    return RunsAnswer((RunAnswer(question.now, *interval, run_id),))


def _between(dag: DAG, question: RunsQuestion, first: datetime, last: datetime) -> RunsAnswer:
    found = runs_between(to_spec(dag), dag.timetable, first, last, question.now)
    return RunsAnswer(tuple(RunAnswer(past.run.run_after, *past.run.interval, past.run_id) for past in found))
