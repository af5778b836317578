"""Who runs attempts on this machine? The supervisor: one thread with one event loop, in a process without user code."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

from executors.base import Report
from executors.logs.credentials import connections_of
from executors.logs.outgoing import TaskLogs, open_task_logs
from executors.runner.attempts import Attempts
from executors.runner.base_link import BaseProcess
from executors.runner.desk import Desk
from executors.runner.environment import task_environment
from executors.runner.keepers import Keepers
from executors.runner.protocol import PROTOCOL_VERSION, Answer, Begin, Request
from executors.runner.source import Source
from executors.runner.warm_file import Placement
from tradewind.config import Config
from tradewind.errors import Conflict
from tradewind.model.orders import AttemptEnded, AttemptOrder, Fact
from tradewind.sdk.defaults import Defaults
from tradewind.xcom.policy import XComPolicy

log = logging.getLogger(__name__)

DESK_THREADS: Final = 4
"""How many requests of tasks are answered at once; each holds a connection to the metadata DB while it is."""
REPORT_AGAIN_SECONDS: Final = 1.0
STOP_MARGIN_SECONDS: Final = 20.0
"""How much longer than the grace period a stop may take, for killing and reaping."""

T = TypeVar("T")


class Supervisor:
    """Runs attempts, and reports their facts in groups. Any thread may call it."""

    def __init__(
        self,
        config: Config,
        desk: Desk,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            desk: answers what tasks ask.
            environ: from which the environment of tasks is made; None: that of this process.
        """
        self._config = config
        self._desk = desk
        self._find_connection = connections_of(desk, os.environ if environ is None else environ)
        self._logs: TaskLogs | None = None
        environment = task_environment(
            os.environ if environ is None else environ,
            config.database.sql_alchemy_conn,
            marker=uuid4().hex,
            secrets=_secrets(config),
        )
        self._loop: Final = asyncio.SelectorEventLoop()
        self._pool: Final = ThreadPoolExecutor(DESK_THREADS, thread_name_prefix="tradewind-desk")
        self._thread = threading.Thread(target=self._serve, name="tradewind-supervisor", daemon=True)
        self._report: Report | None = None
        self._facts: list[Fact] = []
        self._is_flush_due = False
        self._is_stopping = False
        self._is_over = threading.Event()
        self._attempts: Final = Attempts(
            self._loop,
            self._say,
            self._ask,
            self._make_begin,
            grace_seconds=config.workers.cancel_grace_seconds,
            hostname=socket.gethostname(),
        )
        self._keepers: Final = Keepers(
            self._loop,
            self._attempts,
            self._find_source,
            BaseProcess(self._loop, self._attempts, environment, asdict(Defaults.from_config(config))),
            max_warm=config.workers.warm_dag_files,
            import_timeout_seconds=config.core.dagbag_import_timeout,
            renew_seconds=config.dag_processor.refresh_interval,
        )

    def start(self, report: Report) -> None:
        """Begin to work. ``report`` gets all facts, in the supervisor's thread.

        Raises:
            Conflict: it was started before.
            UsageError: the log store cannot be used as it is configured.
        """
        if self._report is not None:
            raise Conflict("This supervisor was started before. Make a new one.")
        self._logs = open_task_logs(self._config, self._find_connection)
        self._report = report
        self._thread.start()

    def submit(self, orders: Sequence[AttemptOrder]) -> None:
        """Run these attempts; those that are known already are left alone."""
        self._call(self._submit, list(orders))

    def cancel(self, attempt_ids: Sequence[UUID], grace_seconds: float | None = None) -> None:
        """End these attempts; unknown ones are ignored. ``grace_seconds``: None is as configured."""
        self._call(self._cancel, list(attempt_ids), grace_seconds)

    def stop(self, grace_seconds: float) -> None:
        """End everything within the grace period, and report it. Idempotent; returns when it is done."""
        if self._report is None:  # never started
            self._loop.close()
            return
        self._call(self._begin_stop, grace_seconds)
        self._thread.join(grace_seconds + STOP_MARGIN_SECONDS)
        if self._thread.is_alive():
            log.error("The supervisor did not end within %g s of its grace period.", STOP_MARGIN_SECONDS)

    # --- in the loop's thread ---

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._keepers.prepare)
        try:
            self._loop.run_forever()
        finally:
            self._keepers.close()
            self._flush()
            self._is_over.set()
            if self._logs is not None:
                self._logs.close()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._loop.close()

    def _submit(self, orders: list[AttemptOrder]) -> None:
        for order in orders:
            if self._is_stopping:
                self._attempts.refuse(order)
            else:
                self._attempts.begin(order, self._keepers)

    def _cancel(self, attempt_ids: list[UUID], grace_seconds: float | None) -> None:
        for attempt_id in attempt_ids:
            self._attempts.cancel(attempt_id, grace_seconds)

    def _begin_stop(self, grace_seconds: float) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        self._attempts.end_all(grace_seconds)
        self._loop.call_later(grace_seconds + STOP_MARGIN_SECONDS / 2, self._give_up)
        self._end_when_empty()

    def _give_up(self) -> None:
        self._attempts.lose_all("its process did not end when the executor was stopped")

    def _end_when_empty(self) -> None:
        if self._is_stopping and not len(self._attempts):
            self._loop.stop()

    def _say(self, fact: Fact) -> None:
        """Report a fact together with all others of this turn of the loop."""
        if self._logs is not None and isinstance(fact, AttemptEnded):
            self._logs.end(fact.attempt_id, fact.outcome)
        self._facts.append(fact)
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        facts, self._facts = self._facts, []
        if facts and self._report is not None:
            try:
                self._report(facts)
            except Exception:  # what a task came to must not be forgotten: it is said again
                log.exception("%d facts could not be reported; they are reported again.", len(facts))
                self._facts = facts + self._facts
                if not self._is_over.is_set():
                    self._is_flush_due = True
                    self._loop.call_later(REPORT_AGAIN_SECONDS, self._flush)
                return
        self._keepers.ended_one()
        self._end_when_empty()

    def _make_begin(self, order: AttemptOrder, placement: Placement) -> Begin:
        config = self._config
        assert self._logs is not None
        return Begin(
            version=PROTOCOL_VERSION,
            order=order,
            log_path=str(self._logs.begin(order)),
            dag_path=str(placement.source.path),
            dags_folder=str(placement.source.folder),
            source=placement.source.text if placement.is_cold else None,
            import_timeout_seconds=config.core.dagbag_import_timeout,
            log_level=config.logging.logging_level,
            xcom_policy=XComPolicy.from_config(config),
            memory_limit_bytes=config.workers.task_memory_limit_mb * 2**20,
            sensitive_names=config.core.sensitive_var_conn_names,
            hide_sensitive=config.core.hide_sensitive_var_conn_fields,
            lock_path=placement.source.lock_path,
        )

    # --- worker threads ---

    def _ask(self, order: AttemptOrder, request: Request, on_answer: Callable[[Answer], None]) -> None:
        self._do(partial(self._desk.answer, order, request), on_answer)

    def _find_source(self, order: AttemptOrder, on_found: Callable[[Source | str], None]) -> None:
        self._do(partial(self._desk.find_source, order), on_found)

    def _do(self, work: Callable[[], T], on_done: Callable[[T], None]) -> None:
        """Do blocking work in a worker thread, and hand what it gives to the loop's thread."""

        def done(future: Future[T]) -> None:
            if not future.cancelled():
                self._call(on_done, future.result())

        self._pool.submit(work).add_done_callback(done)

    def _call(self, act: Callable[..., None], *args: Any) -> None:
        """Have something done in the loop's thread. Nothing happens when it has ended."""
        try:
            self._loop.call_soon_threadsafe(act, *args)
        except RuntimeError:  # the loop is closed
            log.debug("%s came after the end.", getattr(act, "__name__", act))


def _secrets(config: Config) -> list[str]:
    """Return what this process knows and no task is to find in a variable of another name.

    The password of the broker as it stands in an address: by itself it may be a word like ``guest``.
    """
    login, has_login, _ = config.celery.broker_url.rpartition("@")
    password = login.rpartition(":")[2] if has_login else ""
    return [*config.workers.token, *([f":{password}@"] if password else [])]
