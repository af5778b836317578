"""How is a scheduler put together from its configuration? The one place that wires its parts."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from executors.base import ExecutorHost
from executors.control_plane import SqlControlPlane
from executors.registry import make_executors
from scheduler.dagfiles.manager import DagFileManager, limits_of
from scheduler.loop import Scheduler
from scheduler.plan import Policy
from scheduler.recovery import only_scheduler
from scheduler.retention.service import Retention
from scheduler.stop_signals import call_on_stop
from scheduler.triggerer.host import Triggerer
from tradewind import __version__
from tradewind.config import Config
from tradewind.config.executor_names import spellings
from tradewind.health.pulse import Limits, Pulse
from tradewind.health.server import told_to_probes
from tradewind.metadata.database import Database
from tradewind.metadata.opening import open_database

log = logging.getLogger(__name__)


def run_scheduler(
    config: Config, *, on_ready: Callable[[], None] | None = None, stop: threading.Event | None = None
) -> None:
    """Run a scheduler with its executors and the watch over DAG files, until SIGTERM, SIGINT or ``stop``.

    Args:
        on_ready: called once everything works.
        stop: ends the scheduler from another thread; without it the signals are handled here (main thread only).

    Raises:
        MetadataError: the metadata DB cannot be used, or, on SQLite, another scheduler runs.
    """
    # Short slices: a busy thread must not keep a waiting one from a task's end for the default 5 ms.
    sys.setswitchinterval(0.001)
    with open_database(config, is_current=False) as db:
        db.check()
        with only_scheduler(db):
            _run(config, db, on_ready, stop)


def _run(config: Config, db: Database, on_ready: Callable[[], None] | None, stop: threading.Event | None) -> None:
    process_id = uuid4()
    default, *_ = config.core.executor
    host = ExecutorHost(default.name, config, process_id, SqlControlPlane(db, config))
    scheduler = Scheduler(
        db,
        make_executors(host),
        process_id=process_id,
        default_executor=default.name,
        spellings=spellings(config.core.executor),
        default_queue=config.operators.default_queue,
        parallelism=config.core.parallelism,
        policy=Policy(
            max_losses=config.scheduler.max_infrastructure_losses,
            max_retry_delay=timedelta(seconds=config.core.max_task_retry_delay),
            backfill_share=config.scheduler.backfill_share,
        ),
        lease=timedelta(seconds=config.scheduler.lease_seconds),
        poll_seconds=config.scheduler.poll_seconds,
        version=__version__,
    )
    if stop is None:
        call_on_stop(scheduler.stop)
    else:
        threading.Thread(target=_stop_when, args=(stop, scheduler), name="stopper", daemon=True).start()
    pulse = Pulse("scheduler", Limits.of(config), {"id": process_id, "version": __version__})
    scheduler.pulse = pulse.part("loop")
    manager = DagFileManager(config, db, on_change=scheduler.ring)
    manager.pulse = pulse.part("DAG files", limits_of(config))
    scheduler.on_fire = manager.ask_timetables
    log.info(
        "scheduler %s on %s: %s, parallelism %d, lease %g s",
        __version__,
        db.safe_url,
        ", ".join(map(str, config.core.executor)),
        config.core.parallelism,
        config.scheduler.lease_seconds,
    )
    manager.start()
    triggerer = Triggerer(config, db) if config.triggerer.capacity else None
    if triggerer is not None:
        scheduler.on_waits(triggerer.wake)
        triggerer.pulse = pulse.part("triggerer")
        triggerer.start()
    retention = Retention(config, db)
    retention.start()
    try:
        with told_to_probes(pulse, config.health.listen) as address:
            scheduler.facts = lambda: {"dag_files_seconds": manager.looked_seconds, "health": address}
            scheduler.on_stop = pulse.stops
            if on_ready is not None:
                threading.Thread(target=_tell_ready, args=(scheduler, on_ready), name="on-ready", daemon=True).start()
            scheduler.run()
    finally:
        retention.stop()
        if triggerer is not None:
            triggerer.stop()
        manager.stop()


def _stop_when(stop: threading.Event, scheduler: Scheduler) -> None:
    stop.wait()
    scheduler.stop()


def _tell_ready(scheduler: Scheduler, on_ready: Callable[[], None]) -> None:
    if scheduler.wait_ready(60):
        on_ready()
