"""How are NOTIFYs of PostgreSQL heard? On a connection of its own, outside the pool, until somebody says stop.

Imported only where PostgreSQL is used: the driver is an extra.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Final

import psycopg

from tradewind.metadata.database import CHANNEL, KEEPALIVE, Database

log = logging.getLogger(__name__)

_RECONNECT_SECONDS: Final = 2.0


def listen(
    db: Database,
    on_ring: Callable[[str], None],
    stopping: threading.Event,
    waker: socket.socket,
    channel: str = CHANNEL,
) -> None:
    """Call ``on_ring`` for each kind of bell that rings, and with "" after each new connection: some may be missed.

    Args:
        stopping: set before ``waker`` becomes readable; then the call returns.
        channel: that is listened to.
    """
    url = db.url.set(drivername="postgresql").render_as_string(hide_password=False)
    is_told = False
    while not stopping.is_set():
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=10, **KEEPALIVE) as connection:
                connection.execute(f"LISTEN {channel}")
                is_told = False
                on_ring("")
                _wait(connection, on_ring, stopping, waker)
        except psycopg.Error as error:
            if not is_told:  # once, and not every two seconds of a long night
                log.warning("the doorbell is lost; polling until it is back: %s", str(error).strip().split("\n")[0])
            is_told = True
            stopping.wait(_RECONNECT_SECONDS)


def _wait(
    connection: psycopg.Connection, on_ring: Callable[[str], None], stopping: threading.Event, waker: socket.socket
) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        selector.register(waker, selectors.EVENT_READ)
        while not stopping.is_set():
            selector.select()
            if stopping.is_set():
                return
            # Reads what has arrived; raises OperationalError when the server went away.
            for what in {notify.payload or "any" for notify in connection.notifies(timeout=0)}:
                on_ring(what)
