"""Which file does a task write its log to, and who hears of it? In one process: all that run tasks or triggers in it.

Without a log store a log is one file, to which every attempt of a try adds. With one, each process that runs tasks
writes files of its own, which its shipper copies; whoever reads puts them together (``executors.logs.reading``).
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

import msgspec

from executors.logs.credentials import FindConnection, has_store, store_options
from executors.logs.process import Setup
from executors.logs.spool import Spool, left_spools
from executors.logs.store import open_store
from executors.runner.environment import MARKER, task_environment
from executors.runner.log_paths import attempt_log_path, callback_log_path
from tradewind.config import Config
from tradewind.errors import TradewindError
from tradewind.model.orders import AttemptOrder, Outcome

log = logging.getLogger(__name__)

GOES_ON: Final = frozenset({Outcome.RESCHEDULED, Outcome.DEFERRED, Outcome.AWAITING_INPUT})
"""Outcomes after which the same try goes on, and its log with it."""
CLOSE_SECONDS: Final = 5.0
"""How long the end of a process waits for its shipper, which goes on without it."""
_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_REMEMBERED: Final = 20_000
_ROOT: Final = str(Path(__file__).resolve().parents[2])
_BOOTSTRAP: Final = "import sys; sys.path.append({root!r}); from executors.logs.process import main; main()"


class TaskLogs(Protocol):
    """Says where logs are written. Safe to use from several threads; never blocks for long, never raises."""

    def begin(self, order: AttemptOrder) -> Path:
        """Return the file that an attempt, or a call, is about to write."""

    def end(self, attempt_id: UUID, outcome: Outcome) -> None:
        """Its process has ended. One that never began is nothing."""

    def begin_trigger(
        self, wait: UUID, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int
    ) -> Path:
        """Return the file that the trigger of a waiting task is about to write."""

    def end_trigger(self, wait: UUID) -> None:
        """The trigger has ended, or runs elsewhere."""

    def close(self) -> None:
        """End: nobody here writes any more. Called once by each who opened."""


def open_task_logs(config: Config, find_connection: FindConnection) -> TaskLogs:
    """Return the logs of this process, which all who ask for the same log folder share.

    Raises:
        UsageError: the log store cannot be used as it is configured.
    """
    if not has_store(config):
        return LocalLogs(config.logging.base_log_folder)
    open_store(config.logging.remote_base_log_folder)  # says what is wrong now, not in a process that nobody watches
    return ShippedLogs.shared(config, find_connection)


class LocalLogs:
    """:class:`TaskLogs` that stay where they are."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def begin(self, order: AttemptOrder) -> Path:
        return log_of(self._base, order)

    def end(self, attempt_id: UUID, outcome: Outcome) -> None:
        pass

    def begin_trigger(
        self, wait: UUID, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int
    ) -> Path:
        return attempt_log_path(self._base, dag_id, run_id, task_id, try_number, map_index)

    def end_trigger(self, wait: UUID) -> None:
        pass

    def close(self) -> None:
        pass


class ShippedLogs:
    """:class:`TaskLogs` that go to the log store. Use :func:`open_task_logs`."""

    _open: Final[dict[tuple[int, Path], ShippedLogs]] = {}
    _open_lock: Final = threading.Lock()

    def __init__(self, base: Path, make_setup: Callable[[Path], Setup], environment: Mapping[str, str]) -> None:
        self._base = base
        self._users = 0
        self._lock = threading.Lock()
        self._names: OrderedDict[str, str] = OrderedDict()  # log of a try -> the file that this process writes for it
        self._of_attempt: dict[UUID, str] = {}  # that has not ended -> log of its try
        self._spool = Spool(base)
        self._is_spool_open = False
        self._shipper = _ShipperProcess(lambda: make_setup(self._spool.folder), environment)

    @classmethod
    def shared(cls, config: Config, find_connection: FindConnection) -> ShippedLogs:
        """Return the one of this process for the log folder, made if need be."""
        base = config.logging.base_log_folder
        key = os.getpid(), base

        def setup(spool: Path) -> Setup:
            options = store_options(config, find_connection)
            return Setup(
                str(base), str(spool), config.logging.remote_base_log_folder, options, config.logging.delete_local_logs
            )

        with cls._open_lock:
            logs = cls._open.get(key)
            if logs is None:
                logs = cls._open[key] = cls(base, setup, _environment(config))
                if any(left_spools(base)):
                    logs.ship_what_is_left()
            logs._users += 1
            return logs

    def ship_what_is_left(self) -> None:
        """Have shipped what a killed process of this machine has left behind."""
        with self._lock:
            self._start()

    def begin(self, order: AttemptOrder) -> Path:
        name = str(log_of(Path(), order))
        with self._lock:
            if order.callback is None and order.part > 0 and name not in self._names:
                self._remember(name, f"{name}.{order.part}")  # another process has begun this log
            return self._begin(order.attempt_id.hex, order.attempt_id, name)

    def end(self, attempt_id: UUID, outcome: Outcome) -> None:
        self._end(attempt_id.hex, attempt_id, is_over=outcome not in GOES_ON)

    def begin_trigger(
        self, wait: UUID, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int
    ) -> Path:
        name = str(attempt_log_path(Path(), dag_id, run_id, task_id, try_number, map_index))
        with self._lock:
            if name not in self._names:
                self._remember(name, f"{name}.trigger-{self._spool.folder.name[:12]}")
            return self._begin(_trigger_key(wait), None, name)

    def end_trigger(self, wait: UUID) -> None:
        self._end(_trigger_key(wait), None, is_over=False)

    def close(self) -> None:
        with self._open_lock:
            self._users -= 1
            if self._users > 0:
                return
            self._open.pop((os.getpid(), self._base), None)
        self._spool.close()
        self._shipper.close()

    def _begin(self, key: str, attempt: UUID | None, log_name: str) -> Path:
        name = self._names.get(log_name, log_name)
        self._remember(log_name, name)
        if attempt is not None:
            self._of_attempt[attempt] = log_name
        if self._start():
            self._spool.begin(key, name)
            self._shipper.ring()
        return self._base / name

    def _end(self, key: str, attempt: UUID | None, *, is_over: bool) -> None:
        with self._lock:
            if not self._is_spool_open:
                return
            if attempt is not None:
                log_name = self._of_attempt.pop(attempt, None)
                if log_name is None:
                    return
                if is_over:
                    self._names.pop(log_name, None)  # the file may be removed: what comes after is another one
            self._spool.end(key, is_over=is_over)
        self._shipper.ring()

    def _remember(self, log_name: str, name: str) -> None:
        self._names[log_name] = name
        self._names.move_to_end(log_name)
        if len(self._names) > _REMEMBERED:
            self._names.popitem(last=False)

    def _start(self) -> bool:
        """Make the spool and start the shipper, once there is something to ship. False: it cannot be made yet."""
        if self._is_spool_open:
            return True
        try:
            self._spool.open()
        except OSError as error:
            log.error("Logs cannot be shipped: no folder can be made in %s: %s", self._spool.folder.parent, error)
            return False
        self._is_spool_open = True
        self._shipper.start()
        return True


def log_of(base: Path, order: AttemptOrder) -> Path:
    """Return the log of an attempt, or of a call, as everybody knows it."""
    if order.callback is not None:
        return callback_log_path(base, order.dag_id, order.run_id, order.callback.id, order.callback.start)
    return attempt_log_path(base, order.dag_id, order.run_id, order.task_id, order.try_number, order.map_index)


def _environment(config: Config) -> dict[str, str]:
    """Return the environment of a shipper: what a task may know, the credentials of the machine among it."""
    kept = task_environment(os.environ, config.database.sql_alchemy_conn, marker="")
    del kept[MARKER]  # it outlives its supervisor, which kills what has its mark
    return kept


def _trigger_key(wait: UUID) -> str:
    return f"{wait.hex}t"


class _ShipperProcess:
    """The shipper of this process: started, and started again when it dies."""

    def __init__(self, make_setup: Callable[[], Setup], environment: Mapping[str, str]) -> None:
        self._make_setup, self._environment = make_setup, environment
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="log-shipper", daemon=True)

    def start(self) -> None:
        """Start it soon."""
        self._thread.start()

    def ring(self) -> None:
        """Have it look at the spool."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                with suppress(OSError):  # it has died, or hears the bell already
                    os.write(self._process.stdin.fileno(), b".")

    def close(self) -> None:
        """Let it end by itself, and wait a while."""
        self._closing.set()
        if self._thread.ident is None:
            return
        self._hang_up()
        self._thread.join(CLOSE_SECONDS)

    def _hang_up(self) -> None:
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                with suppress(OSError):
                    self._process.stdin.close()
                self._process.stdin = None

    def _keep(self) -> None:
        pause = _PAUSE_SECONDS
        while not self._closing.is_set():
            try:
                process = self._spawn(self._make_setup())
            except (TradewindError, OSError) as error:
                log.error("Logs are not shipped now; trying again. %s", error)
            else:
                code = process.wait()
                self._hang_up()
                if self._closing.is_set():
                    return
                log.error("The process that ships logs ended (exit code %d); starting it again.", code)
            self._closing.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _spawn(self, setup: Setup) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-c", _BOOTSTRAP.format(root=_ROOT)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at the terminal is for the process above
            cwd="/",
            env=dict(self._environment),
        )
        assert process.stdin is not None
        with self._lock:
            process.stdin.write(msgspec.json.encode(setup) + b"\n")
            process.stdin.flush()
            os.set_blocking(process.stdin.fileno(), False)
            self._process = process
            if self._closing.is_set():
                process.stdin.close()
                process.stdin = None
        return process
