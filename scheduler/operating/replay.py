"""How is a run that has ended done once more, as a run of its own, with the same input?

The new run has the original's conf, data interval, partition and logical date, as its tasks see it. From a task on, it
does again what that task and those below it do; the others are taken over as they were: state, length, indexes, XComs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from scheduler.operating.interventions import change_version
from scheduler.operating.requests import Person
from scheduler.operating.selection import select
from scheduler.plan import Policy
from scheduler.planner import RunPlanner
from scheduler.versions import Version, VersionCache
from tradewind.errors import Conflict, NotFound
from tradewind.metadata import audit, dags, inbox, run_choice, runs
from tradewind.metadata.database import Database, ring
from tradewind.metadata.run_choice import RunChoice
from tradewind.metadata.runs import NewRun, RunRecord
from tradewind.metadata.triggering import checked_run_id, validate_conf
from tradewind.model.commands import Selection, Taken, TakeOver
from tradewind.model.events import NO_MAP
from tradewind.model.states import FINAL_RUN_STATES, RunType, TaskState
from tradewind.run.task_choice import TaskChoice, to_selection, unknown_names
from tradewind.run.view import RunView, TaskKey

_KEPT: Final = (TaskState.SUCCESS, TaskState.SKIPPED)
_GONE: Final = TaskState.REMOVED
_MAX_RUN_ID: Final = 250
_NUMBERED: Final = re.compile(r"__replay\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Do a run that has ended once more.

    Attributes:
        from_tasks: names as in ``TaskChoice.names``: only these and what stands below them is done again; empty: all.
        on_latest: with the newest version of the DAG, rather than the one of the run.
        run_id: of the new run; None: made from that of the original.
    """

    dag_id: str
    run_id_of: str
    from_tasks: Sequence[str] = ()
    on_latest: bool = False
    run_id: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What a replay would do.

    Attributes:
        run_id: of the new run.
        again: the tasks (or indexes) that would be done again; those that are still to be expanded are not divided.
        taken: how many instances would be taken over.
    """

    original: RunRecord
    run_id: str
    version_id: int
    again: Sequence[TaskKey]
    taken: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """The new run."""

    pk: int
    plan: ReplayPlan


def preview_replay(db: Database, replay: Replay) -> ReplayPlan:
    """Return what a replay would do; nothing is written.

    Raises:
        NotFound: no such DAG, run or task.
        Conflict: the run has not ended, or there is one with the id that the new one should have.
        UsageError: its conf does not fit the params of the newest version, or the id given cannot be one.
    """
    with db.read() as tx:
        return _plan(tx, replay, db.now())[0]


def replay_run(db: Database, replay: Replay, person: Person) -> Replayed:
    """Create the run that replays another, and ring for the scheduler. A paused DAG runs exactly this run.

    Raises:
        NotFound, Conflict, UsageError: as :func:`preview_replay`; nothing was written then.
    """
    with db.write() as tx:
        now = db.now()
        plan, taken = _plan(tx, replay, now)
        original = plan.original
        new = NewRun(
            dag_id=original.dag_id,
            run_id=plan.run_id,
            version_id=plan.version_id,
            bundle=None if replay.on_latest else original.bundle,
            run_type=RunType.MANUAL,
            triggered_by=person.via,
            run_after=now,
            data_interval_start=original.data_interval_start,
            data_interval_end=original.data_interval_end,
            conf=original.conf,
            note=replay.note,
            triggering_user=person.name,
            partition_key=original.partition_key,
            partition_date=original.partition_date,
            replay_of=original.pk,
            input_date=original.task_date,
            task_subset=original.task_subset,
            keys=None if replay.on_latest else original.keys,  # None: as the version has them
        )
        pk = runs.insert_run(tx, new, now)
        run_choice.copy_asset_events(tx, original.pk, pk)
        if taken is not None:
            keys = [(one.task_id, one.map_index) for one in taken.instances]
            run_choice.copy_xcoms(tx, original.pk, pk, keys, now)
            inbox.send(tx, [inbox.take_over_message(pk, taken)], now)
        detail: dict[str, Any] = {"replay_of": original.run_id, "taken": plan.taken}
        if replay.from_tasks:
            detail["from"] = list(replay.from_tasks)
        audit.note(
            tx, now, actor=person.name, via=person.via, action="run.replay", dag_id=original.dag_id,
            run_id=plan.run_id, detail=detail,
        )  # fmt: skip
        ring(tx, "run")
    return Replayed(pk, plan)


def _plan(tx: Connection, replay: Replay, now: datetime) -> tuple[ReplayPlan, TakeOver | None]:
    run_choice.resolve(tx, RunChoice(dag_ids=[replay.dag_id], run_ids=[replay.run_id_of]))
    original = runs.find_run(tx, replay.dag_id, replay.run_id_of)
    assert original is not None
    if original.state not in FINAL_RUN_STATES:
        raise Conflict(
            f"Run {original.run_id!r} of DAG {original.dag_id!r} is {original.state.value}, and only a run that has "
            "ended can be replayed. Wait until it has, or clear what is to be done again."
        )
    view, version = _as_it_was(tx, original, replay.on_latest, now)
    again = _again(view, version, replay, original)
    taken = [
        Taken(task.task_id, task.map_index, task.state, task.length, task.map_label, _strings(task.decided_against))
        for key, task in view.tasks.items()
        if replay.from_tasks and key not in again and task.state in _KEPT
    ]
    run_id = _free_run_id(tx, original) if replay.run_id is None else checked_run_id(replay.run_id)
    if runs.find_run(tx, original.dag_id, run_id) is not None:
        raise Conflict(f"DAG {original.dag_id!r} already has a run {run_id!r}. Give another --run-id, or none.")
    plan = ReplayPlan(original, run_id, version.id, [key for key in view.tasks if key in again], len(taken))
    return plan, TakeOver(original.run_id, tuple(taken), _indexes(view, taken)) if taken else None


def _as_it_was(tx: Connection, original: RunRecord, on_latest: bool, now: datetime) -> tuple[RunView, Version]:
    """Return the original in memory, as it would go on with the version that is wanted."""
    versions = VersionCache()
    version = versions.get(tx, original.version_id, original.task_subset)
    planner = RunPlanner(runs.load_view(tx, original, version.graph), version.spec, now, Policy())
    if on_latest:
        version = versions.get(tx, dags.load_newest_spec(tx, original.dag_id)[0], original.task_subset)
        validate_conf(version.spec, original.conf)
        change_version(planner, version, original.task_date)
    return planner.run, version


def _again(view: RunView, version: Version, replay: Replay, original: RunRecord) -> set[TaskKey]:
    """Return what is done again: the tasks named and all below them, and what had no good end and all below that."""
    if not replay.from_tasks:
        return {key for key, task in view.tasks.items() if task.state is not _GONE}
    choice = TaskChoice(names=replay.from_tasks, downstream=True)
    unknown = unknown_names([version.spec], choice)
    if unknown:
        known = [*(task.task_id for task in version.spec.tasks), *(group.group_id for group in version.spec.groups)]
        raise NotFound("Task or group", unknown[0], known, within=f"of run {original.run_id!r}")
    bad = tuple(state for state in TaskState if state not in (*_KEPT, _GONE))
    named = select(view, to_selection(version.spec, choice))
    return {*named, *select(view, Selection(downstream=True, starting_from=bad))}


def _free_run_id(tx: Connection, original: RunRecord) -> str:
    stem = _NUMBERED.sub("", original.run_id) if original.replay_of is not None else original.run_id
    number = 1
    while True:
        ending = f"__replay{number}"
        run_id = stem[: _MAX_RUN_ID - len(ending)] + ending
        if runs.find_run(tx, original.dag_id, run_id) is None:
            return run_id
        number += 1


def _strings(texts: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(texts or ())


def _indexes(view: RunView, taken: Sequence[Taken]) -> dict[str, int]:
    """Return how many map indexes the tasks have of which some are taken over."""
    expanded = dict.fromkeys(one.task_id for one in taken if one.map_index != NO_MAP)
    return {
        task_id: sum(1 for i, task in view.by_task[task_id].items() if i != NO_MAP and task.state is not _GONE)
        for task_id in expanded
    }
