"""``tradewind celery``: run a worker until it is told to stop; find, drain and stop workers."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from executors.registry import CELERY
from executors.runner.linux import hide_from_others
from tradewind.config import Config, load_config, with_secrets
from tradewind.errors import Conflict, NotFound, TradewindError, UsageError
from tradewind.metadata import processes
from tradewind.metadata.opening import open_database
from tradewind.terminal.logs import log_to_terminal
from tradewind.terminal.options import confirm
from tradewind.terminal.output import emit, talk

REPLY_SECONDS: Final = 3.0
"""How long the answer of a worker is waited for."""
TOKEN_BYTES: Final = 36
COLUMNS: Final = (
    "worker_name", "queues", "executor", "slots", "state", "pid", "version", "started_at", "heartbeat_at",
)  # fmt: skip
"""Of the list of workers; Airflow's come first."""


def worker(
    queues: str | None,
    concurrency: int | None,
    autoscale: str | None,
    celery_hostname: str | None,
    executor: str | None,
    pid: str | None,
    skip_serve_logs: bool,
    without_mingle: bool,
    without_gossip: bool,
) -> None:
    """Run a worker: it takes tasks of its queues."""
    _require_celery()
    from executors.celery.autoscale import Bounds, parse_autoscale
    from executors.celery.pid_file import default_path
    from executors.celery.worker import CeleryWorker, WorkerOptions, run_worker, worker_name

    hide_from_others()
    config = load_config(os.environ)
    for warning in config.warnings:
        talk(f"Warning: {warning}")
    if concurrency is not None and autoscale is not None:
        raise UsageError("A worker has either a fixed number of tasks at once or one that follows its load. Leave out "
                         "--concurrency or --autoscale.")  # fmt: skip
    scale = autoscale if autoscale is not None else "" if concurrency else config.celery.worker_autoscale
    slots = concurrency or config.celery.worker_concurrency
    name = worker_name(celery_hostname)
    options = WorkerOptions(
        name=name,
        executor=_celery_executor(config, executor),
        queues=_queues(queues, config),
        bounds=parse_autoscale(scale) if scale else Bounds(slots, slots),
        stop_seconds=config.celery.worker_stop_seconds,
        pid_file=Path(pid) if pid else default_path(config.home, name),
    )
    if not config.workers.control_plane:
        with open_database(config):
            config = with_secrets(config)  # only now: a mistyped home must not come into being
    log_to_terminal(config.logging.logging_level)

    def on_made(made: CeleryWorker) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: made.on_signal())

    run_worker(config, options, on_made=on_made)


def list_workers(output: str) -> None:
    """List the workers that are alive, by the metadata DB."""
    with open_database() as db:
        with db.read() as tx:
            found = processes.list_processes(tx, kind="worker", alive_at=db.now())
    rows: list[dict[str, Any]] = [
        {
            "worker_name": process.info.get("hostname", process.hostname),
            "queues": ",".join(process.info.get("queues", ())),
            "executor": process.info.get("executor"),
            "slots": process.info.get("slots"),
            "state": "draining" if process.info.get("is_draining") else "active",
            "pid": process.pid,
            "version": process.info.get("version"),
            "started_at": process.started_at,
            "heartbeat_at": process.heartbeat_at,
        }
        for process in sorted(found, key=lambda process: str(process.info.get("hostname")))
    ]
    emit(rows, COLUMNS, output, empty="No worker is alive. Start one with `tradewind celery worker`.")


def drain(celery_hostname: str) -> None:
    """Have a worker take no more tasks, and stay."""
    from executors.celery.app import CONTROL_DRAIN

    _command(CONTROL_DRAIN, celery_hostname, {})
    talk(f"Worker {celery_hostname} takes no more. What it runs goes on to its end.")


def resume(celery_hostname: str) -> None:
    """Have a drained worker take tasks again."""
    from executors.celery.app import CONTROL_RESUME

    _command(CONTROL_RESUME, celery_hostname, {})
    talk(f"Worker {celery_hostname} takes tasks again.")


def shutdown_worker(celery_hostname: str, deadline: float | None) -> None:
    """Have a worker end once its tasks have ended."""
    from executors.celery.app import CONTROL_DRAIN

    _command(CONTROL_DRAIN, celery_hostname, {"is_leaving": True, "deadline_seconds": deadline})
    talk(f"Worker {celery_hostname} takes no more, and ends.")


def shutdown_all_workers(deadline: float | None, yes: bool) -> None:
    """Have all workers end once their tasks have ended."""
    from executors.celery.app import CONTROL_DRAIN

    confirm("All workers of this broker take no more tasks, and end. Go on?", yes)
    told = _broadcast(CONTROL_DRAIN, {"is_leaving": True, "deadline_seconds": deadline}, None)
    talk(f"Told to end: {', '.join(sorted(told)) or 'nobody, since no worker answered'}.")


def stop(pid: str | None) -> None:
    """Have the workers of this home on this machine end."""
    from executors.celery.pid_file import pid_files, running_pid

    files = [Path(pid)] if pid else pid_files(load_config(os.environ).home)
    running = {path: found for path in files if (found := running_pid(path)) is not None}
    if not running:
        where = f" with the pid file {pid}" if pid else ""
        raise Conflict(
            f"No worker of this home runs on this machine{where}. `tradewind celery list-workers` shows all."
        )
    for path, number in running.items():
        os.kill(number, signal.SIGTERM)
        talk(f"Told process {number} ({path.name}) to stop.")


def flower(
    hostname: str,
    port: int,
    url_prefix: str | None,
    basic_auth: str | None,
    broker_api: str | None,
    flower_conf: str | None,
) -> None:
    """Run Flower, Celery's own web page, when it is installed."""
    _require_celery()
    from importlib.util import find_spec

    if find_spec("flower") is None:
        raise UsageError("Flower is not installed. Install it where it shall run: pip install flower.")
    config = load_config(os.environ)
    # By the environment, since everybody on this machine may read the words of a command.
    environ = {**os.environ, "CELERY_BROKER_URL": config.celery.broker_url}
    if basic_auth:
        environ["FLOWER_BASIC_AUTH"] = basic_auth
    if broker_api:
        environ["FLOWER_BROKER_API"] = broker_api
    words = [sys.executable, "-m", "celery", "flower", f"--address={hostname}", f"--port={port}"]
    words += [f"--url_prefix={url_prefix}"] if url_prefix else []
    words += [f"--conf={flower_conf}"] if flower_conf else []
    os.execvpe(words[0], words, environ)


def token() -> None:
    """Print a new token for workers over HTTPS."""
    click.echo(secrets.token_urlsafe(TOKEN_BYTES))


def _require_celery() -> None:
    from importlib.util import find_spec

    if find_spec("celery") is None:
        raise UsageError("The package celery is not installed. Install it: pip install 'tradewind[celery]'.")


def _queues(given: str | None, config: Config) -> tuple[str, ...]:
    if given is None:
        return (config.operators.default_queue,)
    queues = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    if not queues:
        raise UsageError(f"--queues is {given!r}; expected names of queues, comma-separated, e.g. default,heavy.")
    return queues


def _celery_executor(config: Config, given: str | None) -> str:
    """Return whose attempts a worker runs: the executor for Celery that is configured, or that is named."""
    if given is not None:
        return given  # a worker away from the schedulers need not have their [core] executor
    names = [one.name for one in config.core.executor if one.target == CELERY]
    if len(names) > 1:
        raise UsageError(
            f"[core] executor has several executors for Celery: {', '.join(names)}. Say with --executor whose tasks "
            "this worker takes."
        )
    return names[0] if names else CELERY


def _command(name: str, destination: str, arguments: Mapping[str, Any]) -> None:
    """Tell one worker, and wait until it says that it has heard.

    Raises:
        NotFound: nobody of that name answered.
        UsageError: the broker cannot be reached.
    """
    from executors.celery.worker import worker_name

    full = worker_name(destination)
    if full not in _broadcast(name, arguments, [full]):
        others = sorted(_broadcast("ping", {}, None, seconds=1.0))
        there = f"Those that hear it: {', '.join(others)}." if others else "No worker hears it at all."
        raise NotFound(
            "Worker",
            full,
            others,
            mend=f"It did not answer at the broker within {REPLY_SECONDS:g} s. {there} One that has lost the broker is "
            "stopped on its machine: `tradewind celery stop`.",
        )


def _broadcast(
    name: str, arguments: Mapping[str, Any], destination: list[str] | None, seconds: float = REPLY_SECONDS
) -> dict[str, Any]:
    """Send a control command, and return what each worker answered."""
    _require_celery()
    from executors.celery.app import make_app, safe_broker

    config = load_config(os.environ)
    try:
        limit = 1 if destination else None
        with make_app(config) as app:
            replies = app.control.broadcast(
                name, arguments=dict(arguments), destination=destination, reply=True, timeout=seconds, limit=limit
            )
    except TradewindError:
        raise
    except Exception as error:  # whatever the driver of a broker raises
        raise UsageError(
            f"The broker {safe_broker(config)} cannot be reached: {error}. Start it, or correct [celery] broker_url."
        ) from error
    return {worker: answer for reply in replies or () for worker, answer in reply.items()}
