"""How does a process that takes no work of its own say that it is there? A row with a lease, kept by a thread.

An upgrade must know the web servers too: what the last of the old ones still reads cannot be taken away.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from tradewind.metadata import processes
from tradewind.metadata.database import DATABASE_ERRORS, Database, in_words

log = logging.getLogger(__name__)


class Presence:
    """The lease of this process. It matters to nobody's work: a metadata DB that is away delays it, and no more."""

    def __init__(self, db: Database, kind: str, lease: timedelta, info: Mapping[str, Any]) -> None:
        self.id: Final = uuid4()
        self._db, self._kind, self._lease, self._info = db, kind, lease, dict(info)
        self._stopping: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Begin the lease. Called once, in the process that it is for: behind a fork, not before it."""
        self._thread.start()

    def stop(self) -> None:
        """End the lease. Idempotent."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        is_registered = False
        while True:
            try:
                is_registered = self._beat(is_registered)
            except DATABASE_ERRORS as error:
                log.warning("%s: the lease cannot be kept: %s; trying again", self._kind, in_words(error))
            if self._stopping.wait(self._lease.total_seconds() / 3):
                break
        if is_registered:
            self._end()

    def _beat(self, is_registered: bool) -> bool:
        now = self._db.now()
        with self._db.write() as tx:
            if not is_registered:
                processes.register(
                    tx,
                    process_id=self.id,
                    kind=self._kind,
                    hostname=socket.gethostname(),
                    pid=os.getpid(),
                    now=now,
                    lease=self._lease,
                    info=self._info,
                )
            elif not processes.heartbeat(tx, self.id, now, self._lease):
                processes.revive(tx, self.id, now, self._lease)
        return True

    def _end(self) -> None:
        try:
            with self._db.write() as tx:
                processes.mark_ended(tx, [self.id], self._db.now())
        except DATABASE_ERRORS as error:
            log.debug("%s: the lease ends by itself: %s", self._kind, in_words(error))
