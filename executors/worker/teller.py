"""How does the control plane hear what became of attempts? From one thread that says it until it is stored."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from executors.worker.link import LinkLost, WorkerLink
from tradewind import faults
from tradewind.errors import TradewindError
from tradewind.model.orders import Fact

log = logging.getLogger(__name__)

BATCH: Final = 256
"""Facts in one report at most."""
AGAIN_SECONDS: Final = 0.25
"""How soon a report is said again; twice as long each time, up to the next."""
MAX_AGAIN_SECONDS: Final = 5.0


class Teller:
    """Tells facts in their order. What comes while a report is on its way goes with the next one."""

    def __init__(self, link: WorkerLink, on_stored: Callable[[Sequence[Fact]], None]) -> None:
        """
        Args:
            on_stored: called from the teller's thread with what the control plane has.
        """
        self._link, self._on_stored = link, on_stored
        self._thread: Final = threading.Thread(target=self._serve, name="tradewind-teller", daemon=True)
        self._changed: Final = threading.Condition()
        self._facts: deque[tuple[UUID, Fact]] = deque()
        self._is_telling = False
        self._is_ending = False

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def tell(self, worker_id: UUID, facts: Sequence[Fact]) -> None:
        """Have facts of attempts of a worker told. Returns at once; any thread."""
        with self._changed:
            self._facts.extend((worker_id, fact) for fact in facts)
            self._changed.notify_all()

    def forget(self) -> None:
        """Drop what is not told: nobody waits for it any more."""
        with self._changed:
            self._facts.clear()
            self._changed.notify_all()

    def finish(self, timeout_seconds: float) -> bool:
        """Tell what there is, then end; return whether all of it was told in time."""
        with self._changed:
            is_done = self._changed.wait_for(lambda: not self._facts, timeout_seconds)
            self._is_ending = True
            self._changed.notify_all()
        if not is_done:
            log.error("%d facts of attempts could not be told in time; these attempts count as lost.", len(self._facts))
        return is_done

    # --- the teller's thread -----------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._tell_until_stored(*batch)

    def _next_batch(self) -> tuple[UUID, list[Fact]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._facts or self._is_ending)
            if not self._facts:
                return None
            worker_id = self._facts[0][0]
            batch: list[Fact] = []
            for teller, fact in self._facts:
                if teller != worker_id or len(batch) == BATCH:
                    break
                batch.append(fact)
            return worker_id, batch

    def _tell_until_stored(self, worker_id: UUID, batch: list[Fact]) -> None:
        pause = AGAIN_SECONDS
        while True:
            try:
                faults.crash_point("worker-before-report")
                self._link.report(worker_id, batch)
                faults.crash_point("worker-after-report")
            except Exception as error:  # what a task came to must not be forgotten, whatever goes wrong here
                self._log(error, len(batch))
            else:
                break
            with self._changed:
                if self._is_ending or self._changed.wait_for(self._is_obsolete(batch), pause):
                    return
            pause = min(2 * pause, MAX_AGAIN_SECONDS)
        with self._changed:
            if self._is_obsolete(batch)():
                return  # forgotten meanwhile
            for _ in batch:
                self._facts.popleft()
            self._changed.notify_all()
        self._on_stored(batch)

    def _is_obsolete(self, batch: list[Fact]) -> Callable[[], bool]:
        """Return a question: is this batch not wanted any more?"""
        return lambda: self._is_ending or not self._facts or self._facts[0][1] is not batch[0]

    @staticmethod
    def _log(error: Exception, count: int) -> None:
        if isinstance(error, LinkLost):
            log.warning("%s %d facts of attempts are told again.", error, count)
        elif isinstance(error, TradewindError):
            log.error("%d facts of attempts were refused, and are told again: %s", count, error)
        else:
            log.error("%d facts of attempts could not be told, and are told again.", count, exc_info=error)
