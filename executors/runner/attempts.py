"""What becomes of each attempt? From its order to its end: placed, started, served, ended in time, judged."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec

from executors.runner import linux
from executors.runner.keepers import Keepers
from executors.runner.links import KeeperLink
from executors.runner.peers import Peer
from executors.runner.protocol import (
    Answer,
    Begin,
    Exited,
    FromTask,
    Hello,
    NotForked,
    Rendered,
    Request,
    Result,
)
from executors.runner.verdict import Observed, verdict
from executors.runner.warm_file import Placement
from tradewind.faults import crash_point
from tradewind.model.orders import AttemptOrder, AttemptStarted, Fact

log = logging.getLogger(__name__)

HOLD_BACK_SECONDS: Final = 0.05
"""A start is told this much later, and not at all when the end comes first: short tasks cost one fact, not two."""
EXIT_SECONDS: Final = 5.0
"""How long a process may take to be gone after it has told its result."""
REMEMBERED: Final = 10_000
"""How many ended attempts are known, so that ordering one of them again does nothing."""

_decoder: Final = msgspec.msgpack.Decoder(FromTask)

MakeBegin = Callable[[AttemptOrder, Placement], Begin]
Ask = Callable[[AttemptOrder, Request, Callable[[Answer], None]], None]
"""Answer a request without blocking: calls back in the loop's thread."""


@dataclass(slots=True, eq=False)
class Slot:
    """One attempt that has not ended."""

    number: int
    order: AttemptOrder
    seen: Observed = field(default_factory=Observed)
    keeper: KeeperLink | None = None  # None: waits for its DAG file to be imported
    peer: Peer[FromTask] | None = None
    rendered: dict[str, Any] | None = None  # told with the next fact
    questions: deque[Request] = field(default_factory=deque)  # a task asks on only when a timeout broke in
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    import_seconds: float = 0.0  # that its process may take to import the DAG file, before the task's own time begins
    is_ending: bool = False  # was told to end


class Attempts:
    """All attempts of one supervisor. Belongs to the thread of the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        say: Callable[[Fact], None],
        ask: Ask,
        make_begin: MakeBegin,
        *,
        grace_seconds: float,
        hostname: str,
    ) -> None:
        """
        Args:
            say: takes the facts.
            grace_seconds: between SIGTERM and SIGKILL.
        """
        self._loop, self._say, self._ask, self._make_begin = loop, say, ask, make_begin
        self._grace, self._hostname = grace_seconds, hostname
        self._slots: dict[int, Slot] = {}
        self._by_attempt: dict[UUID, Slot] = {}
        self._ended: OrderedDict[UUID, None] = OrderedDict()
        self._next_number = 1
        self._oom_kills = linux.oom_kills()

    def __len__(self) -> int:
        return len(self._slots)

    def begin(self, order: AttemptOrder, keepers: Keepers) -> None:
        """Run an attempt. One that is known already is left alone."""
        if order.attempt_id in self._by_attempt or order.attempt_id in self._ended:
            return
        slot = Slot(self._next_number, order)
        self._next_number += 1
        self._slots[slot.number] = self._by_attempt[order.attempt_id] = slot
        keepers.place(order, partial(self._placed, slot))

    def refuse(self, order: AttemptOrder) -> None:
        """Give an attempt back unstarted, since this supervisor stops."""
        if order.attempt_id not in self._by_attempt and order.attempt_id not in self._ended:
            self._say(verdict(order, Observed(is_stopping=True), datetime.now(UTC), self._hostname))

    def cancel(self, attempt_id: UUID, grace_seconds: float | None = None) -> None:
        """End an attempt; an unknown one is ignored."""
        slot = self._by_attempt.get(attempt_id)
        if slot is not None:
            self._end(slot, "cancelled", self._grace if grace_seconds is None else grace_seconds)

    def end_all(self, grace_seconds: float) -> None:
        """End every attempt, since this supervisor stops."""
        for slot in list(self._slots.values()):
            slot.seen.is_stopping = True
            self._end(slot, "the executor was stopped", grace_seconds)

    def lose_all(self, why: str) -> None:
        """Give up every attempt that has not ended."""
        for slot in list(self._slots.values()):
            slot.seen.lost = why
            self._finish(slot)

    # --- the start ---

    def _placed(self, slot: Slot, placement: Placement | str) -> None:
        if slot.number not in self._slots:
            return  # cancelled while it waited
        if isinstance(placement, str):
            slot.seen.lost = placement
            self._finish(slot)
            return
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:  # no descriptors left: not the task's fault
            slot.seen.lost = f"no socket could be made for its process: {error}"
            self._finish(slot)
            return
        slot.peer = Peer(self._loop, ours, _decoder, partial(self._heard, slot), partial(self._went_silent, slot))
        begin = self._make_begin(slot.order, placement)
        slot.import_seconds = 0.0 if begin.source is None else begin.import_timeout_seconds
        slot.peer.send(begin)
        slot.keeper = placement.keeper
        placement.keeper.run(slot.number, theirs)
        crash_point("supervisor-after-run")

    def _heard(self, slot: Slot, message: FromTask) -> None:
        if isinstance(message, Result):
            slot.seen.result = message
            if message.lost_log_bytes:
                log.error(
                    "%d bytes of output of %s were lost, since its log could not be written. Look for a full disk or "
                    "for missing rights in [logging] base_log_folder.",
                    message.lost_log_bytes,
                    _name(slot.order),
                )
            crash_point("supervisor-after-result")
            self._later(slot, EXIT_SECONDS, self._kill)
        elif isinstance(message, Hello):
            self._started(slot, message)
        elif isinstance(message, Rendered):
            slot.rendered = message.fields
        else:
            slot.questions.append(message)
            if len(slot.questions) == 1:
                self._ask(slot.order, message, partial(self._answer, slot))

    def _started(self, slot: Slot, hello: Hello) -> None:
        slot.seen.pid, slot.seen.started_at = hello.pid, hello.at
        if slot.seen.exited is not None:
            return
        self._later(slot, HOLD_BACK_SECONDS, self._tell_start)
        limit = slot.order.execution_timeout_seconds
        if limit is not None:
            # The task process ends the task itself, by an alarm. This is for the one that cannot be alarmed.
            self._later(slot, slot.import_seconds + limit + self._grace, self._time_out)

    def _tell_start(self, slot: Slot) -> None:
        order, seen = slot.order, slot.seen
        assert seen.started_at is not None
        self._say(
            AttemptStarted(
                order.attempt_id,
                order.fence,
                order.run_pk,
                seen.started_at,
                self._hostname,
                seen.pid,
                self._take_rendered(slot),
            )
        )

    def _answer(self, slot: Slot, answer: Answer) -> None:
        """Hand over an answer, and have the next question answered: one at a time, so that their order is kept."""
        assert slot.peer is not None
        slot.peer.send(answer)
        slot.questions.popleft()
        if slot.questions:
            self._ask(slot.order, slot.questions[0], partial(self._answer, slot))

    # --- the end ---

    def _time_out(self, slot: Slot) -> None:
        if slot.seen.ended_for is None:
            limit = slot.order.execution_timeout_seconds
            slot.seen.ended_for = f"ran longer than its execution_timeout of {limit:g} s and did not end by itself"
        self._kill(slot)

    def _end(self, slot: Slot, why: str, grace_seconds: float) -> None:
        """Have an attempt ended: asked first, then killed."""
        if slot.seen.ended_for is None:
            slot.seen.ended_for = why
        if slot.keeper is None:
            slot.seen.failed = None if slot.seen.is_stopping else f"{why} before it started"
            self._finish(slot)
            return
        if not slot.is_ending:
            slot.is_ending = True
            slot.keeper.kill(slot.number, signal.SIGTERM)
        self._later(slot, grace_seconds, self._kill)

    def _kill(self, slot: Slot) -> None:
        if slot.keeper is not None:
            slot.keeper.kill(slot.number, signal.SIGKILL)

    def _went_silent(self, slot: Slot, why: str) -> None:
        """The task's socket has ended. Its process has too, or will be made to: what it does now nobody would hear."""
        if slot.seen.lost is not None:
            self._finish(slot)
            return
        if slot.seen.result is None:
            self._later(slot, EXIT_SECONDS, self._kill_silent)
        if why != _CLOSED and slot.seen.ended_for is None:
            slot.seen.ended_for = f"its process broke the protocol: {why}"
            self._kill(slot)

    def _kill_silent(self, slot: Slot) -> None:
        if slot.seen.ended_for is None:
            slot.seen.ended_for = "it closed its channel to Tradewind, which is not its own to close"
        self._kill(slot)

    def exited(self, ended: Exited) -> None:
        """The process of a slot has ended."""
        slot = self._slots.get(ended.slot)
        if slot is None:
            return
        slot.seen.exited, slot.seen.pid = ended, ended.pid
        if ended.signal == signal.SIGKILL:
            kills = linux.oom_kills()
            slot.seen.is_oom, self._oom_kills = kills > self._oom_kills, kills
        if slot.peer is not None:
            slot.peer.drain()  # its last words are in the socket: nobody is left to send more
        self._finish(slot)

    def not_forked(self, failed: NotForked) -> None:
        """The process of a slot could not be made."""
        self.lost(failed.slot, f"its process could not be made: {failed.error}")

    def lost(self, number: int, why: str) -> None:
        """Nobody watches the process of a slot any more."""
        slot = self._slots.get(number)
        if slot is None:
            return
        slot.seen.lost = why
        if slot.peer is not None:
            slot.peer.drain()
        if slot.peer is not None and slot.peer.is_open:
            # It dies with its keeper. Its end is awaited, so that it is not still at work when it is started again.
            self._later(slot, EXIT_SECONDS, self._finish)
        else:
            self._finish(slot)

    def _finish(self, slot: Slot) -> None:
        if self._slots.pop(slot.number, None) is None:
            return
        del self._by_attempt[slot.order.attempt_id]
        self._ended[slot.order.attempt_id] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        for timer in slot.timers:
            timer.cancel()
        if slot.peer is not None:
            slot.peer.close()
        ended = verdict(slot.order, slot.seen, datetime.now(UTC), self._hostname)
        rendered = self._take_rendered(slot)
        self._say(msgspec.structs.replace(ended, rendered=rendered) if rendered else ended)

    def _take_rendered(self, slot: Slot) -> dict[str, Any] | None:
        rendered, slot.rendered = slot.rendered, None
        return rendered

    def _later(self, slot: Slot, seconds: float, act: Callable[[Slot], None]) -> None:
        slot.timers.append(self._loop.call_later(seconds, act, slot))


_CLOSED: Final = "it closed its socket"


def _name(order: AttemptOrder) -> str:
    index = f"[{order.map_index}]" if order.map_index >= 0 else ""
    return f"{order.dag_id}.{order.task_id}{index} of run {order.run_id}, try {order.try_number}"
