"""Do runs stay whole in the metadata DB, whatever people, processes and dying schedulers do? Random histories.

The scheduler's turn is taken step by step, without threads: it reads, folds, admits and commits as the real loop does,
and may die before or after its commit. After each turn the log must fold to what is stored.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from msgspec import structs
from sqlalchemy import func, select, text

from scheduler.advance import Advancer
from scheduler.fire import DAG_TIMERS, handle
from scheduler.held import Lanes
from scheduler.plan import Policy
from scheduler.recovery import take_up
from scheduler.verify import verify
from scheduler.versions import VersionCache
from tests.engine.operating import add_version
from tests.engine.test_operating_laws import HISTORIES, MARKS, dags, told
from tests.engine.world import add_run, store
from tests.support.databases import create_schema
from tradewind.metadata import attempts, claims, inbox, processes, runs, timers
from tradewind.metadata.database import Database
from tradewind.metadata.inbox import WAIT_OVER
from tradewind.metadata.models import Attempt, Base, DagRun, RunInbox, TaskInstance, Timer, TriggerWait
from tradewind.model.commands import ClearTasks, Command, Hold, MarkRun, MarkTasks, Release, Selection
from tradewind.model.orders import Aftermath, AttemptEnded, AttemptStarted, Fact, Outcome, Wait
from tradewind.model.spec import DagSpec
from tradewind.model.states import FINAL_RUN_STATES, AttemptState, RunState, TaskState

PARALLELISM = 3
LEASE = timedelta(days=999)


class _Died(Exception):
    """The scheduler is gone before its commit."""


class World:
    """A metadata DB, a scheduler that takes turns, and the processes that it or a worker has."""

    def __init__(self, db: Database, *, is_remote: bool) -> None:
        self.db = db
        self.now = datetime.now(UTC)
        self.is_remote = is_remote
        self.processes: dict[UUID, int] = {}  # attempt -> run
        self.mail: list[Fact] = []
        self.attempts_ever = 0
        self.worker = uuid4()
        if is_remote:
            self._register(self.worker, "worker")
        self._begin()

    def _register(self, process_id: UUID, kind: str) -> None:
        with self.db.write() as tx:
            processes.register(
                tx, process_id=process_id, kind=kind, hostname="h", pid=1, now=self.now, lease=LEASE, info={}
            )

    def _begin(self) -> None:
        self.holder = uuid4()
        self._register(self.holder, "scheduler")
        lanes = Lanes("E", {"E": None if self.is_remote else self.holder}, lambda: {"E": None})
        policy = Policy(expand_at_once=2)
        versions = VersionCache()
        self.advancer = Advancer(self.holder, policy=policy, parallelism=PARALLELISM, lanes=lanes, versions=versions)

    def die(self) -> None:
        """The scheduler is killed, with all processes that it started; another one comes and takes up what it finds."""
        with self.db.write() as tx:
            processes.mark_ended(tx, [self.holder], self.now)
        if not self.is_remote:
            self.processes.clear()
        self.mail.clear()
        self._begin()
        with self.db.write() as tx:
            take_up(tx, self.holder, self.now, self.advancer.adopt)

    def say(self, run_pk: int, command: Command) -> None:
        self.send(inbox.command_message(run_pk, uuid4(), command))

    def send(self, message: inbox.Message) -> None:
        with self.db.write() as tx:
            inbox.send(tx, [message], self.now)

    def turn(self, dies: str = "") -> bool:
        """Take a turn of the scheduler. Returns whether anything came of it."""
        facts, self.mail = self.mail, []
        before = self._active()
        try:
            with self.db.write() as tx:
                rows = inbox.read_inbox(tx, self.holder, 256)
                due = timers.due_timers(tx, self.holder, self.now, 256)
                handle(tx, [timer for timer in due if timer.kind in DAG_TIMERS], self.now, VersionCache())
                starts = claims.claim_queued(tx, self.holder, 256)
                of_runs = [timer for timer in due if timer.kind not in DAG_TIMERS]
                step = self.advancer.step(tx, self.now, facts=facts, rows=rows, timers=of_runs, starts=starts)
                if dies == "before":
                    raise _Died
        except _Died:
            self.die()
            return True
        if dies == "after":
            self.die()
        else:
            for order in step.orders:
                if not self.is_remote:
                    self.processes[order.attempt_id] = order.run_pk
        self.check(before)
        return bool(facts or rows or due or starts or step.events or step.has_more)

    def claim(self) -> None:
        """The worker takes what nobody has claimed."""
        with self.db.write() as tx:
            free = tx.execute(select(Attempt.id, Attempt.run_pk).where(Attempt.state == AttemptState.QUEUED)).all()
            got = set(attempts.claim_attempts(tx, [row.id for row in free], self.worker))
        self.processes |= {row.id: row.run_pk for row in free if row.id in got}

    def tell(self, fact: Fact) -> None:
        """A process says something: to its own scheduler, or by the metadata DB."""
        if self.is_remote:
            self.send(inbox.fact_message(fact))
        else:
            self.mail.append(fact)

    def end(self, attempt: UUID, outcome: Outcome, **then: Any) -> None:
        run_pk = self.processes.pop(attempt)
        after = Aftermath(**then) if then else None
        self.tell(AttemptEnded(attempt, 1, run_pk, outcome, self.now, self.now, then=after))

    # --- laws --------------------------------------------------------------------------------------------------------

    def _active(self) -> set[UUID]:
        with self.db.read() as tx:
            return set(tx.execute(select(Attempt.id).where(Attempt.state != AttemptState.ENDED)).scalars())

    def check(self, before: set[UUID]) -> None:
        """What must be true after each turn."""
        assert verify(self.db) == []
        with self.db.read() as tx:
            active = tx.execute(
                select(Attempt.id, Attempt.run_pk, Attempt.task_id, Attempt.map_index, TaskInstance.held, DagRun.held)
                .join(DagRun, DagRun.id == Attempt.run_pk)
                .outerjoin(
                    TaskInstance,
                    (TaskInstance.run_pk == Attempt.run_pk)
                    & (TaskInstance.task_id == Attempt.task_id)
                    & (TaskInstance.map_index == Attempt.map_index),
                )
                .where(Attempt.state != AttemptState.ENDED)
            ).all()
            running = tx.execute(select(func.count()).where(DagRun.state == RunState.RUNNING)).scalar_one()
            places = tx.execute(text("SELECT max(max_active_runs) FROM dag")).scalar_one()
            ever = tx.execute(select(func.count()).select_from(Attempt)).scalar_one()
        twice = [key for key, n in Counter(tuple(row)[1:4] for row in active).items() if n > 1]
        assert not twice, f"two attempts are active: {twice}"
        assert len(active) <= PARALLELISM
        assert running <= places
        assert ever >= self.attempts_ever, "history has shrunk"
        self.attempts_ever = ever
        started = [row for row in active if row[0] not in before]
        assert not [row for row in started if row[4] or row[5]], "what is held was started"

    def go_on(self) -> None:
        """Let everything succeed, until nothing happens any more."""
        for _ in range(400):
            if self.is_remote:
                self.claim()
            for attempt in list(self.processes):
                self.end(attempt, Outcome.SUCCESS, length=2)
            if self.turn() or self.processes or self.mail:
                continue
            with self.db.read() as tx:
                waiting = tx.execute(select(TriggerWait.attempt_id, TriggerWait.run_pk)).all()
                later = tx.execute(select(func.min(Timer.due_at))).scalar()
                free = tx.execute(select(func.count()).where(Attempt.state == AttemptState.QUEUED)).scalar_one()
            for row in waiting:
                self.send(_wait_over(row.attempt_id, row.run_pk))
            if later is not None:
                self.now = max(self.now, later) + timedelta(seconds=1)
            if not (waiting or later or free):
                return
        raise AssertionError("it never ends")

    def assert_at_rest(self) -> None:
        """All runs have ended, and nothing is left of them that waits."""
        with self.db.read() as tx:
            left = {
                "runs": tx.execute(select(func.count()).where(DagRun.state.not_in(FINAL_RUN_STATES))).scalar_one(),
                "attempts": tx.execute(select(func.count()).where(Attempt.state != AttemptState.ENDED)).scalar_one(),
                **{
                    model.__tablename__: tx.execute(select(func.count()).select_from(model)).scalar_one()
                    for model in (RunInbox, Timer, TriggerWait)
                },
            }
        assert not any(left.values()), left


def _wait_over(attempt: UUID, run_pk: int) -> inbox.Message:
    said = {"attempt_id": str(attempt), "event": None, "failure": None}
    return inbox.Message(run_pk, f"{WAIT_OVER}:{attempt}", WAIT_OVER, said)


class StoredMachine(RuleBasedStateMachine):
    """Runs of one random DAG with two versions, of which one or two may run at a time."""

    open_database: ClassVar[Callable[[], Database]]

    @initialize(first=dags(), second=dags(), most=st.integers(1, 2), is_remote=st.booleans())
    def begin(self, first: DagSpec, second: DagSpec, most: int, is_remote: bool) -> None:
        note(f"{told(first)}; then {told(second)}; {most} at once, remote: {is_remote}")
        self.db = type(self).open_database()
        self.version = store(self.db, structs.replace(first, max_active_runs=most))
        self.versions = [self.version, add_version(self.db, structs.replace(second, max_active_runs=most))]
        self.ids = sorted({t.task_id for t in (*first.tasks, *second.tasks)})
        self.world = World(self.db, is_remote=is_remote)
        self.pks: list[int] = []
        self.old: list[tuple[UUID, int]] = []

    def draw_selection(self, data: st.DataObject) -> Selection:
        chosen = data.draw(st.none() | st.lists(st.sampled_from(self.ids), min_size=1, max_size=2, unique=True))
        return Selection(
            None if chosen is None else tuple(chosen),
            data.draw(st.dictionaries(st.sampled_from(self.ids), st.tuples(st.integers(0, 2)), max_size=1)),
            upstream=data.draw(st.booleans()),
            downstream=data.draw(st.booleans()),
            starting_from=data.draw(st.sampled_from([(), (), (TaskState.FAILED,), (TaskState.RUNNING,)])),
        )

    @rule(data=st.data())
    def trigger(self, data: st.DataObject) -> None:
        if len(self.pks) < 3:
            self.pks.append(add_run(self.db, self.version, "g", len(self.pks) + 1))
            self.world.turn()

    @precondition(lambda self: self.pks)
    @rule(data=st.data(), number=st.integers(1, 3), dies=st.sampled_from(["", "", "", "before", "after"]))
    def command(self, data: st.DataObject, number: int, dies: str) -> None:
        """Somebody says one thing or several, and the scheduler hears it."""
        run_pk = data.draw(st.sampled_from(self.pks))
        for _ in range(number):
            self.world.say(run_pk, data.draw(st.sampled_from(self.makers()))(data))
        self.world.turn(dies)

    def makers(self) -> list[Callable[[st.DataObject], Command]]:
        clear: Callable[[st.DataObject], Command] = lambda data: ClearTasks(self.draw_selection(data))  # noqa: E731
        return [
            clear,
            clear,
            lambda data: ClearTasks(self.draw_selection(data), data.draw(st.sampled_from([*self.versions, 999]))),
            lambda data: MarkTasks(self.draw_selection(data), data.draw(st.sampled_from(MARKS))),
            lambda data: MarkRun(data.draw(st.sampled_from([RunState.SUCCESS, RunState.FAILED, RunState.QUEUED]))),
            lambda data: Hold(data.draw(st.none() | st.just(self.draw_selection(data))), "me"),
            lambda data: Release(data.draw(st.none() | st.just(self.draw_selection(data)))),
        ]

    @precondition(lambda self: self.pks)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        run_pk = data.draw(st.sampled_from(self.pks))
        self.world.send(inbox.Message(run_pk, f"cancel:{uuid4()}", inbox.CANCEL, {"reason": "not wanted"}))
        self.world.turn()

    @rule(is_paused=st.booleans())
    def pause(self, is_paused: bool) -> None:
        with self.db.write() as tx:
            tx.execute(text("UPDATE dag SET is_paused = :paused"), {"paused": is_paused})
        self.world.turn()

    @precondition(lambda self: self.world.is_remote)
    @rule()
    def claim(self) -> None:
        self.world.claim()

    @precondition(lambda self: self.world.processes)
    @rule(data=st.data(), dies=st.sampled_from(["", "", "", "before", "after"]), is_quiet=st.booleans())
    def end(self, data: st.DataObject, dies: str, is_quiet: bool) -> None:
        attempt = data.draw(st.sampled_from(sorted(self.world.processes)))
        run_pk = self.world.processes[attempt]
        outcome = data.draw(st.sampled_from([Outcome.SUCCESS] * 3 + [Outcome.FAILED] + sorted(Outcome)))
        self.old.append((attempt, run_pk))
        then: dict[str, Any] = {}
        if outcome in (Outcome.DEFERRED, Outcome.AWAITING_INPUT):
            outcome, then = Outcome.DEFERRED, {"wait": Wait("resume", trigger="t.T", timeout_seconds=9.0)}
        elif outcome is Outcome.RESCHEDULED:
            then = {"resume_at": self.world.now + timedelta(seconds=9)}
        elif outcome is Outcome.SUCCESS:
            then = {"length": data.draw(st.sampled_from([0, 1, 2, 3]))}
            then |= {"skip": tuple(data.draw(st.lists(st.sampled_from(self.ids), max_size=1)))}
        self.world.end(attempt, outcome, **then)
        if not is_quiet:
            self.world.turn(dies)

    @precondition(lambda self: self.old)
    @rule(data=st.data(), outcome=st.sampled_from(sorted(Outcome)))
    def say_again(self, data: st.DataObject, outcome: Outcome) -> None:
        attempt, run_pk = data.draw(st.sampled_from(self.old))
        now = self.world.now
        self.world.tell(AttemptStarted(attempt, 1, run_pk, now))
        self.world.tell(AttemptEnded(attempt, 1, run_pk, outcome, now, now))
        self.world.turn()

    @rule(seconds=st.sampled_from([10, 100]))
    def pass_time(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)
        self.world.turn()

    @rule()
    def die(self) -> None:
        self.world.die()
        self.world.turn()

    @rule()
    def forget(self) -> None:
        """An error has left open what was committed: the scheduler throws its cache away, and reads again."""
        self.world.advancer.forget()
        with self.db.write() as tx:
            self.world.advancer.adopt(tx, runs.claimed_by(tx, self.world.holder))
        self.world.turn()

    def teardown(self) -> None:
        """When nobody holds anything and all goes well, all runs end; and done again, all are a success."""
        if not hasattr(self, "world"):
            return
        try:
            self.pause(False)
            for again in (False, True):
                for run_pk in self.pks:
                    if again:
                        self.world.say(run_pk, ClearTasks(Selection()))
                    for command in (Release(), Release(Selection())):
                        self.world.say(run_pk, command)
                self.world.go_on()
                self.world.assert_at_rest()
                assert verify(self.db) == []
            with self.db.read() as tx:
                assert {run.state for run in runs.get_runs(tx, self.pks)} <= {RunState.SUCCESS}
        finally:
            self.db.close()


def _settings(examples: int) -> settings:
    health = list(HealthCheck)
    return settings(max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=health)


@pytest.mark.timeout(240 * HISTORIES)
def test_random_histories_on_sqlite() -> None:
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template.db"
        create_schema(f"sqlite:///{template}")

        def fresh() -> Database:
            for old in Path(folder).glob("now*"):
                old.unlink()
            target = Path(folder) / f"now{uuid4().hex}.db"
            shutil.copyfile(template, target)
            return Database(f"sqlite:///{target}")

        machine = type("OnSqlite", (StoredMachine,), {"open_database": staticmethod(fresh)})
        run_state_machine_as_test(machine, settings=_settings(25 * HISTORIES))


@pytest.mark.timeout(240 * HISTORIES)
def test_random_histories_on_postgres(postgres_url: str) -> None:
    names = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)

    def fresh() -> Database:
        db = Database(postgres_url)
        with db.write() as tx:
            tx.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        return db

    machine = type("OnPostgres", (StoredMachine,), {"open_database": staticmethod(fresh)})
    run_state_machine_as_test(machine, settings=_settings(6 * HISTORIES))
