"""How does a triggerer of its own live? Until it is told to stop, waking when waits ring."""

from __future__ import annotations

import logging
import threading

from scheduler.doorbell import Doorbell
from scheduler.stop_signals import call_on_stop
from scheduler.triggerer.host import Triggerer
from tradewind import __version__
from tradewind.config import Config
from tradewind.health.pulse import Limits, Pulse
from tradewind.health.server import told_to_probes
from tradewind.metadata.opening import open_database

log = logging.getLogger(__name__)


def run_triggerer(config: Config, *, capacity: int | None = None, queues: tuple[str, ...] | None = None) -> None:
    """Run a triggerer in this process until SIGTERM or SIGINT. For the main thread.

    Raises:
        MetadataError: the metadata DB cannot be used.
    """
    with open_database(config, is_current=False) as db:
        db.check()
        stop = threading.Event()
        triggerer = Triggerer(config, db, capacity=capacity, queues=queues)
        pulse = Pulse("triggerer", Limits.of(config), {"id": triggerer.id, "version": __version__})
        triggerer.pulse = pulse.part("triggerer")

        def end() -> None:
            pulse.stops()
            stop.set()

        call_on_stop(end)
        bell = Doorbell(db, db.waits_bell_path if db.is_sqlite else None)
        bell.on_waits(triggerer.wake)
        log.info("triggerer %s on %s", __version__, db.safe_url)
        triggerer.start()
        try:
            with told_to_probes(pulse, config.health.listen):
                stop.wait()
        finally:
            triggerer.stop()
            bell.close()
        log.info("triggerer stopped")
