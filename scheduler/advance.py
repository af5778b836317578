"""Fold, plan, commit: how do runs move on? One step takes what is new for many runs and writes what follows.

Whoever holds the claim of a run may take the step: a scheduler, or a command on a machine where none runs. What is held
in memory is a cache: the guard of the commit decides, and a run whose guard failed is read again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from scheduler.admission import Candidate, ReadyQueue
from scheduler.held import HeldRun, Lanes
from scheduler.planner import Plan, Policy, RunPlanner
from scheduler.usage import read_usage
from scheduler.versions import VersionCache
from tradewind.metadata import inbox, runs
from tradewind.metadata.commit import NewAttempt, RunChange, commit_runs
from tradewind.metadata.database import ring
from tradewind.metadata.inbox import InboxRow
from tradewind.metadata.runs import RunRecord
from tradewind.metadata.timers import TimerRow
from tradewind.model.orders import AttemptOrder, AttemptStarted, Fact
from tradewind.model.states import FINAL_RUN_STATES, RunState, TaskState

log = logging.getLogger(__name__)

SLOTS: Final = "slots"


@dataclass(slots=True)
class News:
    """What is new for one run."""

    facts: list[Fact] = field(default_factory=list)
    rows: list[InboxRow] = field(default_factory=list)
    timers: list[TimerRow] = field(default_factory=list)
    is_start: bool = False


@dataclass(slots=True)
class Step:
    """What one step did, to be carried out after its commit.

    Attributes:
        next_timer: the earliest timer that was set, if any.
        ended: DAG runs that ended: places under ``max_active_runs`` are free.
        refused: runs whose guard did not hold; they were let go and are read again when something is said to them.
    """

    orders: list[AttemptOrder] = field(default_factory=list)
    cancel: list[UUID] = field(default_factory=list)
    next_timer: datetime | None = None
    ended: int = 0
    refused: int = 0
    events: int = 0


class Advancer:
    """Advances the runs that ``holder`` has claimed. Used by one thread.

    Attributes:
        has_peers: whether other schedulers are alive; they are told when slots become free.
    """

    def __init__(self, holder: UUID, *, policy: Policy, parallelism: int, lanes: Lanes, versions: VersionCache) -> None:
        self._holder: Final = holder
        self._policy: Final = policy
        self._parallelism: Final = parallelism
        self._lanes: Final = lanes
        self._versions: Final = versions
        self._held: dict[int, HeldRun] = {}
        self._ready: Final = ReadyQueue()
        self.has_peers = False

    @property
    def ready_count(self) -> int:
        """How many tasks wait for admission."""
        return len(self._ready)

    def forget(self) -> None:
        """Throw the cache away, after an error that leaves open what was committed."""
        for run_pk in list(self._held):
            self._evict(run_pk)

    def adopt(self, tx: Connection, pks: Sequence[int]) -> None:
        """Read runs that this holder has claimed, and queue their ready tasks."""
        for record in runs.get_runs(tx, pks):
            self._evict(record.pk)
            self._hold(tx, record)

    def step(
        self,
        tx: Connection,
        now: datetime,
        *,
        facts: Sequence[Fact] = (),
        rows: Sequence[InboxRow] = (),
        timers: Sequence[TimerRow] = (),
        starts: Sequence[int] = (),
    ) -> Step:
        """Fold what is new, decide what follows, admit what fits, and write it all in ``tx``.

        Args:
            facts: from supervisors of this process tree; not stored yet.
            rows: of the inbox; removed with the commit.
            timers: due timers of runs; removed with the commit.
            starts: runs just claimed from the queue, which begin now.
        """
        news = _gather(facts, rows, timers, starts)
        self._load(tx, news, now)
        planners = {pk: self._plan(tx, pk, new, now) for pk, new in news.items() if pk in self._held}
        attempts = self._admit(tx, now, planners)
        changes = [
            _change(planner.plan, attempts[run_pk], is_new=run_pk in starts)
            for run_pk, planner in planners.items()
            if not planner.plan.is_empty
        ]
        written = commit_runs(tx, changes, now)
        if self.has_peers and any(change.ended for change in written):
            ring(tx, SLOTS)  # tasks that others hold may wait for the slots that are free now
        return self._settle(tx, now, changes, written, planners)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _load(self, tx: Connection, news: dict[int, News], now: datetime) -> None:
        missing = [pk for pk in news if pk not in self._held]
        if not missing:
            return
        foreign: list[Fact] = []
        for record in runs.get_runs(tx, missing):
            if record.claimed_by == self._holder or record.state in FINAL_RUN_STATES:
                self._hold(tx, record)
            else:
                foreign.extend(news[record.pk].facts)  # somebody else advances this run: tell them
        inbox.send(tx, [inbox.fact_message(fact) for fact in foreign], now)

    def _hold(self, tx: Connection, record: RunRecord) -> None:
        version = self._versions.get(tx, record.version_id)
        held = self._held[record.pk] = HeldRun(record, version, runs.load_view(tx, record, version.graph))
        for task in held.view.tasks.values():
            if task.state is TaskState.SCHEDULED and record.state is RunState.RUNNING:
                self._ready.add(held.candidate(task, self._lanes))

    def _evict(self, run_pk: int) -> None:
        held = self._held.pop(run_pk, None)
        if held is not None:
            self._ready.discard_run(held.record.dag_id, run_pk)

    # --- deciding ----------------------------------------------------------------------------------------------------

    def _plan(self, tx: Connection, run_pk: int, new: News, now: datetime) -> RunPlanner:
        held = self._held[run_pk]
        planner = self._planner(held, now)
        try:
            _feed(planner, held, new)
            planner.finish()
        except Exception as error:
            # A defect that one run meets must not stop the others: that run fails, and says why.
            log.exception("run %r of DAG %r cannot go on", held.record.run_id, held.record.dag_id)
            self._evict(run_pk)
            self.adopt(tx, [run_pk])
            planner = self._planner(self._held[run_pk], now)
            planner.plan.inbox_ids.extend(row.id for row in new.rows)
            planner.plan.timers_cleared.extend(timer.key for timer in new.timers)
            planner.abort(f"an error inside the scheduler: {type(error).__name__}: {error}")
        for key in planner.plan.ready:
            self._ready.add(self._held[run_pk].candidate(self._held[run_pk].view.tasks[key], self._lanes))
        return planner

    def _planner(self, held: HeldRun, now: datetime) -> RunPlanner:
        return RunPlanner(held.view, held.version.spec, now, self._policy)

    def _admit(self, tx: Connection, now: datetime, planners: dict[int, RunPlanner]) -> dict[int, list[NewAttempt]]:
        attempts: dict[int, list[NewAttempt]] = defaultdict(list)
        if not len(self._ready):
            return attempts
        ended = {fact.attempt_id for planner in planners.values() for fact in planner.plan.ended}
        usage = read_usage(tx, self._parallelism, self._lanes.limits(), without=ended, lock=True)
        for candidate in self._ready.admit(usage, self._is_ready):
            held = self._held[candidate.run_pk]
            planner = planners.get(candidate.run_pk)
            if planner is None:
                planner = planners[candidate.run_pk] = self._planner(held, now)
            try_number = planner.queue(candidate.key)
            attempts[candidate.run_pk].append(held.attempt(candidate, try_number, self._lanes))
        return attempts

    def _is_ready(self, candidate: Candidate) -> bool:
        held = self._held.get(candidate.run_pk)
        task = held.view.tasks.get(candidate.key) if held is not None else None
        return task is not None and task.state is TaskState.SCHEDULED

    # --- after the write ---------------------------------------------------------------------------------------------

    def _settle(
        self,
        tx: Connection,
        now: datetime,
        changes: Sequence[RunChange],
        written: Sequence[RunChange],
        planners: dict[int, RunPlanner],
    ) -> Step:
        step = Step(refused=len(changes) - len(written))
        good = {change.run.pk for change in written}
        for change in changes:
            if change.run.pk not in good:
                log.info("run %s moved on elsewhere; what was decided here is thrown away", change.run.run_id)
                facts: list[Fact] = [*change.started, *change.ended]
                inbox.send(tx, [inbox.fact_message(fact) for fact in facts], now)
                self._evict(change.run.pk)
        for change in written:
            held = self._held[change.run.pk]
            step.events += len(change.events)
            step.orders.extend(held.order(attempt) for attempt in change.attempts)
            step.cancel.extend(change.cancelled)
            due = [timer.due_at for timer in change.timers_set]
            step.next_timer = min([*due, step.next_timer] if step.next_timer else due, default=None)
            if held.view.state in FINAL_RUN_STATES:
                step.ended += bool(change.events)
                self._evict(change.run.pk)
        for run_pk, planner in planners.items():
            if planner.plan.is_empty and run_pk in self._held and self._held[run_pk].view.state in FINAL_RUN_STATES:
                self._evict(run_pk)
        return step


def _gather(
    facts: Sequence[Fact], rows: Sequence[InboxRow], timers: Sequence[TimerRow], starts: Sequence[int]
) -> dict[int, News]:
    news: dict[int, News] = defaultdict(News)
    for run_pk in starts:
        news[run_pk].is_start = True
    for row in rows:
        news[row.run_pk].rows.append(row)
    for fact in facts:
        news[fact.run_pk].facts.append(fact)
    for timer in timers:
        if timer.run_pk is not None:
            news[timer.run_pk].timers.append(timer)
    return dict(news)


def _feed(planner: RunPlanner, held: HeldRun, new: News) -> None:
    if new.is_start:
        planner.start(held.record.logical_date)
    planner.plan.inbox_ids.extend(row.id for row in new.rows)
    for fact in [*inbox.read_facts(new.rows), *new.facts]:
        if isinstance(fact, AttemptStarted):
            planner.attempt_started(fact)
        else:
            planner.attempt_ended(fact)
    for timer in new.timers:
        planner.plan.timers_cleared.append(timer.key)
        if timer.kind == "retry" and timer.task_id is not None:
            planner.retry_due((timer.task_id, timer.map_index))
        elif timer.kind == "run_timeout":
            planner.run_timeout_due()


def _change(plan: Plan, attempts: list[NewAttempt], *, is_new: bool) -> RunChange:
    pk = plan.run.pk
    return RunChange(
        run=plan.run,
        seen_seq=plan.seen_seq,
        events=plan.events,
        tasks=plan.run.take_changes(),
        is_new=is_new,
        attempts=attempts,
        started=plan.started,
        ended=plan.ended,
        cancelled=plan.cancel,
        timers_set=[
            TimerRow(timer.key, timer.kind, timer.due_at, pk, None, timer.task_id, timer.map_index)
            for timer in plan.timers_set
        ],
        timers_cleared=plan.timers_cleared,
        xcoms=plan.xcoms,
        xcoms_cleared=plan.xcoms_cleared,
        inbox_ids=plan.inbox_ids,
    )
