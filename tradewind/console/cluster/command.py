"""``tradewind cluster``: PostgreSQL, Redis, schedulers, Celery workers, triggerers and web servers on this machine."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final

import click
from sqlalchemy.exc import DBAPIError

from tradewind import __version__
from tradewind.config import Config, load_config, with_secrets
from tradewind.console.cluster.company import Company
from tradewind.console.cluster.members import PROCESSES, SERVERS, Size, free_port, private_servers, processes
from tradewind.errors import MetadataError, TradewindError, UsageError
from tradewind.metadata.database import Database
from tradewind.metadata.migrate import migrate
from tradewind.metadata.opening import open_database
from tradewind.metadata.processes import list_processes
from tradewind.terminal.output import talk
from webui.auth.bootstrap import ensure_first_admin
from webui.server import check_port

SERVER_SECONDS: Final = 60.0
READY_SECONDS: Final = 120.0
EXECUTOR: Final = "CeleryExecutor"
_COLOURS: Final = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_yellow")


def cluster(
    host: str | None, port: int | None, schedulers: int, workers: int, triggerers: int, web_servers: int
) -> None:
    """Run a whole cluster on this machine, to try it."""
    size = Size(schedulers, workers, triggerers, web_servers)
    config = load_config(os.environ)
    folder = config.home / "cluster"
    _make_folders(config, folder)
    servers = private_servers(config, folder)
    settings = {"TRADEWIND_HOME": str(config.home), **_executor(config), **servers.settings}
    environ = {**os.environ, **settings}
    config = _at_address(load_config(environ), host, port)
    for warning in config.warnings:
        talk(f"Warning: {warning}")
    _keep_settings(folder / "env", settings)

    stop = threading.Event()
    company = Company(Printer([*(member.name for member in servers.members), *_names(size)]))
    with _stops_on_signals(stop):
        try:
            company.start(*servers.members, stage=SERVERS)
            _await_database(config, company, stop)
            with open_database(config, is_current=False) as db:
                login = _prepare(config, db)
                config = with_secrets(config)
                company.start(*processes(config, size, environ), stage=PROCESSES)
                waiter = threading.Thread(target=_welcome, args=(config, db, size, login, folder, stop), daemon=True)
                waiter.start()
                company.run(stop)
                stop.set()
                waiter.join()
        except Stopped:
            pass
        finally:
            stop.set()
            company.end()
    if company.error is not None:
        raise TradewindError(company.error)
    talk("Stopped.")


class Stopped(Exception):
    """Somebody asked for the end before all was there."""


class Printer:
    """Prints what members say, a line at a time, each behind a name of its own colour."""

    def __init__(self, names: list[str]) -> None:
        self._width = max(map(len, names))
        self._colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(names)}

    def __call__(self, name: str, line: str) -> None:
        """Print a line. Without colour where the terminal has none."""
        click.echo(f"{click.style(name.ljust(self._width), fg=self._colours.get(name))} | {line}", err=True)


def _names(size: Size) -> list[str]:
    kinds = (
        ("scheduler", size.schedulers),
        ("worker", size.workers),
        ("triggerer", size.triggerers),
        ("web", size.web_servers),
    )
    return [f"{kind}-{number}" for kind, count in kinds for number in range(1, count + 1)]


def _executor(config: Config) -> Mapping[str, str]:
    """Let Celery run the tasks, unless somebody has chosen otherwise."""
    return {"TRADEWIND__CORE__EXECUTOR": EXECUTOR} if config.sources["core", "executor"].kind == "default" else {}


def _at_address(config: Config, host: str | None, port: int | None) -> Config:
    host = config.api.host if host is None else host
    port = config.api.port if port is None else port
    if port == 0:
        port = free_port(host)
    check_port(host, port)
    return replace(config, api=replace(config.api, host=host, port=port))


def _make_folders(config: Config, folder: Path) -> None:
    for wanted in (config.home, config.core.dags_folder, config.core.plugins_folder, folder):
        try:
            wanted.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The folder {wanted} cannot be created: {error.strerror}. Make its parent writable, or set "
                "TRADEWIND_HOME to a folder of yours."
            ) from error


def _keep_settings(path: Path, settings: Mapping[str, str]) -> None:
    """Write down what another terminal must set to speak to this cluster. It holds passwords."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())


class _stops_on_signals:
    """While the context lasts, Ctrl-C and SIGTERM set ``stop``; a second one changes nothing."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def __enter__(self) -> None:
        def handle(_signal: int, _frame: FrameType | None) -> None:
            if not self._stop.is_set():
                talk("\nStopping ...")
            self._stop.set()

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._before = {number: signal.signal(number, handle) for number in numbers}

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _await_database(config: Config, company: Company, stop: threading.Event) -> None:
    """Return once the server of the metadata DB answers.

    Raises:
        MetadataError: it does not in time.
        Stopped: everything is to end.
    """
    deadline = time.monotonic() + SERVER_SECONDS
    while True:
        try:
            with open_database(config, is_current=False) as db:
                db.now()
                return
        except (MetadataError, DBAPIError) as error:
            if time.monotonic() > deadline:
                raise MetadataError(f"The metadata DB did not answer within {SERVER_SECONDS:g} s: {error}") from error
        company.step(0.1)
        if stop.is_set() or company.error is not None:
            raise Stopped


def _prepare(config: Config, db: Database) -> tuple[str, str] | None:
    """Bring the metadata DB to the newest schema. Returns name and password of the first account when made now."""
    before, now = migrate(db, default_pool_slots=config.core.default_pool_task_slot_count)
    if before != now:
        talk(f"The metadata DB at {db.safe_url} is now at revision {now} (before: {before or 'empty'}).")
    return ensure_first_admin(db)


def _welcome(
    config: Config, db: Database, size: Size, login: tuple[str, str] | None, folder: Path, stop: threading.Event
) -> None:
    """Say where to look once all are there; say who is missing when it takes long."""
    deadline = time.monotonic() + READY_SECONDS
    while missing := _missing(config, db, size):
        if stop.wait(0.25):
            return
        if time.monotonic() > deadline:
            talk(f"Still missing after {READY_SECONDS:g} s: {', '.join(missing)}. What they said stands above.")
            deadline = float("inf")
    shown = "localhost" if config.api.host in ("0.0.0.0", "::", "127.0.0.1") else config.api.host
    scheme = "http" if config.api.ssl_cert is None else "https"
    lines = [
        f"A cluster of Tradewind {__version__} is ready: {', '.join(_names(size))}.",
        f"  Web UI     {config.api.base_url or f'{scheme}://{shown}:{config.api.port}'}",
    ]
    if login is not None:
        lines += [f"  Login      {login[0]}", f"  Password   {login[1]}   (shown only now; keep it)"]
    else:
        lines.append("  Login      as before (forgotten: `tradewind users reset-password -u admin`)")
    lines += [
        f"  DAG files  {config.core.dags_folder}",
        f"  Commands   in another terminal, after: . {shlex.quote(str(folder / 'env'))}",
        "  Stop       Ctrl-C",
    ]
    talk("\n".join(["", *lines, ""]))


def _missing(config: Config, db: Database, size: Size) -> list[str]:
    """Return what is not there yet, in words."""
    try:
        with db.read() as tx:
            alive = Counter(process.kind for process in list_processes(tx, alive_at=db.now()))
    except (MetadataError, DBAPIError):
        return ["the metadata DB"]
    wanted = {
        "scheduler": size.schedulers,
        "worker": size.workers,
        "triggerer": size.triggerers,
        "webserver": size.web_servers,
    }
    missing = [f"{count - alive[kind]} {kind}" for kind, count in wanted.items() if alive[kind] < count]
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.api.host, config.api.host)
    try:
        socket.create_connection((target, config.api.port), timeout=1).close()
    except OSError:
        missing.append("the web UI")
    return missing
