"""Fold, plan, commit: how do runs move on? One step takes what is new for many runs and writes what follows.

Whoever holds the claim of a run may take the step: a scheduler, or a command on a machine where none runs. What is held
in memory is a cache: the guard of the commit decides, and a run whose guard failed is read again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from scheduler import plan
from scheduler.admission import Candidate, ReadyQueue, Usage
from scheduler.held import HeldRun, Lanes
from scheduler.operating.interventions import change_version, intervene
from scheduler.overdraft import check_slots
from scheduler.plan import PAST, Plan, Policy, TimerSet, past_key
from scheduler.planner import RunPlanner
from scheduler.usage import read_usage
from scheduler.versions import Version, VersionCache
from tradewind.metadata import inbox, runs
from tradewind.metadata.backfill_window import run_timer
from tradewind.metadata.bundles import bundles_of
from tradewind.metadata.callbacks import NewCallback
from tradewind.metadata.commit import NewAttempt, RunChange, commit_runs
from tradewind.metadata.database import ring
from tradewind.metadata.deadlines import set_deadlines
from tradewind.metadata.failures import failure_timers
from tradewind.metadata.inbox import InboxRow
from tradewind.metadata.past import next_run
from tradewind.metadata.rates import write_rates
from tradewind.metadata.runs import RunRecord
from tradewind.metadata.timers import TimerRow, set_timers
from tradewind.metadata.waits import NewWait
from tradewind.model.commands import ClearTasks, Command, TakeOver
from tradewind.model.orders import AttemptOrder, AttemptStarted, Fact
from tradewind.model.states import FINAL_RUN_STATES, RunEvent, RunState, RunType, TaskState
from tradewind.run.view import RunView

log = logging.getLogger(__name__)

SLOTS: Final = "slots"


@dataclass(slots=True)
class News:
    """What is new for one run."""

    facts: list[Fact] = field(default_factory=list)
    rows: list[InboxRow] = field(default_factory=list)
    timers: list[TimerRow] = field(default_factory=list)
    is_start: bool = False
    take_over: tuple[int, TakeOver] | None = None  # behind the id of its row


@dataclass(slots=True)
class Step:
    """What one step did, to be carried out after its commit.

    Attributes:
        next_timer: the earliest timer that was set, if any.
        ended: DAG runs that ended, or are queued again: places under ``max_active_runs`` are free, or wanted.
        refused: runs whose guard did not hold; they were let go and are read again when something is said to them.
        has_asset_changes: assets were updated, and somebody may wait for them.
        has_calls: user code is to be called, and the next turn starts it.
        has_more: some runs were cut short; the next step goes on with them, and should come soon.
    """

    orders: list[AttemptOrder] = field(default_factory=list)
    cancel: list[UUID] = field(default_factory=list)
    next_timer: datetime | None = None
    ended: int = 0
    refused: int = 0
    events: int = 0
    has_asset_changes: bool = False
    has_calls: bool = False
    has_more: bool = False


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
        self._unfinished: set[int] = set()  # runs whose last step was cut short
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
        records = runs.get_runs(tx, pks)
        for record in records:
            self._evict(record.pk)
            self._unfinished.add(record.pk)  # whoever held it may have been cut short
        self._hold(tx, records)

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

        Raises:
            Overdrawn: a limit would be exceeded.
        """
        news = _gather(facts, rows, timers, starts, self._unfinished)
        self._unfinished.clear()
        self._load(tx, news, now)
        planners = {pk: self._plan(tx, pk, new, now) for pk, new in news.items() if pk in self._held}
        attempts, usage = self._admit(tx, now, planners)
        changes = [
            _change(planner.plan, attempts[run_pk]) for run_pk, planner in planners.items() if not planner.plan.is_empty
        ]
        write_rates(tx, usage.rates, now)  # rows of rates are locked before those of attempts
        written = commit_runs(tx, changes, now)
        check_slots(changes, written)
        woken = self._wake_next(tx, now, written) | self._watch_failures(tx, now, written)
        woken |= self._wake_backfills(tx, now, written)
        self._set_deadlines(tx, now, written)
        if self.has_peers and any(change.ended for change in written):
            ring(tx, SLOTS)  # tasks that others hold may wait for the slots that are free now
        step = self._settle(tx, now, changes, written, planners)
        if usage.wake_at is not None:
            step.next_timer = min(usage.wake_at, step.next_timer or usage.wake_at)
        if woken:
            step.next_timer = now
        return step

    # --- reading -----------------------------------------------------------------------------------------------------

    def _load(self, tx: Connection, news: dict[int, News], now: datetime) -> None:
        missing = [pk for pk in news if pk not in self._held]
        if not missing:
            return
        foreign: list[Fact] = []
        mine: list[RunRecord] = []
        for record in runs.get_runs(tx, missing):
            if record.claimed_by == self._holder or _is_nobodys(record):
                mine.append(record)
            else:
                foreign.extend(news[record.pk].facts)  # somebody else advances this run: tell them
        self._hold(tx, mine)
        # Until a moment ago anybody might fold them: what is gone now is in the runs that were just read.
        there = inbox.still_there(tx, [row.id for record in mine for row in news[record.pk].rows])
        for record in mine:
            new = news[record.pk]
            new.rows = [row for row in new.rows if row.id in there]
        inbox.send(tx, [inbox.fact_message(fact) for fact in foreign], now)

    def _hold(self, tx: Connection, records: Sequence[RunRecord]) -> None:
        whole = self._versions.get_many(tx, {record.version_id for record in records if record.task_subset is None})
        tasks = runs.list_tasks_of(tx, [record.pk for record in records])
        for record in records:
            version = whole.get(record.version_id) if record.task_subset is None else None
            version = version or self._versions.get(tx, record.version_id, record.task_subset)
            view = runs.load_view(tx, record, version.graph, tasks[record.pk])
            held = self._held[record.pk] = HeldRun(record, version, view)
            held.read_past(tx)
            for task in held.view.tasks.values():
                is_ready = task.state is TaskState.SCHEDULED and record.state is RunState.RUNNING
                if is_ready and not held.view.is_held(task):
                    self._ready.add(held.candidate(task, self._lanes))

    def _evict(self, run_pk: int) -> None:
        held = self._held.pop(run_pk, None)
        if held is not None:
            self._ready.discard_run(run_pk)

    # --- deciding ----------------------------------------------------------------------------------------------------

    def _plan(self, tx: Connection, run_pk: int, new: News, now: datetime) -> RunPlanner:
        held = self._held[run_pk]
        if any(timer.kind == PAST for timer in new.timers):
            held.read_past(tx)
        if new.is_start and held.record.replay_of is not None:
            new.take_over = inbox.read_take_over(tx, run_pk)
        newer = self._wanted_versions(tx, held, new)
        for version in newer.values():
            held.read_past(tx, version)
        planner = self._planner(held, now)
        try:
            _feed(planner, held, new, newer, bundles_of(tx, newer))
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
        held = self._held[run_pk]
        for key in planner.plan.ready:
            task = held.view.tasks.get(key)
            if task is not None and task.state is TaskState.SCHEDULED:  # and not taken back in the same step
                self._ready.add(held.candidate(task, self._lanes))
        return planner

    def _wanted_versions(self, tx: Connection, held: HeldRun, new: News) -> dict[int, Version]:
        """Return the versions that commands want the run to go on with."""
        commands = [inbox.read_command(row) for row in new.rows if row.kind == inbox.COMMAND]
        wanted = {c.version_id for c in commands if isinstance(c, ClearTasks) and c.version_id is not None}
        found = {version_id: self._versions.find(tx, version_id, held.record) for version_id in wanted}
        return {version_id: version for version_id, version in found.items() if version is not None}

    def _planner(self, held: HeldRun, now: datetime) -> RunPlanner:
        return RunPlanner(held.view, held.version.spec, now, self._policy, held.past)

    def _admit(
        self, tx: Connection, now: datetime, planners: dict[int, RunPlanner]
    ) -> tuple[dict[int, list[NewAttempt]], Usage]:
        attempts: dict[int, list[NewAttempt]] = defaultdict(list)
        usage = Usage(parallelism=self._parallelism, pools={})
        pauses = [pause for planner in planners.values() for pause in planner.plan.pauses]
        if not len(self._ready):
            usage.pause_rates(pauses)
            return attempts, usage
        ended = {fact.attempt_id for planner in planners.values() for fact in planner.plan.ended}
        waits = [one for planner in planners.values() for one in planner.plan.waits]
        deferring = {attempt for attempt, _, wait in waits if wait.trigger}
        limits = self._lanes.limits()
        usage = read_usage(
            tx,
            self._parallelism,
            limits,
            backfill_share=self._policy.backfill_share,
            now=now if self._ready.has_rates else None,
            without=ended,
            deferring=deferring,
            lock=True,
        )
        usage.pause_rates(pauses)
        for candidate in self._ready.admit(usage, self._is_ready):
            held = self._held[candidate.run_pk]
            planner = planners.get(candidate.run_pk)
            if planner is None:
                planner = planners[candidate.run_pk] = self._planner(held, now)
            try_number = planner.queue(candidate.key)
            attempts[candidate.run_pk].append(held.attempt(candidate, try_number, self._lanes))
        return attempts, usage

    def _is_ready(self, candidate: Candidate) -> bool:
        held = self._held.get(candidate.run_pk)
        task = held.view.tasks.get(candidate.key) if held is not None else None
        return (
            held is not None and task is not None and task.state is TaskState.SCHEDULED and not held.view.is_held(task)
        )

    # --- after the write ---------------------------------------------------------------------------------------------

    def _watch_failures(self, tx: Connection, now: datetime, written: Sequence[RunChange]) -> bool:
        """Where a run has failed whose DAG may have to pause, set the timer for that. Returns whether there was any."""
        timers = [
            timer
            for change in written
            if any(event.kind is RunEvent.FAILED for event in change.events)
            for timer in failure_timers(self._held[change.run.pk].version.spec, change.run.pk, now)
        ]
        set_timers(tx, timers)
        return bool(timers)

    def _wake_backfills(self, tx: Connection, now: datetime, written: Sequence[RunChange]) -> bool:
        """Where a run of a backfill has ended, its window has a place. Returns whether there was any."""
        timers = [
            run_timer(backfill_id, change.run.pk, now)
            for change in written
            if (backfill_id := self._held[change.run.pk].record.backfill_id) is not None
            and change.run.state in FINAL_RUN_STATES  # also when a wish changed nothing: the place is free again
        ]
        set_timers(tx, timers)
        return bool(timers)

    def _set_deadlines(self, tx: Connection, now: datetime, written: Sequence[RunChange]) -> None:
        """A run that is queued again has its deadlines again."""
        for change in written:
            if any(event.kind is RunEvent.QUEUED_AGAIN for event in change.events):
                record = self._held[change.run.pk].record
                set_deadlines(tx, record.pk, record.dag_id, change.run.version_id, record.logical_date, now)

    def _wake_next(self, tx: Connection, now: datetime, written: Sequence[RunChange]) -> bool:
        """Where a task that the next run looks at has ended, set that run's timer. Returns whether there was any."""
        timers = []
        for change in written:
            held = self._held[change.run.pk]
            watched, date = held.version.graph.watched, held.record.logical_date
            if not watched or date is None:
                continue
            if any(event.task_id in watched for event in change.events) or change.run.state in FINAL_RUN_STATES:
                following = next_run(tx, held.record.dag_id, date)
                if following is not None:
                    timers.append(TimerRow(past_key(following), PAST, now, following))
        set_timers(tx, timers)
        if timers and self.has_peers:
            ring(tx, SLOTS)
        return bool(timers)

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
            step.has_asset_changes |= bool(change.asset_changes)
            step.has_calls |= bool(change.callbacks)
            if planners[change.run.pk].plan.has_more:
                self._unfinished.add(change.run.pk)
                step.has_more = True
            step.orders.extend(held.order(attempt) for attempt in change.attempts)
            step.cancel.extend(change.cancelled)
            due = [timer.due_at for timer in change.timers_set]
            step.next_timer = min([*due, step.next_timer] if step.next_timer else due, default=None)
            if held.view.state is not RunState.RUNNING:
                step.ended += bool(change.events)
                self._evict(change.run.pk)
        for run_pk, planner in planners.items():
            is_held = run_pk in self._held and planner.plan.is_empty
            if is_held and self._held[run_pk].view.state is not RunState.RUNNING:
                self._evict(run_pk)
        return step


def _gather(
    facts: Sequence[Fact],
    rows: Sequence[InboxRow],
    timers: Sequence[TimerRow],
    starts: Sequence[int],
    unfinished: Collection[int],
) -> dict[int, News]:
    news: dict[int, News] = defaultdict(News)
    for run_pk in unfinished:
        news[run_pk] = News()
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


def _is_nobodys(record: RunRecord) -> bool:
    """A run that does not run needs no claim: the guard of its commit is enough."""
    return record.claimed_by is None and record.state is not RunState.RUNNING


def _feed(
    planner: RunPlanner,
    held: HeldRun,
    new: News,
    versions: Mapping[int, Version],
    bundles: Mapping[int, str | None],
) -> None:
    planner.plan.inbox_ids.extend(row.id for row in new.rows)
    for row in new.rows:
        if row.kind == inbox.WAIT_OVER:
            said = row.payload
            planner.wait_over(UUID(said["attempt_id"]), said.get("event"), said.get("failure"))
        elif row.kind == inbox.CANCEL:
            planner.abort(row.payload["reason"])
        elif row.kind == inbox.DEADLINE:
            planner.deadline_missed(row.payload)
        elif row.kind == inbox.COMMAND:
            _obey(planner, held, inbox.read_command(row), versions, bundles)
    if new.is_start and planner.run.state is RunState.QUEUED and planner.run.held is None:  # still, after all that
        # Start and end dates bound what the schedule does; whoever fills the past says himself how far he goes.
        is_backfill = held.record.run_type is RunType.BACKFILL
        row_id, taken = new.take_over or (None, None)
        planner.start(None if is_backfill else held.record.task_date, taken)
        planner.plan.inbox_ids.extend(() if row_id is None else (row_id,))
    for fact in [*inbox.read_facts(new.rows), *new.facts]:
        if isinstance(fact, AttemptStarted):
            planner.attempt_started(fact)
        else:
            planner.attempt_ended(fact)
    for timer in new.timers:
        planner.plan.timers_cleared.append(timer.key)
        key = (timer.task_id or "", timer.map_index)
        match timer.kind:
            case plan.RETRY | plan.RESCHEDULE:
                planner.retry_due(key)
            case plan.WAIT_TIMEOUT:
                planner.wait_timeout_due(key)
            case plan.RUN_TIMEOUT:
                planner.run_timeout_due()
            case plan.PAST:
                planner.past_changed()
            case plan.TASK_DEADLINE:
                planner.task_deadline_due(key, int(timer.key.split(":")[2]), timer.due_at)


def _obey(
    planner: RunPlanner,
    held: HeldRun,
    command: Command | None,
    versions: Mapping[int, Version],
    bundles: Mapping[int, str | None],
) -> None:
    if isinstance(command, ClearTasks) and command.version_id is not None:
        if command.version_id not in versions:
            log.error("run %r of DAG %r has no version %d", held.record.run_id, held.record.dag_id, command.version_id)
            return
        held.version = versions[command.version_id]
        is_backfill = held.record.run_type is RunType.BACKFILL
        date = None if is_backfill else held.record.task_date
        change_version(planner, held.version, date, bundles.get(held.version.id))
    if command is not None:
        intervene(planner, command)


def _change(planned: Plan, attempts: list[NewAttempt]) -> RunChange:
    pk = planned.run.pk
    return RunChange(
        run=planned.run,
        seen_seq=planned.seen_seq,
        events=planned.events,
        tasks=planned.run.take_changes(),
        attempts=attempts,
        started=planned.started,
        ended=planned.ended,
        cancelled=planned.cancel,
        timers_set=[_timer_row(planned.run, timer) for timer in planned.timers_set],
        timers_cleared=planned.timers_cleared,
        xcoms=planned.xcoms,
        xcoms_cleared=planned.xcoms_cleared,
        waits=[NewWait(attempt_id, pk, key, wait) for attempt_id, key, wait in planned.waits],
        waits_dropped=planned.waits_dropped,
        asset_changes=planned.asset_changes,
        callbacks=[NewCallback(pk, call.kind, call.key, call.payload) for call in planned.calls],
        inbox_ids=planned.inbox_ids,
    )


def _timer_row(run: RunView, timer: TimerSet) -> TimerRow:
    if timer.kind == plan.RUN_START:  # of the DAG: nobody holds a run that waits to start
        return TimerRow(timer.key, timer.kind, timer.due_at, dag_id=run.dag_id)
    return TimerRow(timer.key, timer.kind, timer.due_at, run.pk, None, timer.task_id, timer.map_index)
