"""``tradewind standalone``: everything on this machine in one process tree, from nothing to a page in the browser."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final

from scheduler.service import run_scheduler
from tradewind import __version__
from tradewind.config import Config, load_config, with_secrets
from tradewind.errors import TradewindError, UsageError
from tradewind.metadata.migrate import migrate
from tradewind.metadata.opening import open_database
from tradewind.terminal.logs import log_to_terminal
from tradewind.terminal.output import talk
from webui.auth.bootstrap import ensure_first_admin

log = logging.getLogger(__name__)

WEB_START_SECONDS: Final = 60.0
WEB_STOP_SECONDS: Final = 10.0
RESTART_SECONDS: Final = 1.0


def standalone(host: str | None, port: int | None) -> None:
    """Run everything on this machine: scheduler, tasks, web UI."""
    config = load_config(os.environ)
    host = config.api.host if host is None else host
    port = _free_port(host, config.api.port if port is None else port)
    config = replace(config, api=replace(config.api, host=host, port=port))
    login = _prepare(config)
    config = with_secrets(config)
    for warning in config.warnings:
        talk(f"Warning: {warning}")
    log_to_terminal(config.logging.logging_level)
    stop = threading.Event()
    _stop_on_signals(stop)
    web = WebServer(host, port, stop)
    web.start()
    try:
        run_scheduler(config, on_ready=lambda: _welcome(config, login, web), stop=stop)
    finally:
        stop.set()
        web.end()
    if web.error is not None:
        raise TradewindError(web.error)
    talk("Stopped.")


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0; refuse one that is taken before anything is started."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"The web server cannot listen at {host}:{port}: {reason}. Stop what uses it, or choose another with "
            f"`tradewind standalone --port {port + 1 if 0 < port < 65535 else 8081}` or [api] port in airflow.cfg."
        ) from error


def _prepare(config: Config) -> tuple[str, str] | None:
    """Create what is missing. Returns name and password of the first account when it was made now."""
    wanted = (config.home, config.core.dags_folder, config.core.plugins_folder, config.logging.base_log_folder)
    for folder in wanted:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The folder {folder} cannot be created: {error.strerror}. Make its parent writable, or set "
                "TRADEWIND_HOME to a folder of yours."
            ) from error
    with open_database(config, is_current=False) as db:
        before, now = migrate(db, default_pool_slots=config.core.default_pool_task_slot_count)
        if before != now:
            talk(f"The metadata DB at {db.safe_url} is now at revision {now} (before: {before or 'empty'}).")
        return ensure_first_admin(db)


def _stop_on_signals(stop: threading.Event) -> None:
    def handle(_signal: int, _frame: FrameType | None) -> None:
        if not stop.is_set():
            talk("\nStopping ...")
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def _welcome(config: Config, login: tuple[str, str] | None, web: WebServer) -> None:
    """Say where to look, once the page is there."""
    if not web.wait_ready(WEB_START_SECONDS):
        return
    shown = "localhost" if config.api.host in ("0.0.0.0", "::", "127.0.0.1") else config.api.host
    scheme = "http" if config.api.ssl_cert is None else "https"
    lines = [
        f"Tradewind {__version__} is ready.",
        f"  Web UI     {config.api.base_url or f'{scheme}://{shown}:{config.api.port}'}",
    ]
    if login is not None:
        lines += [f"  Login      {login[0]}", f"  Password   {login[1]}   (shown only now; keep it)"]
    else:
        lines.append("  Login      as before (forgotten: `tradewind users reset-password -u admin`)")
    lines += [f"  DAG files  {config.core.dags_folder}", "  Stop       Ctrl-C"]
    talk("\n".join(["", *lines, ""]))


class WebServer:
    """The web server as a child process that ends with this one.

    Attributes:
        error: why everything stops, when the web server is the reason.
    """

    def __init__(self, host: str, port: int, stop: threading.Event) -> None:
        """
        Args:
            stop: set from here when the web server cannot be kept alive.
        """
        self.error: str | None = None
        self._address, self._stop = (host, port), stop
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="web-server", daemon=True)

    def start(self) -> None:
        """Start it, and begin to watch over it."""
        self._process = self._spawn()
        self._watcher.start()

    def _spawn(self) -> subprocess.Popen[bytes]:
        host, port = self._address
        arguments = [
            "-m",
            "tradewind.cli",
            "webserver",
            f"--host={host}",
            f"--port={port}",
            f"--dies-with={os.getpid()}",
        ]
        # A group of its own: Ctrl-C reaches this process alone, which then ends all in order.
        return subprocess.Popen([sys.executable, *arguments], process_group=0)

    def _watch(self) -> None:
        """Start it again when it dies; give up when it dies before it has answered, since it would only die again."""
        while not self._stop.is_set():
            process = self._process
            assert process is not None
            answers = self._await_answer(process)
            if answers:
                self._ready.set()
            code = process.wait()
            if self._stop.is_set():
                return
            if not answers:
                self.error = f"The web server ended at once (exit code {code}). What it said stands above."
                self._stop.set()
                return
            log.error("the web server ended (exit code %d); starting it again", code)
            if not self._stop.wait(RESTART_SECONDS):
                self._process = self._spawn()

    def _await_answer(self, process: subprocess.Popen[bytes]) -> bool:
        """Return True once it answers; False when it has ended, or everything is stopping."""
        host, port = self._address
        target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        while process.poll() is None and not self._stop.is_set():
            try:
                socket.create_connection((target, port), timeout=1).close()
                return True
            except OSError:
                self._stop.wait(0.05)  # nothing tells that a port is open
        return False

    def wait_ready(self, timeout: float) -> bool:
        """Return True once it answers; False when it does not in time."""
        return self._ready.wait(timeout)

    def end(self) -> None:
        """End it, kindly first. Idempotent."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(WEB_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
