"""What does a worker do? It takes attempts for its free slots, has them run, and tells what became of them.

Three threads: the supervisor's runs processes; the worker's own takes work, looks at the metadata DB and keeps the
lease; the teller's stores facts, again and again until somebody has them. No user code runs here.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID, uuid4

from executors.runner.supervisor import Supervisor
from executors.worker.link import LinkLost, WorkerLink
from executors.worker.other_clock import OtherClock
from executors.worker.talk import WorkerFacts
from executors.worker.teller import Teller
from tradewind import __version__, faults
from tradewind.config import Config
from tradewind.errors import Conflict, TradewindError
from tradewind.health.pulse import UNWATCHED, Part
from tradewind.metadata.births import birth
from tradewind.model.orders import AttemptEnded, AttemptOrder, Fact

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.5
"""How often a worker looks at the metadata DB by itself, give or take a quarter."""
HOLD_SECONDS: Final = 1.5
"""How long a full worker keeps what it was told of, before it leaves that to the looks of all."""
AGAIN_SECONDS: Final = 0.25
"""How soon a worker asks again when the control plane is away; twice as long each time, up to the next."""
MAX_AGAIN_SECONDS: Final = 4.0
LEAVE_SECONDS: Final = 10.0
"""How long a worker that stops tries to tell what is not told yet."""
REMEMBERED: Final = 10_000
"""How many ended attempts are known, so that a message about one of them does nothing."""


class WorkerHost:
    """One worker. Any thread may call it."""

    def __init__(
        self,
        config: Config,
        link: WorkerLink,
        *,
        executor: str,
        queues: Sequence[str],
        slots: int,
        environ: Mapping[str, str] | None = None,
        hostname: str | None = None,
    ) -> None:
        """
        Args:
            executor: by its name in ``[core] executor``, whose attempts are run.
            queues: whose attempts are run.
            slots: how many attempts run at once.
            environ: from which the environment of tasks is made; None: that of this process.
            hostname: how people know this worker; None: the name of the machine.
        """
        self._link: Final = link
        self._executor: Final = executor
        self._queues: Final = tuple(dict.fromkeys(queues))
        self._hostname: Final = hostname or socket.gethostname()
        self._supervisor: Final = Supervisor(config, link.desk, environ)
        self._clock: Final = OtherClock()
        self._teller: Final = Teller(link, self._stored)
        self._thread: Final = threading.Thread(target=self._serve, name="tradewind-worker", daemon=True)
        self.worker_id: UUID = uuid4()
        """The lease under which it works now; a new one after a lease was lost."""
        self.on_room: Callable[[bool], None] = lambda _has_room: None
        """Called from the worker's thread: False when all slots are taken, True when there is room again."""
        self.heard_at: float = 0.0
        """When the control plane answered it last, by ``time.monotonic()``; 0: never."""
        self.pulse = Part("worker", UNWATCHED)
        """Is told when the worker's thread turns, and when it has asked for work."""

        self._changed: Final = threading.Condition()  # guards what follows
        self._slots = slots
        self._is_draining = self._is_stopping = self._is_over = False
        self._offered: Final[OrderedDict[UUID, float]] = OrderedDict()  # told of, not taken -> since when
        self._held: Final[set[UUID]] = set()  # taken, not ended: each takes a slot
        self._untold: Final[set[UUID]] = set()  # ended, and that is not stored yet
        self._ended: Final[OrderedDict[UUID, None]] = OrderedDict()  # ended and stored, the newest last
        self._must_look = True
        self._has_news = False  # of what this worker is
        self._is_taking = False  # work may be on its way to it

        # For the worker's thread alone:
        self._has_room = True
        self._is_backlog = False  # the last look left something behind
        self._lease_seconds = 0.0  # 0: there is no lease
        self._lease_until = self._next_beat = self._next_look = self._not_before = 0.0  # by the monotonic clock
        self._misses = 0

    # --- from any thread ---------------------------------------------------------------------------------------------

    @property
    def slots(self) -> int:
        """How many attempts it runs at once."""
        return self._slots

    @property
    def running(self) -> int:
        """How many attempts take a slot now."""
        return len(self._held)

    @property
    def is_draining(self) -> bool:
        """Whether it takes no more."""
        return self._is_draining or self._is_stopping

    def start(self) -> None:
        """Begin to work. When nobody answers, it begins as soon as somebody does.

        Raises:
            TradewindError: the control plane does not want this worker; the message says why.
            Conflict: it was started before.
        """
        if self._thread.ident is not None:
            raise Conflict("This worker was started before. Make a new one.")
        try:
            self._register()
        except LinkLost as error:
            self._missed(error)
        self._supervisor.start(self._take_facts)
        self._teller.start()
        self._thread.start()

    def offer(self, ids: Sequence[UUID]) -> None:
        """Tell of attempts that wait. Returns at once; what is known already, or not to be had, is ignored."""
        now = time.monotonic()
        with self._changed:
            if self.is_draining:
                return
            for one in ids:
                if not self._is_known(one):
                    self._offered.setdefault(one, now)
            self._changed.notify_all()

    def ring(self) -> None:
        """Have it look at the metadata DB now."""
        with self._changed:
            self._must_look = True
            self._changed.notify_all()

    def resize(self, slots: int) -> None:
        """Change how many attempts run at once. What runs goes on, even when it is too many."""
        with self._changed:
            if slots != self._slots:
                self._slots, self._has_news = slots, True
                self._changed.notify_all()

    def drain(self) -> None:
        """Take no more; what runs goes on to its end. See :meth:`wait_idle`."""
        with self._changed:
            self._is_draining = self._has_news = True
            self._offered.clear()
            self._changed.notify_all()

    def resume(self) -> None:
        """Take work again after :meth:`drain`."""
        with self._changed:
            self._is_draining, self._has_news, self._must_look = False, True, True
            self._changed.notify_all()

    def wait_idle(self, timeout_seconds: float | None = None) -> bool:
        """Wait until nothing runs and all is told; return whether it is so."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._held and not self._untold and not self._is_taking, timeout_seconds
            )

    def stop(self, grace_seconds: float) -> None:
        """Take no more, end what runs within the grace period, hand it back, and end the lease. Idempotent."""
        with self._changed:
            if self._is_stopping:
                return
            self._is_stopping = self._has_news = True
            self._offered.clear()
            self._changed.notify_all()
            # What is on its way is waited for, so that it is handed back rather than lost.
            self._changed.wait_for(lambda: not self._is_taking, LEAVE_SECONDS)
        self._supervisor.stop(grace_seconds)
        if self._thread.ident is None:
            return
        self._teller.finish(LEAVE_SECONDS)
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._thread.join(LEAVE_SECONDS)
        try:
            self._link.leave(self.worker_id)
        except TradewindError as error:
            log.warning("%s The lease of this worker ends by itself.", error)

    # --- the worker's thread -----------------------------------------------------------------------------------------

    def _serve(self) -> None:
        with self._link.ringing(self.ring):
            while self._wait():
                try:
                    self._turn()
                except Exception as error:  # the worker must outlive whatever went wrong over there
                    self._missed(error)

    def _wait(self) -> bool:
        """Wait until there is something to do; False: this is the end."""
        with self._changed:
            while not self._is_over:
                now = time.monotonic()
                free = self._free()
                is_due = self._must_look or self._has_news or (free > 0 and (self._offered or self._is_backlog))
                due = now if is_due else min(self._next_beat, self._next_look)
                due = max(due, self._not_before)
                if due <= now or (free > 0) != self._has_room:
                    return True
                self._changed.wait(due - now)
            return False

    def _turn(self) -> None:
        self._tell_room()
        now = time.monotonic()
        if now < self._not_before:
            return
        if not self._lease_seconds:
            self._register()
        with self._changed:
            is_beat = self._has_news or now >= self._next_beat or now >= self._lease_until
            must_look = is_beat or self._must_look or now >= self._next_look or (self._is_backlog and self._free() > 0)
        # A sign of life comes before a claim: when this process stood still, its work may be given to others by now.
        if is_beat:
            self._look(is_beat=True)
        self._claim(now)
        if must_look and not is_beat:
            self._look(is_beat=False)
        self._misses = 0
        self._tell_room()
        self.pulse.turned()

    def _register(self) -> None:
        asked_at = time.monotonic()
        welcome = self._link.register(self.worker_id, self._facts())
        self._lease_seconds = welcome.lease_seconds
        self._heard(asked_at)
        self._clock.learn(welcome.now)
        log.info("worker %s takes tasks of the queues %s", self.worker_id, ", ".join(self._queues))

    def _claim(self, now: float) -> None:
        """Take what was told of, the oldest first. What finds no room for long is left to the looks of all."""
        with self._changed:
            free = self._free()
            if free <= 0:
                while self._offered and next(iter(self._offered.values())) < now - HOLD_SECONDS:
                    self._offered.popitem(last=False)
            told = list(self._offered)[: max(0, free)]
            self._is_taking = bool(told)
        if not told:
            return
        try:
            orders = self._link.claim(self.worker_id, told)
            faults.crash_point("worker-after-claim")
            self._begin(orders, told)
        finally:
            self._taken()

    def _look(self, *, is_beat: bool) -> None:
        asked_at = time.monotonic()
        with self._changed:
            free = max(0, self._free())
            running = (*self._held, *self._untold)
            had_news, self._has_news, self._must_look = self._has_news, False, False
            self._is_taking = True
        try:
            found = self._link.look(self.worker_id, self._facts(), free=free, running=running, is_beat=is_beat)
            if found.orders:
                faults.crash_point("worker-after-look")
            if not found.is_alive:
                self._lose_lease()
                return
            self._next_look = asked_at + LOOK_SECONDS * random.uniform(0.75, 1.25)
            if free:
                self._is_backlog = free <= len(found.orders)
            self._clock.learn(found.now)
            self.heard_at = time.monotonic()
            self.pulse.worked()
            if is_beat:
                self._heard(asked_at)
            self._begin(found.orders)
            self._cancel(found.cancel)
        except BaseException:
            with self._changed:
                self._has_news = self._has_news or had_news
                self._must_look = True
            raise
        finally:
            self._taken()

    def _heard(self, asked_at: float) -> None:
        """Count the lease from when it was asked for: the control plane counts from later."""
        self._lease_until = asked_at + self._lease_seconds
        self._next_beat = asked_at + self._lease_seconds / 3
        self.heard_at = time.monotonic()

    def _begin(self, orders: Sequence[AttemptOrder], told: Sequence[UUID] = ()) -> None:
        """Have the supervisor run these, if they are not known; ``told`` are the offers that were asked for."""
        with self._changed:
            for one in told:
                self._offered.pop(one, None)
            if time.monotonic() >= self._lease_until:
                # This process stood still between the question and the answer. Who has lived on is handed them again.
                self._must_look = self._has_news = True
                return
            new = [order for order in orders if not self._is_known(order.attempt_id)]
            self._held.update(order.attempt_id for order in new)
            for order in new:
                self._offered.pop(order.attempt_id, None)
        if new:
            self._supervisor.submit(new)

    def _cancel(self, ids: Sequence[UUID]) -> None:
        with self._changed:
            unwanted = [one for one in ids if one in self._held]
        if unwanted:
            self._supervisor.cancel(unwanted)

    def _lose_lease(self) -> None:
        """Kill everything: it was given to others. Then begin anew, as somebody else."""
        with self._changed:
            lost = list(self._held)
            self._held.clear()
            for one in (*lost, *self._untold):
                self._remember(one)
            self._untold.clear()
            self._offered.clear()
        self._teller.forget()
        self._supervisor.cancel(lost, grace_seconds=0)
        log.warning(
            "The lease of this worker was over, since nothing was heard of it for too long; %d tasks that it ran are "
            "given to others and were killed here. It begins anew.",
            len(lost),
        )
        self.worker_id = uuid4()
        self._lease_seconds = 0.0
        self.ring()

    def _taken(self) -> None:
        with self._changed:
            self._is_taking = False
            self._changed.notify_all()

    def _tell_room(self) -> None:
        with self._changed:
            has_room = self._free() > 0
        if has_room != self._has_room:
            self._has_room = has_room
            self.on_room(has_room)

    def _missed(self, error: Exception) -> None:
        pause = min(AGAIN_SECONDS * 2**self._misses, MAX_AGAIN_SECONDS)
        self._not_before = time.monotonic() + pause * random.uniform(0.75, 1.25)
        if isinstance(error, LinkLost):
            if not self._misses:
                log.warning("%s What runs goes on; this worker asks again until somebody answers.", error)
        elif isinstance(error, TradewindError):
            log.error("%s", error)
        else:
            log.error("A turn of this worker failed.", exc_info=error)
        self._misses = min(self._misses + 1, 10)
        self.pulse.failed(str(error) or type(error).__name__)

    # --- the supervisor's thread, and the teller's -------------------------------------------------------------------

    def _take_facts(self, facts: Sequence[Fact]) -> None:
        with self._changed:
            mine = [fact for fact in facts if fact.attempt_id in self._held]  # not what was killed with a lost lease
            for fact in mine:
                if isinstance(fact, AttemptEnded):
                    self._held.discard(fact.attempt_id)
                    self._untold.add(fact.attempt_id)
            self._teller.tell(self.worker_id, [self._clock.set_right(fact) for fact in mine])
            self._changed.notify_all()

    def _stored(self, facts: Sequence[Fact]) -> None:
        with self._changed:
            for fact in facts:
                if isinstance(fact, AttemptEnded):
                    self._untold.discard(fact.attempt_id)
                    self._remember(fact.attempt_id)
            self._changed.notify_all()

    # --- under the lock ----------------------------------------------------------------------------------------------

    def _free(self) -> int:
        return 0 if self.is_draining else self._slots - len(self._held)

    def _is_known(self, attempt_id: UUID) -> bool:
        return attempt_id in self._held or attempt_id in self._untold or attempt_id in self._ended

    def _remember(self, attempt_id: UUID) -> None:
        self._ended[attempt_id] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def _facts(self) -> WorkerFacts:
        return WorkerFacts(
            hostname=self._hostname,
            pid=os.getpid(),
            version=__version__,
            executor=self._executor,
            queues=self._queues,
            slots=self._slots,
            is_draining=self.is_draining,
            machine=socket.gethostname(),
            born=birth(os.getpid()),
        )
