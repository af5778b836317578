"""How is the scheduler woken? One event, set by executors in this process and by the bell of other processes.

PostgreSQL rings by NOTIFY, which arrives after the commit; SQLite by a datagram on a Unix socket. A lost bell costs the
time until the next slow poll, nothing else.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from typing import Final

import psycopg

from tradewind.metadata.bell_socket import listen_socket
from tradewind.metadata.database import CHANNEL, Database

log = logging.getLogger(__name__)

_RECONNECT_SECONDS: Final = 2.0


class Doorbell:
    """Waits for rings. ``rang`` says whether another process rang since it was last asked."""

    def __init__(self, db: Database) -> None:
        self._db: Final = db
        self._event: Final = threading.Event()
        self._rang = True  # look at everything once when starting
        self._stopping = threading.Event()
        self._waker, self._stop_end = socket.socketpair()
        self._socket: socket.socket | None = listen_socket(db.bell_path) if db.is_sqlite else None
        target = self._listen_socket if db.is_sqlite else self._listen_postgres
        self._thread = threading.Thread(target=target, name="doorbell", daemon=True)
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
        self._event.clear()

    def take_ring(self) -> bool:
        """Return whether somebody rang since the last call."""
        rang, self._rang = self._rang, False
        return rang

    def close(self) -> None:
        """Stop listening."""
        self._stopping.set()
        self._stop_end.send(b"x")
        self._thread.join(timeout=5)
        for end in (self._waker, self._stop_end, self._socket):
            if end is not None:
                end.close()
        if self._db.is_sqlite:
            self._db.bell_path.unlink(missing_ok=True)

    def _listen_socket(self) -> None:
        assert self._socket is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._waker, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _ in selector.select():
                    if key.fileobj is self._socket:
                        self._socket.recv(16)
                        self.ring()

    def _listen_postgres(self) -> None:
        url = self._db.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._stopping.is_set():
            try:
                with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self.ring()  # what was said while nobody listened
                    self._wait_notifies(connection)
            except psycopg.Error as error:
                log.warning("doorbell lost, polling until it is back: %s", error)
                self._stopping.wait(_RECONNECT_SECONDS)

    def _wait_notifies(self, connection: psycopg.Connection) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._waker, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if self._stopping.is_set():
                    return
                # Reads what has arrived; raises OperationalError when the server went away.
                if list(connection.notifies(timeout=0)):
                    self.ring()
                connection.pgconn.consume_input()
