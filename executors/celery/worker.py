"""What is ``tradewind celery worker``? A worker host that hears the broker, from its start to its orderly end.

Its main thread only waits: for a signal, for word from afar, for the end of what runs. The host takes work from the
metadata DB whether or not the broker is there.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import psutil
from celery.utils.nodenames import default_nodename, host_format

from executors.celery.app import broker_queue, make_app, safe_broker
from executors.celery.autoscale import LOOK_SECONDS, Bounds, Load, next_slots
from executors.celery.listener import Listener
from executors.celery.pid_file import hold
from executors.worker.host import WorkerHost
from executors.worker.link import WorkerLink
from executors.worker.sql_link import SqlLink
from tradewind import __version__
from tradewind.config import Config
from tradewind.health.pulse import Limits, Pulse
from tradewind.health.server import told_to_probes
from tradewind.metadata.opening import open_database
from tradewind.terminal.output import counted

log = logging.getLogger(__name__)

HURRIED_GRACE_SECONDS: Final = 2.0
"""What tasks get to end when somebody asks twice."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What one worker is.

    Attributes:
        name: among all workers of the broker, ``name@host``; see :func:`worker_name`.
        executor: by its name in ``[core] executor``, whose attempts it runs.
        queues: whose attempts it runs.
        bounds: how many tasks at once.
        stop_seconds: how long tasks may go on once it is told to stop.
        pid_file: where it says its process id; None: nowhere.
    """

    name: str
    executor: str
    queues: Sequence[str]
    bounds: Bounds
    stop_seconds: float
    pid_file: Path | None = None


def worker_name(given: str | None) -> str:
    """Return the full name of a worker: ``%h`` stands for the host, ``%n`` for its first part, as in Celery."""
    return str(default_nodename(host_format(given) if given else None))


class CeleryWorker:
    """One worker. :meth:`run` is its life; everything else may be called from any thread or signal handler."""

    def __init__(
        self, config: Config, link: WorkerLink, options: WorkerOptions, environ: Mapping[str, str] | None = None
    ) -> None:
        """
        Args:
            environ: from which the environment of tasks is made; None: that of this process.
        """
        self._options, self._config = options, config
        self._host: Final = WorkerHost(
            config,
            link,
            executor=options.executor,
            queues=options.queues,
            slots=options.bounds.least,
            environ=environ,
            hostname=options.name,
        )
        queues = [broker_queue(options.executor, queue) for queue in options.queues]
        self._listener: Final = Listener(make_app(config), options.name, queues, self)
        self._host.on_room = self._on_room
        self.pulse: Final = Pulse("worker", Limits.of(config), {"name": options.name, "version": __version__})
        """The health of this worker, for probes."""
        self._host.pulse = self.pulse.part("worker")
        self._has_room = True
        self._is_draining = False
        self._leave_by: float | None = None  # by the monotonic clock; None: nobody has asked
        # An event may be set from a signal handler, whatever its waiter holds.
        self._told: Final = threading.Event()
        self._is_hurried = False

    def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Work until told to leave.

        Raises:
            TradewindError: the control plane does not want this worker.
        """
        self._host.start()
        self._listener.start()
        try:
            if on_ready is not None:
                on_ready()
            self._work()
            self._wind_down()
        finally:
            self._listener.begin_stop()
            hurried = min(HURRIED_GRACE_SECONDS, self._config.workers.cancel_grace_seconds)
            self._host.stop(hurried if self._is_hurried else self._config.workers.cancel_grace_seconds)
            self._listener.stop()  # last: it may have to wait for a broker that does not answer
        log.info("worker %s stopped", self._options.name)

    # --- asked from elsewhere ----------------------------------------------------------------------------------------

    def on_signal(self) -> None:
        """Leave; asked again, hand back what runs at once."""
        if self._leave_by is not None:
            self._is_hurried = True
        self.leave(None)

    def leave(self, deadline_seconds: float | None) -> None:
        """Take no more, and end when nothing runs or the deadline is over; None: the configured one."""
        seconds = self._options.stop_seconds if deadline_seconds is None else deadline_seconds
        self._leave_by = time.monotonic() + seconds
        self.pulse.stops()
        self._told.set()

    def offer(self, ids: Sequence[UUID]) -> None:
        """These attempts wait, says the broker."""
        self._host.offer(ids)

    def ring(self) -> None:
        """Look at the metadata DB now."""
        self._host.ring()

    def drain(self) -> None:
        """Take no more, and stay."""
        log.info("worker %s takes no more work, until it is told to resume or to stop", self._options.name)
        self._is_draining = True
        self.pulse.stops("it was told to drain")
        self._host.drain()
        self._set_valve()

    def resume(self) -> None:
        """Take work again."""
        if self._leave_by is None:
            log.info("worker %s takes work again", self._options.name)
            self._is_draining = False
            self.pulse.goes_on()
            self._host.resume()
            self._set_valve()

    # --- its life ----------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        bounds = self._options.bounds
        idle_looks = 0
        psutil.cpu_percent()  # from now on it tells of the time since the last call
        while not self._told.wait(LOOK_SECONDS if bounds.least < bounds.most else None):
            slots, running = self._host.slots, self._host.running
            idle_looks = idle_looks + 1 if running * 2 < slots else 0
            memory = psutil.virtual_memory()
            load = Load(slots, running, psutil.cpu_percent(), 100 * memory.available / memory.total, idle_looks)
            wanted = next_slots(load, bounds)
            if wanted != slots:
                log.info("worker %s: %d slots instead of %d", self._options.name, wanted, slots)
                self._host.resize(wanted)
                idle_looks = 0

    def _wind_down(self) -> None:
        self._is_draining = True
        self._set_valve()
        self._host.drain()
        if self._host.running:
            left = max(0.0, (self._leave_by or 0.0) - time.monotonic())
            log.info(
                "worker %s ends: what runs (%s) has %.0f s to end, then it is handed back; a second signal does it now",
                self._options.name, counted(self._host.running, "task"), left,
            )  # fmt: skip
        while not self._is_hurried:
            left = (self._leave_by or 0.0) - time.monotonic()
            if left <= 0 or self._host.wait_idle(min(left, 0.5)):
                return

    def _on_room(self, has_room: bool) -> None:
        self._has_room = has_room
        self._set_valve()

    def _set_valve(self) -> None:
        if self._has_room and not self._is_draining:
            self._listener.open()
        else:
            self._listener.shut()


def run_worker(
    config: Config,
    options: WorkerOptions,
    *,
    on_made: Callable[[CeleryWorker], None] | None = None,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Run a worker until it is told to leave.

    Args:
        on_made: gets the worker before it starts, e.g. to be told of signals.

    Raises:
        MetadataError: the metadata DB cannot be used.
        TradewindError: the control plane does not want this worker, or one of its name runs here already.
    """
    # Short slices: a busy thread must not keep a waiting one from a task's end for the default 5 ms.
    sys.setswitchinterval(0.001)
    with _pid_file(options.pid_file), open_link(config) as (link, where):
        worker = CeleryWorker(config, link, options)
        if on_made is not None:
            on_made(worker)
        bounds = options.bounds
        slots = str(bounds.most) if bounds.least == bounds.most else f"{bounds.least} to {bounds.most}"
        log.info(
            "worker %s of version %s on %s: %s tasks of %s at once, queues %s, control plane %s, broker %s",
            options.name, __version__, socket.gethostname(), slots, options.executor, ", ".join(options.queues), where,
            safe_broker(config),
        )  # fmt: skip
        with told_to_probes(worker.pulse, config.health.listen):
            worker.run(on_ready)


@contextmanager
def open_link(config: Config) -> Iterator[tuple[WorkerLink, str]]:
    """Give the way to the control plane that is configured, with its address for people."""
    if config.workers.control_plane:
        # Only here: who speaks SQL needs no HTTP client, and the other way round.
        from executors.worker.http_link import HttpLink

        link = HttpLink(config)
        try:
            yield link, config.workers.control_plane
        finally:
            link.close()
        return
    with open_database(config) as db:
        yield SqlLink(db, config), db.safe_url


@contextmanager
def _pid_file(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    with hold(path):
        yield
