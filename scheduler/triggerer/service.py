"""How does a triggerer of its own live? Until it is told to stop, waking when waits ring."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

from scheduler.doorbell import Doorbell
from scheduler.triggerer.host import Triggerer
from tradewind import __version__
from tradewind.config import Config
from tradewind.metadata.database import Database

log = logging.getLogger(__name__)


def run_triggerer(config: Config, *, capacity: int | None = None, queues: tuple[str, ...] | None = None) -> None:
    """Run a triggerer in this process until SIGTERM or SIGINT. For the main thread.

    Raises:
        MetadataError: the metadata DB cannot be used.
    """
    db = Database(
        config.database.sql_alchemy_conn,
        pool_size=config.database.sql_alchemy_pool_size,
        statement_timeout_seconds=config.database.statement_timeout_seconds,
    )
    try:
        db.check()
        stop = threading.Event()
        _stop_on_signals(stop)
        triggerer = Triggerer(config, db, capacity=capacity, queues=queues)
        bell = Doorbell(db, db.waits_bell_path if db.is_sqlite else None)
        bell.on_waits(triggerer.wake)
        log.info("triggerer %s on %s", __version__, db.safe_url)
        triggerer.start()
        try:
            stop.wait()
        finally:
            triggerer.stop()
            bell.close()
        log.info("triggerer stopped")
    finally:
        db.close()


def _stop_on_signals(stop: threading.Event) -> None:
    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
