"""Who belongs to a cluster, and what is each told? Servers first, then the processes of Tradewind."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tradewind.config import Config
from tradewind.console.cluster import private_postgres, private_redis
from tradewind.console.cluster.company import Member

SERVERS: Final = 0
"""The stage of what all others need."""
PROCESSES: Final = 1
_TRADEWIND: Final = (sys.executable, "-m", "tradewind.cli")

POSTGRES_SETTINGS: Final = {"listen_addresses": "127.0.0.1", "max_connections": "200", "log_min_messages": "fatal"}


@dataclass(frozen=True, slots=True)
class Size:
    """How many processes of each kind."""

    schedulers: int = 2
    workers: int = 2
    triggerers: int = 1
    web_servers: int = 2


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers that are started here, and the settings by which all processes find them."""

    members: tuple[Member, ...]
    settings: Mapping[str, str]


def private_servers(config: Config, folder: Path) -> Servers:
    """Prepare the servers that the configuration does not name.

    Args:
        folder: where they keep what they keep.

    Raises:
        UsageError: a server that is needed is not installed.
    """
    members, settings = [], {}
    if config.database.sql_alchemy_conn.startswith("sqlite"):
        password, port = private_postgres.keep_password(folder / "postgres.password"), free_port()
        made = private_postgres.prepare(
            folder / "postgres", port=port, settings=POSTGRES_SETTINGS, password=password, sync=True
        )
        owner = private_postgres.OWNER
        settings["TRADEWIND__DATABASE__SQL_ALCHEMY_CONN"] = f"postgresql://{owner}:{password}@127.0.0.1:{port}/{owner}"
        members.append(postgres_member(made))
    if config.sources["celery", "broker_url"].kind == "default":
        word, port = secrets.token_urlsafe(24), free_port()
        command = private_redis.prepare(folder / "redis", port=port, password=word)
        settings["TRADEWIND__CELERY__BROKER_URL"] = f"redis://:{word}@127.0.0.1:{port}/0"
        members.append(Member("redis", command, dict(os.environ), folder=folder / "redis"))
    return Servers(tuple(members), settings)


def postgres_member(made: private_postgres.PrivatePostgres) -> Member:
    """Return the member that is a PostgreSQL server."""
    return Member(
        "postgres",
        made.command,
        made.environ,
        user=made.user,
        folder=made.folder,
        stop_signal=signal.SIGINT,  # cut the connections and write everything down
        orphan_signal=signal.SIGQUIT,  # its own children must end with it
    )


def processes(config: Config, size: Size, environ: Mapping[str, str]) -> Iterator[Member]:
    """Give the processes of Tradewind.

    Args:
        environ: what all of them get.
    """
    # The triggerers of the cluster shall be seen at work; else every scheduler would be one.
    alone = {**environ, "TRADEWIND__TRIGGERER__CAPACITY": "0"}
    for number in range(1, size.schedulers + 1):
        yield _member(f"scheduler-{number}", ("scheduler",), alone)
    for number in range(1, size.workers + 1):
        name = f"worker-{number}"
        queues = f"{config.operators.default_queue},{name}"
        words = ("celery", "worker", "--queues", queues, "--celery-hostname", name)
        yield _member(name, words, environ)
    for number in range(1, size.triggerers + 1):
        capacity = str(config.triggerer.capacity or 10_000)
        yield _member(f"triggerer-{number}", ("triggerer", "--capacity", capacity), environ)
    for number in range(1, size.web_servers + 1):
        place = (f"--host={config.api.host}", f"--port={config.api.port}")
        yield _member(f"web-{number}", ("webserver", *place, "--reuse-port"), environ)


def _member(name: str, words: tuple[str, ...], environ: Mapping[str, str]) -> Member:
    return Member(name, (*_TRADEWIND, *words), environ)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
