"""How is the scheduler woken? One event, set by executors in this process and by the bell of other processes.

PostgreSQL rings by NOTIFY, which arrives after the commit; SQLite by a datagram on a Unix socket. A lost bell costs the
time until the next slow poll, nothing else.
"""

from __future__ import annotations

import selectors
import socket
import threading
from typing import Final

from tradewind.metadata.bell_socket import listen_socket
from tradewind.metadata.database import Database


class Doorbell:
    """Waits for rings. One waiter; anybody may ring."""

    def __init__(self, db: Database) -> None:
        self._db: Final = db
        self._event: Final = threading.Event()
        self._rang = True  # look at everything once when starting
        self._stopping: Final = threading.Event()
        self._waker, self._stop_end = socket.socketpair()
        self._socket: Final = listen_socket(db.bell_path) if db.is_sqlite else None
        self._thread: Final = threading.Thread(target=self._listen, name="doorbell", daemon=True)
        self._thread.start()

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
        if self._socket is not None:
            self._db.bell_path.unlink(missing_ok=True)

    def _listen(self) -> None:
        if self._socket is not None:
            self._listen_socket(self._socket)
            return
        # Only here: the PostgreSQL driver is an extra.
        from tradewind.metadata.notifies import listen

        listen(self._db, self.ring, self._stopping, self._waker)

    def _listen_socket(self, bell: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(bell, selectors.EVENT_READ)
            selector.register(self._waker, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _ in selector.select():
                    if key.fileobj is bell:
                        bell.recv(16)
                        self.ring()
