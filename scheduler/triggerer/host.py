"""Who has the triggers of waiting tasks run? The triggerer: it claims waits, has them run, and tells runs their ends.

No user code runs here. One thread does the work; it sleeps until somebody rings, a trigger fires, or a lease is due.
What it knows is a cache of the metadata DB: each wait is a row, so after a crash its trigger is run again elsewhere.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from executors.bundles.folders import BundleFolders
from executors.bundles.newest import newest_folder
from executors.control_plane import SqlControlPlane
from executors.logs.credentials import connections_of
from executors.logs.outgoing import TaskLogs, open_task_logs
from executors.runner.desk import ControlPlaneDesk
from executors.runner.environment import task_environment
from scheduler.recovery import end_dead
from scheduler.triggerer.link import TriggerLink
from scheduler.triggerer.protocol import (
    VERSION,
    Add,
    Ask,
    Blocked,
    Cancel,
    Failed,
    Fired,
    FromTriggers,
    Ping,
    Pong,
    Ready,
    Setup,
    Told,
)
from scheduler.triggerer.watching import Watching
from tradewind import __version__
from tradewind.config import Config
from tradewind.health.pulse import UNWATCHED, Part
from tradewind.metadata import asset_watchers, attempts, processes, waits
from tradewind.metadata.clock import DatabaseClock
from tradewind.metadata.database import DATABASE_ERRORS, Database, in_words
from tradewind.metadata.waits import CANCELLED, ClaimedWait, WaitOver
from tradewind.model.orders import IN_DAG_FILE, AttemptOrder
from tradewind.sdk.defaults import Defaults
from tradewind.xcom.policy import XComPolicy

log = logging.getLogger(__name__)

KIND: Final = "triggerer"
REST_SECONDS: Final = 30.0
"""How long the trigger process is kept without a trigger."""
BLOCKED_LIMIT_SECONDS: Final = 60.0
"""A trigger that blocks all others for so long fails, and its process is started anew."""
BATCH: Final = 1000
"""Waits that are claimed, or ended, in one transaction at most."""
_RETRY_SECONDS: Final = 0.5
_LEAST_REST_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 30.0
_ORDERS_KEPT: Final = 256


class Triggerer:
    """One triggerer. :meth:`start` and :meth:`stop` run it; :meth:`wake` may be called from any thread."""

    def __init__(
        self,
        config: Config,
        db: Database,
        *,
        capacity: int | None = None,
        queues: tuple[str, ...] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            capacity: how many triggers it runs at most; None: as configured.
            queues: only triggers of tasks in these queues; None: all.
            environ: from which the environment of triggers is made; None: that of this process.
        """
        self.id: Final = uuid4()
        self._config, self._db = config, db
        self._capacity = config.triggerer.capacity if capacity is None else capacity
        self._queues = queues
        self._lease = timedelta(seconds=config.scheduler.lease_seconds)
        self._environment = task_environment(
            os.environ if environ is None else environ, config.database.sql_alchemy_conn, marker=uuid4().hex
        )
        self._plane, self._bundles = SqlControlPlane(db, config, environ), BundleFolders(config)
        self._desk = ControlPlaneDesk(self._plane, config.core.dags_folder.absolute(), self._bundles)
        self._find_connection = connections_of(self._desk, os.environ if environ is None else environ)
        self._logs: TaskLogs | None = None
        self._clock = DatabaseClock(db)
        self._thread: threading.Thread | None = None
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._must_look = True
        self._watching: Final = Watching(db, self.id, config.logging.base_log_folder, self._wake.set)
        self._held: dict[UUID, bool] = {}  # what we have claimed -> whether the trigger process has been told of it
        self._ends: deque[WaitOver] = deque()
        self._orders: dict[UUID, AttemptOrder] = {}
        self._link: TriggerLink | None = None
        self._link_is_gone = False
        self._start_at = self._pause = 0.0  # when to start the process again after its death
        self._idle_since: float | None = None
        self._next_heartbeat = self._clock.now()
        self.pulse = Part("triggerer", UNWATCHED)
        """Is told when the loop turns, and when it has asked for waits."""

    @property
    def process_pid(self) -> int | None:
        """The id of the trigger process, when there is one."""
        link = self._link
        return None if link is None else link.pid

    def start(self) -> None:
        """Begin to work in a thread of its own. Called once.

        Raises:
            UsageError: the log store cannot be used as it is configured.
        """
        self._logs = open_task_logs(self._config, self._find_connection)
        self._thread = threading.Thread(target=self._run, name="triggerer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the work: triggers are let go of, for whoever takes them up. Called once."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def wake(self) -> None:
        """Have a look at the waits soon."""
        self._must_look = True
        self._wake.set()

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        registered = False
        while not self._stopping.is_set():
            try:
                if not registered:
                    self._register()
                    registered = True
                self._turn()
            except DATABASE_ERRORS as error:
                log.error("triggerer: metadata DB: %s; trying again", in_words(error))
                self.pulse.failed(f"metadata DB: {in_words(error)}")
                self._must_look = True
                self._stopping.wait(_RETRY_SECONDS)
                continue
            except Exception as error:  # the top of a loop: the next turn finds what this one left
                log.exception("triggerer: a turn failed; trying again")
                self.pulse.failed(f"{type(error).__name__}, told in the log")
                self._must_look = True
                self._stopping.wait(_RETRY_SECONDS)
                continue
            if not self._stopping.is_set():
                self._wake.wait(self._sleep_seconds())
                self._wake.clear()
        self._wind_down()

    def _turn(self) -> None:
        if self._link_is_gone:
            self._bury()
        self._tell_ends()
        self._watching.record()
        if self._clock.now() >= self._next_heartbeat:
            self._beat()
        if self._must_look:
            self._must_look = False
            self._look()
        self._keep_process()
        self._start_watchers()
        self.pulse.turned()

    def _start_watchers(self) -> None:
        if self._link is not None:
            for add in self._watching.to_start():
                self._link.send(add)

    def _sleep_seconds(self) -> float:
        seconds = max(0.0, (self._next_heartbeat - self._clock.now()).total_seconds())
        seconds = min(seconds, self._config.scheduler.poll_seconds)
        rest = self._watching.rest_seconds()
        if rest is not None:
            seconds = min(seconds, max(rest, _LEAST_REST_SECONDS))
        if self._held and self._link is None:
            seconds = min(seconds, max(0.0, self._start_at - time.monotonic()))
        return seconds if not (self._must_look or self._ends) else 0.0

    def _tell_ends(self) -> None:
        while self._ends:
            part = [self._ends[n] for n in range(min(BATCH, len(self._ends)))]
            with self._db.write() as tx:
                waits.finish_waits(tx, self.id, part, self._clock.now())
            for end in part:  # only now: an error leaves them to be told again
                self._ends.popleft()
                self._forget(end.attempt_id)
            self._must_look = True  # there is room for others

    def _look(self) -> None:
        """Claim what is free, and end what nobody waits for any more."""
        for gone in self._watching.look(self._capacity - len(self._held)):
            if self._link is not None:
                self._link.send(gone)
        with self._db.read() as tx:
            has_free, has_dropped = waits.what_is_due(tx, self.id, self._queues)
        self.pulse.worked()
        room = min(self._capacity - len(self._held) - len(self._watching), BATCH)
        if not has_dropped and not (has_free and room > 0):
            return
        with self._db.write() as tx:
            dropped = waits.take_dropped(tx, self.id) if has_dropped else {}
            claimed = waits.claim_waits(tx, self.id, self._clock.now(), room, self._queues) if room > 0 else []
        for wait, why in dropped.items():
            if self._forget(wait) and self._link is not None:
                self._link.send(Cancel(wait, kill=why == CANCELLED))
        for new in claimed:
            self._held[new.attempt_id] = False
        self._hand_over(claimed)
        if claimed:
            self._must_look = True  # there may be more

    # --- the trigger process -----------------------------------------------------------------------------------------

    def _keep_process(self) -> None:
        if self._held or len(self._watching):
            self._idle_since = None
            if self._link is None and time.monotonic() >= self._start_at:
                self._start_process()
        elif self._link is not None:
            now = time.monotonic()
            self._idle_since = now if self._idle_since is None else self._idle_since
            if now - self._idle_since >= REST_SECONDS:
                self._end_process()

    def _start_process(self) -> None:
        try:
            self._link = TriggerLink(self._setup(), self._environment, self._heard, self._ended)
        except OSError as error:
            log.error("the trigger process cannot be started: %s", error)
            self._delay_start()
            return
        with self._db.read() as tx:
            found = waits.load_waits(tx, list(self._held))
        self._hand_over(found)

    def _end_process(self) -> None:
        link, self._link = self._link, None
        self._link_is_gone = False
        self._idle_since = None
        self._watching.forget_process()
        for wait in self._held:
            self._held[wait] = False
        if link is not None:
            link.close()

    def _bury(self) -> None:
        """The trigger process died. What it ran is run again, in a new one."""
        log.error(
            "the trigger process is gone; its %d triggers are run again in a new one. SIGKILL from outside often "
            "means that the machine ran out of memory.",
            len(self._held),
        )
        self._end_process()
        self._delay_start()

    def _delay_start(self) -> None:
        """At once the first time, later and later when it dies again and again."""
        now = time.monotonic()
        calm = now - self._start_at > 2 * _LONGEST_PAUSE_SECONDS
        self._pause = 0.0 if calm else min(max(1.0, self._pause * 2), _LONGEST_PAUSE_SECONDS)
        self._start_at = now + self._pause

    def _setup(self) -> Setup:
        core, config = self._config.core, self._config
        folder, lock_path = newest_folder(config, self._db, self._bundles, self._plane)
        return Setup(
            VERSION,
            folder,
            asdict(Defaults.from_config(config)),
            config.logging.logging_level,
            XComPolicy(core.xcom_max_inline_bytes, core.xcom_object_store),
            core.sensitive_var_conn_names,
            core.hide_sensitive_var_conn_fields,
            lock_path=lock_path,
        )

    def _hand_over(self, claimed: list[ClaimedWait]) -> None:
        if self._link is None:
            return  # it gets all that is held when it starts
        for wait in claimed:
            if self._held.get(wait.attempt_id) is not False:
                continue  # over already, or handed over
            add = self._add_of(wait)
            if isinstance(add, Failed):
                self._ends.append(WaitOver(wait.attempt_id, failure=add.failure))
                self._wake.set()
                continue
            self._held[wait.attempt_id] = True
            self._link.send(add)

    def _add_of(self, wait: ClaimedWait) -> Add | Failed:
        dag_path, source = str(self._config.core.dags_folder.absolute() / wait.file_path), None
        folder = lock_path = ""
        if wait.trigger.startswith(IN_DAG_FILE) or wait.bundle is not None:
            order = self._order(wait.attempt_id)
            found = "the run is gone" if order is None else self._desk.find_source(order)
            if isinstance(found, str):
                return Failed(wait.attempt_id, found)
            dag_path, source = str(found.path), found.text if wait.trigger.startswith(IN_DAG_FILE) else None
            if wait.bundle is not None:
                folder, lock_path = str(found.folder), found.lock_path
        assert self._logs is not None
        path = self._logs.begin_trigger(
            wait.attempt_id, wait.dag_id, wait.run_id, wait.task_id, wait.try_number, wait.map_index
        )
        return Add(
            wait.attempt_id,
            wait.trigger,
            wait.kwargs,
            wait.dag_id,
            wait.run_id,
            wait.task_id,
            wait.map_index,
            wait.try_number,
            str(path),
            dag_path,
            source,
            folder=folder,
            lock_path=lock_path,
        )

    def _forget(self, wait: UUID) -> bool:
        """Forget a wait; returns whether the trigger process had been told of it."""
        self._orders.pop(wait, None)
        if self._logs is not None:
            self._logs.end_trigger(wait)
        return bool(self._held.pop(wait, False))

    # --- what it says, in the thread that hears it -------------------------------------------------------------------

    def _heard(self, message: FromTriggers) -> None:
        if isinstance(message, Fired | Failed) and self._watching.heard(message):
            return
        match message:
            case Fired():
                self._ends.append(WaitOver(message.wait, event=message.event))
                self._wake.set()
            case Failed():
                self._ends.append(WaitOver(message.wait, failure=message.failure))
                self._wake.set()
            case Ask():
                self._answer(message)
            case Blocked():
                log.warning("trigger %s blocked all others for %.2f s", self._name(message.wait), message.seconds)
            case Pong():
                self._check_health(message)
            case Ready():
                log.debug("trigger process %d is ready", message.pid)

    def _answer(self, ask: Ask) -> None:
        link = self._link
        order = None
        with suppress(*DATABASE_ERRORS):
            order = self._watching.order(ask.wait) or self._order(ask.wait)
        if link is None:
            return
        if order is None:
            from executors.runner.protocol import Refused

            link.send(Told(ask.number, Refused("The task that waits for this trigger is gone.")))
            return
        link.send(Told(ask.number, self._desk.answer(order, ask.request)))

    def _check_health(self, pong: Pong) -> None:
        if pong.blocked_by is None:
            return
        name = self._name(pong.blocked_by)
        log.warning("trigger %s blocks all others since %.1f s:\n%s", name, pong.blocked_seconds, pong.where)
        if pong.blocked_seconds >= BLOCKED_LIMIT_SECONDS and self._link is not None:
            self._ends.append(
                WaitOver(
                    pong.blocked_by,
                    failure=f"{pong.where}\nThe trigger blocked its process for {pong.blocked_seconds:.0f} s, in which "
                    "no other trigger could run, and was ended. Await what takes long, or hand it to "
                    "asyncio.to_thread().",
                )
            )
            self._link.kill()

    def _ended(self, link: TriggerLink) -> None:
        if link is self._link:
            self._link_is_gone = True
            self._wake.set()

    def _order(self, wait: UUID) -> AttemptOrder | None:
        order = self._orders.get(wait)
        if order is None:
            with self._db.read() as tx:
                found = attempts.load_orders(tx, [wait])
            if not found:
                return None
            order = found[0]
            if len(self._orders) >= _ORDERS_KEPT:
                self._orders.clear()  # a cache: what is asked for again is read again
            self._orders[wait] = order
        return order

    def _name(self, wait: UUID) -> str:
        with suppress(*DATABASE_ERRORS):
            order = self._order(wait)
            if order is not None:
                return f"of task {order.task_id!r} of DAG {order.dag_id!r}, run {order.run_id!r}"
        return str(wait)

    # --- leases ------------------------------------------------------------------------------------------------------

    def _register(self) -> None:
        now = self._clock.now()
        with self._db.write() as tx:
            processes.register(
                tx,
                process_id=self.id,
                kind=KIND,
                hostname=socket.gethostname(),
                pid=os.getpid(),
                now=now,
                lease=self._lease,
                info={"version": __version__, "capacity": self._capacity, "queues": list(self._queues or ())},
            )
        log.info("triggerer: up to %d triggers", self._capacity)

    def _beat(self) -> None:
        self._clock.synchronise()
        now = self._clock.now()
        with self._db.write() as tx:
            is_alive = processes.heartbeat(tx, self.id, now, self._lease)
            if not is_alive:
                processes.revive(tx, self.id, now, self._lease)
            end_dead(tx, False, now)  # never another host's scheduler: only whose process is seen to be gone
            freed = waits.free_dead_claims(tx, now)
            asset_watchers.free_dead_watchers(tx, now)
            held = waits.held_waits(tx, self.id)
        if not is_alive:
            log.warning("this triggerer was declared dead by another; it starts over with what it still holds")
        if freed:
            log.info("triggerer: %d waits of a dead triggerer are free again", freed)
        for wait in [wait for wait in self._held if wait not in held]:  # e.g. their run was deleted
            if self._forget(wait) and self._link is not None:
                self._link.send(Cancel(wait))
        for wait in held - self._held.keys():  # claimed in a commit whose answer was lost
            self._held[wait] = False
        if any(not told for told in self._held.values()) and self._link is not None:
            with self._db.read() as tx:
                self._hand_over(waits.load_waits(tx, [wait for wait, told in self._held.items() if not told]))
        if self._link is not None:
            self._link.send(Ping())
        self._next_heartbeat = now + self._lease / 3
        self._must_look = True

    def _wind_down(self) -> None:
        self._end_process()
        if self._logs is not None:
            self._logs.close()
        try:
            self._tell_ends()
            with self._db.write() as tx:
                waits.release_waits(tx, self.id)
                asset_watchers.release_watchers(tx, self.id)
                processes.mark_ended(tx, [self.id], self._clock.now())
        except DATABASE_ERRORS as error:
            log.error("triggerer: what it held is free when its lease is over: %s", in_words(error))


def on_rings(wake: Callable[[], None]) -> Callable[[str], None]:
    """Return what hears the bell of the metadata DB, and wakes a triggerer when it rings for waits."""

    def heard(what: str) -> None:
        if what in ("waits", ""):
            wake()

    return heard
