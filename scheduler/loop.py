"""The scheduler process: clock, metadata DB, advancer and executors, and little else.

It sleeps until somebody rings, a supervisor reports, or the next timer is due. Each turn is one transaction; what it
decided is handed to the executors after the commit.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from executors.base import Executor
from scheduler import callbacks, memory
from scheduler.advance import Advancer, Step
from scheduler.assets import look_at_consumers
from scheduler.backfill.advance import move_backfills
from scheduler.doorbell import Doorbell
from scheduler.fire import DAG_TIMERS, handle
from scheduler.held import Lanes
from scheduler.overdraft import Overdrawn
from scheduler.plan import Policy
from scheduler.recovery import Patience, end_dead, take_up
from scheduler.versions import VersionCache
from tradewind import faults
from tradewind.health.pulse import UNWATCHED, Part
from tradewind.metadata import attempts, claims, inbox, processes, run_keys, runs, timers
from tradewind.metadata.asset_consumers import consumers_to_look_at
from tradewind.metadata.backfills import TIMER as BACKFILL
from tradewind.metadata.clock import DatabaseClock
from tradewind.metadata.database import DATABASE_ERRORS, Database, in_words, ring
from tradewind.metadata.inbox import InboxRow
from tradewind.metadata.revision import what_is_wrong
from tradewind.metadata.timers import TimerRow
from tradewind.model.orders import AttemptEnded, AttemptOrder, Fact

log = logging.getLogger(__name__)

BATCH: Final = 256
"""Facts, inbox rows and timers that one turn takes at most, so that a transaction stays short."""
FIRE_AT_ONCE: Final = 16
"""Schedules that one turn goes on with, so that the first tasks start while the runs of other DAGs are still made."""
_RETRY_SECONDS: Final = 0.5
_TIDY_EVERY: Final = timedelta(minutes=1)


class Scheduler:
    """One scheduler. :meth:`run` is its life; :meth:`stop` may be called from any thread or signal handler."""

    def __init__(
        self,
        db: Database,
        executors: Mapping[str, Executor],
        *,
        process_id: UUID,
        default_executor: str,
        parallelism: int,
        policy: Policy,
        lease: timedelta,
        poll_seconds: float,
        version: str = "",
        spellings: Mapping[str, str] | None = None,
        default_queue: str = "default",
    ) -> None:
        """
        Args:
            process_id: names the lease of this process; supervisors inside it share it.
            lease: how long other schedulers wait for a sign of life before they take over.
            poll_seconds: the longest sleep, in case a bell was lost.
            spellings: what tasks may write for an executor -> its name.
            default_queue: where calls of user code wait that are made beside tasks.
        """
        self._db: Final = db
        self._executors: Final = dict(executors)
        self._id: Final = process_id
        self._lease: Final = lease
        self._poll_seconds: Final = poll_seconds
        self._version: Final = version
        self._parallelism: Final = parallelism
        self._default_executor: Final = default_executor
        self._stopping: Final = threading.Event()
        self._mailbox: Final[deque[Fact]] = deque()
        self._submitted: set[UUID] = set()  # handed to a supervisor in this process, and not ended
        self._backfill_share: Final = policy.backfill_share
        self._versions: Final = VersionCache()
        self._lanes: Final = Lanes(
            default=default_executor,
            supervisors={name: executor.supervisor_id for name, executor in self._executors.items()},
            limits=self._limits,
            spellings=spellings or {},
            default_queue=default_queue,
        )
        self._advancer: Final = Advancer(
            process_id, policy=policy, parallelism=parallelism, lanes=self._lanes, versions=self._versions
        )
        self._clock = DatabaseClock(db)
        self._bell: Final = Doorbell(db)
        self._next_timer: datetime | None = None
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        self._next_heartbeat = self._clock.now()
        self._next_tidying = self._next_heartbeat + lease / 4  # not at the first sign of life, when nothing is read yet
        self._check_queued = True
        self._calls_wait = False  # for a place under the limits
        self._is_unsure = False  # an error left open what was committed
        self._is_new = True  # until it has looked at what others left
        self._patience: Final = Patience(lease)
        self._ready = threading.Event()
        self.on_fire: Callable[[], None] = lambda: None
        """Called after schedules went on: a timetable of the user's own may be out of coming runs. Returns at once."""
        self.on_stop: Callable[[], None] = lambda: None
        """Called when it is told to stop, in whatever thread or signal handler that is. Returns at once."""
        self.facts: Callable[[], Mapping[str, Any]] = dict
        """Asked at each sign of life for what else is to be said of this process."""
        self.pulse = Part("loop", UNWATCHED)
        """Is told when the loop turns and works."""

    # --- life --------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until :meth:`stop`. Returns after the executors have ended what ran."""
        self._register()
        for executor in self._executors.values():
            executor.start(self._report)
        self._ready.set()
        try:
            while not self._stopping.is_set():
                self._turn_safely()
                if not self._mailbox and not self._stopping.is_set():
                    self._bell.wait(self._sleep_seconds())
            self._wind_down()
        finally:
            self._bell.close()

    def stop(self) -> None:
        """End :meth:`run` soon."""
        self._stopping.set()
        self.on_stop()
        self._bell.wake()

    def on_waits(self, call: Callable[[], None]) -> None:
        """Have ``call`` called, in another thread, when tasks have begun or ceased to wait for triggers."""
        self._bell.on_waits(call)

    def wait_ready(self, timeout_seconds: float) -> bool:
        """Return whether the scheduler has begun to work."""
        return self._ready.wait(timeout_seconds)

    def ring(self) -> None:
        """Tell that something changed in the metadata DB (DAG files, say)."""
        self._bell.ring()

    def _limits(self) -> dict[str, int | None]:
        """How much each executor takes; nothing any more once this scheduler ends."""
        stopping = self._stopping.is_set()
        return {name: 0 if stopping else executor.capacity() for name, executor in self._executors.items()}

    def _report(self, facts: Sequence[Fact]) -> None:
        self._mailbox.extend(facts)
        self._bell.wake()

    def _sleep_seconds(self) -> float:
        now = self._clock.now()
        due = [self._next_heartbeat, now + timedelta(seconds=self._poll_seconds)]
        if self._next_timer is not None:
            due.append(self._next_timer)
        return max(0.0, (min(due) - now).total_seconds())

    def _wind_down(self) -> None:
        for executor in self._executors.values():
            executor.stop(grace_seconds=5)
        while self._mailbox:
            if not self._turn_safely():
                break
        with self._db.write() as tx:
            runs.release_claims(tx, self._id)
            processes.mark_ended(tx, [self._id], self._clock.now())
            ring(tx, "released")
        log.info("scheduler stopped")

    # --- one turn ----------------------------------------------------------------------------------------------------

    def _turn_safely(self) -> bool:
        """Take one turn; on a database error throw the cache away and try again later. Returns whether it worked."""
        facts = [self._mailbox.popleft() for _ in range(min(BATCH, len(self._mailbox)))]
        try:
            self._turn(facts)
        except Overdrawn:
            # Rare: a run was taken over while its end was on the way. Nothing was written; read all again at once.
            log.info("a run whose slots were given to others moved on elsewhere; deciding again")
            self._mailbox.extendleft(reversed(facts))
            self._advancer.forget()
            self._is_unsure = True
            self._bell.ring()
            return False
        except DATABASE_ERRORS as error:
            # The answer of a commit may be lost: then it counts, and saying the facts again changes nothing.
            log.error("metadata DB: %s; trying again", in_words(error))
            self.pulse.failed(f"metadata DB: {in_words(error)}")
            self._mailbox.extendleft(reversed(facts))
            self._advancer.forget()
            self._is_unsure = True
            self._bell.ring()
            self._stopping.wait(_RETRY_SECONDS)
            return False
        self.pulse.turned()
        return True

    def _turn(self, facts: Sequence[Fact]) -> None:
        self._beat_if_due()
        now = self._clock.now()
        must_look = self._bell.take_ring() or now >= self._looked_at + timedelta(seconds=self._poll_seconds)
        is_timer_due = self._next_timer is not None and self._next_timer <= now
        must_check = self._check_queued
        if not (facts or must_look or is_timer_due or must_check):
            return
        with self._db.write() as tx:
            rows, due = self._look(tx, now, must_look or is_timer_due)
            of_dags = [timer for timer in due if timer.kind in DAG_TIMERS]
            fired = self._fire(tx, of_dags, now)
            must_claim = bool(must_look or fired or self._check_queued)
            starts = self._claim_queued(tx) if must_claim else []
            of_backfills = [timer for timer in due if timer.kind == BACKFILL]
            # Behind the rows of DAGs, which are locked before those of backfills.
            moved = move_backfills(tx, of_backfills, now, self._id, BATCH, must_claim=must_claim)
            starts = self._keep_fitting(tx, [*starts, *moved.claimed])
            run_timers = [timer for timer in due if timer.kind not in DAG_TIMERS and timer.kind != BACKFILL]
            taken = callbacks.take_facts(tx, facts, rows, now)
            must_start = must_look or is_timer_due or self._calls_wait or taken.must_start
            calls = self._start_calls(tx, now, taken.facts) if must_start else []
            step = self._advancer.step(tx, now, facts=taken.facts, rows=taken.rows, timers=run_timers, starts=starts)
            step.orders.extend(calls)
            if must_look or is_timer_due:
                self._next_timer = timers.next_due(tx, self._id, now)
            must_look_at_assets = must_look or must_check or step.has_asset_changes
            consumers = consumers_to_look_at(tx, BATCH) if must_look_at_assets else []
            faults.crash_point("scheduler-before-commit")
        faults.crash_point("scheduler-after-commit")
        self.pulse.worked()
        self._carry_out(step, facts, rows)
        if consumers and look_at_consumers(self._db, consumers, now):
            self._check_queued = True
            self._bell.wake()
        if of_dags:
            self.on_fire()
        if len(rows) >= BATCH or len(due) >= BATCH or of_dags or step.has_more or step.has_calls or moved.has_more:
            self._bell.ring()  # there is more

    def _look(self, tx: Connection, now: datetime, must_look: bool) -> tuple[list[InboxRow], list[TimerRow]]:
        if not must_look:
            return [], []
        self._looked_at = now
        return inbox.read_inbox(tx, self._id, BATCH), timers.due_timers(tx, self._id, now, BATCH, FIRE_AT_ONCE)

    def _fire(self, tx: Connection, due: Sequence[TimerRow], now: datetime) -> list[int]:
        if not due:
            return []
        # Those whose runs are claimed next as well: two schedulers lock the rows of DAGs in the same order.
        runs.lock_dags(tx, {timer.dag_id for timer in due if timer.dag_id} | set(runs.queued_dags(tx)))
        return handle(tx, due, now, self._versions)

    def _start_calls(self, tx: Connection, now: datetime, facts: Sequence[Fact]) -> list[AttemptOrder]:
        started = callbacks.start_waiting(tx, now, facts, parallelism=self._parallelism, lanes=self._lanes)
        self._calls_wait = not started.is_all
        return started.orders

    def _claim_queued(self, tx: Connection) -> list[int]:
        self._check_queued = False
        return claims.claim_queued(tx, self._id, BATCH)

    def _keep_fitting(self, tx: Connection, claimed: list[int]) -> list[int]:
        """Let go of the runs whose concurrency keys are used up, behind all rows of DAGs and backfills."""
        keyed = run_keys.standing_under_keys(tx, claimed)
        if not keyed:
            return claimed
        dropped = run_keys.let_go_of_others(tx, runs.get_runs(tx, keyed))
        if dropped and len(dropped) < len(claimed):
            self._check_queued = True  # others may have their places
            self._bell.wake()
        return [pk for pk in claimed if pk not in dropped]

    def _carry_out(self, step: Step, facts: Sequence[Fact], rows: Sequence[InboxRow]) -> None:
        told = [*facts, *inbox.read_facts(rows)]
        self._submitted.difference_update(fact.attempt_id for fact in told if isinstance(fact, AttemptEnded))
        if step.next_timer is not None:
            self._next_timer = min(step.next_timer, self._next_timer or step.next_timer)
        if step.ended:
            self._check_queued = True
            self._bell.wake()
        if step.refused:
            self._bell.ring()
        self._submit(step.orders)
        if step.cancel:
            for executor in self._executors.values():
                with _outliving(executor):
                    executor.cancel(step.cancel)

    def _submit(self, orders: Sequence[AttemptOrder]) -> None:
        for name, executor in self._executors.items():
            own = [order for order in orders if order.executor == name]
            if own and executor.supervisor_id is not None:
                self._submitted.update(order.attempt_id for order in own)
            if own:
                with _outliving(executor):
                    executor.submit(own)

    def _find_unclaimed(self, tx: Connection) -> list[AttemptOrder]:
        """Return what a scheduler that died may have committed and told nobody. Telling it twice changes nothing."""
        far = [name for name, executor in self._executors.items() if executor.supervisor_id is None]
        ids = attempts.list_unclaimed(tx, far)
        return attempts.load_orders(tx, ids) if ids else []

    # --- leases ------------------------------------------------------------------------------------------------------

    def _register(self) -> None:
        now = self._clock.now()
        with self._db.write() as tx:
            end_dead(tx, self._db.is_sqlite, now)
            processes.prune(tx, now - processes.REMEMBERED)
            processes.register(
                tx,
                process_id=self._id,
                kind="scheduler",
                hostname=socket.gethostname(),
                pid=os.getpid(),
                now=now,
                lease=self._lease,
                info=self._info(),
            )

    def _info(self) -> dict[str, Any]:
        return {
            "version": self._version,
            "parallelism": self._parallelism,
            "backfill_share": self._backfill_share,
            "default_executor": self._default_executor,
            "executor_spellings": dict(self._lanes.spellings),
            "executor_limits": self._limits(),
            **self.facts(),
        }

    def _stop_when_behind(self, tx: Connection) -> None:
        """End in order when an upgrade was finished that took away what this version needs."""
        trouble = what_is_wrong(tx, self._db.safe_url)
        if trouble and not self._stopping.is_set():
            log.error("%s This scheduler stops.", trouble)
            self.stop()

    def _beat_if_due(self) -> None:
        if self._clock.now() < self._next_heartbeat and not self._is_unsure:
            return
        self._clock.synchronise()
        now = self._clock.now()
        if now >= self._next_tidying:
            memory.give_back()
            self._next_tidying = now + _TIDY_EVERY
        with self._db.write() as tx:
            if not processes.heartbeat(tx, self._id, now, self._lease, self._info()):
                log.warning("this scheduler was declared dead by another; it starts over with nothing held")
                self._advancer.forget()
                runs.release_claims(tx, self._id)
                processes.revive(tx, self._id, now, self._lease)
                for executor in self._executors.values():
                    if executor.supervisor_id is not None:  # those were reported lost, and may be running elsewhere
                        executor.cancel(list(self._submitted))
            dead = end_dead(tx, self._db.is_sqlite, now)
            due = now if self._is_new else self._next_heartbeat
            dead += self._patience.end_expired(tx, now, due, had_errors=self._is_unsure)
            peers = processes.list_processes(tx, kind="scheduler", alive_at=now)
            self._advancer.has_peers = len(peers) > 1
            self._stop_when_behind(tx)
            lost, adopted = take_up(tx, self._id, now, self._advancer.adopt)
            if self._is_unsure:
                self._advancer.adopt(tx, runs.claimed_by(tx, self._id))
                lost += attempts.report_disowned(tx, self._id, list(self._submitted), now)
            must_say_again = self._is_new or self._is_unsure or any(one.kind == "scheduler" for one in dead)
            waiting = self._find_unclaimed(tx) if must_say_again else []
        self._submit(waiting)
        self._is_unsure = self._is_new = False
        self.pulse.worked()
        self._next_heartbeat = now + self._lease / 3
        if lost or adopted:
            log.info("took up %d runs; %d attempts were lost", adopted, lost)
            self._bell.ring()


@contextmanager
def _outliving(executor: Executor) -> Iterator[None]:
    """Log what an executor raises against its contract: one of somebody's own must not end the scheduler."""
    try:
        yield
    except Exception:
        log.exception("executor %s raised an error; what it was told of waits", executor.name)
