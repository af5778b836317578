"""How is the scheduler woken? One event, set by executors in this process and by the bell of other processes.

PostgreSQL rings by NOTIFY, which arrives after the commit; SQLite by a datagram on a Unix socket. A lost bell costs the
time until the next slow poll, nothing else.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tradewind.metadata.bell_socket import listen_socket
from tradewind.metadata.database import WAITS, Database


class Doorbell:
    """Waits for rings. One waiter; anybody may ring."""

    def __init__(self, db: Database, path: Path | None = None) -> None:
        """
        Args:
            path: of the socket to listen at, with SQLite; None: that of the scheduler.
        """
        self._db: Final = db
        self._path: Final = path or (db.bell_path if db.is_sqlite else None)
        self._on_waits: Callable[[], None] | None = None
        self._event: Final = threading.Event()
        self._rang = True  # look at everything once when starting
        self._stopping: Final = threading.Event()
        self._waker, self._stop_end = socket.socketpair()
        self._socket: Final = listen_socket(self._path) if self._path is not None else None
        self._thread: Final = threading.Thread(target=self._listen, name="doorbell", daemon=True)
        self._thread.start()

    def on_waits(self, call: Callable[[], None]) -> None:
        """Have ``call`` called, in the bell's thread, when there may be something for triggerers."""
        self._on_waits = call

    def ring(self) -> None:
        """Wake the waiter: another look at everything is due."""
        self._rang = True
        self._event.set()

    def wake(self) -> None:
        """Wake the waiter for something that it has in memory already."""
        self._event.set()

    def wait(self, timeout_seconds: float) -> None:
        """Return when somebody rang or woke, or after the timeout."""
        self._event.wait(timeout_seconds)
        # Cleared before the waiter looks: what is said from now on sets it again.
        self._event.clear()

    def take_ring(self) -> bool:
        """Return whether somebody rang since the last call. Ask before looking, never after."""
        rang, self._rang = self._rang, False
        return rang

    def close(self) -> None:
        """Stop listening."""
        self._stopping.set()
        self._stop_end.send(b"x")
        self._thread.join(timeout=15)
        for end in (self._waker, self._stop_end, self._socket):
            if end is not None:
                end.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _listen(self) -> None:
        if self._socket is not None:
            self._listen_socket(self._socket)
            return
        # Only here: the PostgreSQL driver is an extra.
        from tradewind.metadata.notifies import listen

        listen(self._db, self._heard, self._stopping, self._waker)

    def _heard(self, what: str) -> None:
        """``what`` rang; empty: anything may have, since a new connection begins."""
        if what in (WAITS, "") and self._on_waits is not None:
            self._on_waits()
        self.ring()

    def _listen_socket(self, bell: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(bell, selectors.EVENT_READ)
            selector.register(self._waker, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _ in selector.select():
                    if key.fileobj is bell:
                        self._heard(bell.recv(16).decode(errors="replace"))
