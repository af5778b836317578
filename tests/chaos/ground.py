"""What stands under a story? A cluster as ``tradewind cluster`` makes it, on servers that may be struck too.

Two "hosts": the processes whose names end in 1, and those whose names end in 2. Each process is started again a second
after it has ended, whatever ended it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import redis

from tests.chaos.outside import Effect, Outside
from tests.chaos.workload import PARALLELISM, POOL, POOL_SLOTS, write_dags
from tests.support.waiting import wait_until
from tradewind.config import Config, load_config, with_secrets
from tradewind.console.cluster import private_postgres, private_redis
from tradewind.console.cluster.company import Company, Member
from tradewind.console.cluster.members import PROCESSES, SERVERS, Size, free_port, postgres_member, processes
from tradewind.metadata.dags import find_dag
from tradewind.metadata.database import Database
from tradewind.metadata.migrate import migrate
from tradewind.metadata.pools import PoolData, set_pool
from tradewind.metadata.processes import list_processes

LEASE_SECONDS: Final = 4.0
HOSTS: Final = ("1", "2")
SIZE: Final = Size(web_servers=1)
_PASSWORD: Final = "known-to-the-tests"
_POSTGRES: Final = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "track_commit_timestamp": "on",  # the order in which commits became visible, for the laws
    "log_min_messages": "fatal",
}


class Ground:
    """Servers and processes. A context manager: on leaving, everything is ended."""

    def __init__(
        self,
        folder: Path,
        outside: Outside,
        *,
        size: Size = SIZE,
        address: str = "127.0.0.1",
        broker_url: str | None = None,
        is_durable: bool = False,
        settings: Mapping[str, str] | None = None,
        of_host: Callable[[Member], Member] = lambda member: member,
    ) -> None:
        """
        Args:
            folder: of its own, which every user may enter, with a short path.
            address: a second address of this machine at which PostgreSQL and Redis are reached too.
            broker_url: of a broker that is there; None: a Redis server of its own.
            is_durable: PostgreSQL writes to the disk as it does by default.
            settings: further environment variables.
            of_host: changes a process before it is started: gives it another network, clock or disk.
        """
        self.folder, self.outside, self.size, self.broker_url = folder, outside, size, broker_url
        self._of_host = of_host
        self._stop = threading.Event()
        self.lines: Final = _Lines(folder / "output")
        self.company: Final = Company(self.lines, gives_up=False)
        self._postgres_port, self._redis_port = free_port(), free_port()
        addresses = ",".join(dict.fromkeys(("127.0.0.1", address)))
        fast = {} if is_durable else {"fsync": "off", "full_page_writes": "off"}
        self._made = private_postgres.prepare(
            folder / "postgres",
            port=self._postgres_port,
            settings={**_POSTGRES, **fast, "listen_addresses": addresses},
            password=_PASSWORD,
            sync=False,
        )
        with (folder / "postgres" / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.213.0.0/16 scram-sha-256\n")
        self._redis = private_redis.prepare(
            folder / "redis", port=self._redis_port, password=_PASSWORD, bind=addresses.replace(",", " ")
        )
        self.environ: Final = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("TRADEWIND", "AIRFLOW"))},
            "TRADEWIND_HOME": str(folder / "home"),
            "TRADEWIND__CORE__LOAD_EXAMPLES": "False",
            "TRADEWIND__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "TRADEWIND__CORE__EXECUTOR": "CeleryExecutor",
            "TRADEWIND__CORE__PARALLELISM": str(PARALLELISM),
            "TRADEWIND__CELERY__WORKER_CONCURRENCY": "8",
            "TRADEWIND__SCHEDULER__LEASE_SECONDS": str(LEASE_SECONDS),
            "TRADEWIND__SCHEDULER__POLL_SECONDS": "1",
            "TRADEWIND__SCHEDULER__MAX_INFRASTRUCTURE_LOSSES": "50",
            "TRADEWIND__API__PORT": str(free_port()),
            "CHAOS_OUTSIDE": outside.url,
            **self.servers_at("127.0.0.1"),
            **(settings or {}),
        }
        (folder / "home" / "dags").mkdir(parents=True)
        write_dags(folder / "home" / "dags")
        self.config: Config = with_secrets(load_config(self.environ))
        self.db: Final = Database(self.config.database.sql_alchemy_conn)
        self.members: dict[str, Member] = {}
        self._loop = threading.Thread(target=self._run, name="company", daemon=True)

    def servers_at(self, address: str) -> dict[str, str]:
        """Return the settings by which a process finds the servers at an address of this machine."""
        owner = private_postgres.OWNER
        database = f"postgresql://{owner}:{_PASSWORD}@{address}:{self._postgres_port}/{owner}"
        broker = self.broker_url or f"redis://:{_PASSWORD}@{address}:{self._redis_port}/0"
        return {
            "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": database,
            "TRADEWIND__CELERY__BROKER_URL": broker.replace("127.0.0.1", address),
        }

    # --- life --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Ground:
        self._loop.start()
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._loop.join()
        self.company.end()
        self.db.close()
        self.lines.close()

    def _run(self) -> None:
        self.company.run(self._stop)

    def _begin(self) -> None:
        servers = [postgres_member(self._made)]
        if self.broker_url is None:
            servers.append(Member("redis", self._redis, dict(os.environ)))
        self.company.start(*servers, stage=SERVERS)
        wait_until(self.postgres_answers, 60, what="PostgreSQL")
        migrate(self.db)
        with self.db.write() as tx:
            set_pool(tx, PoolData(POOL, POOL_SLOTS, "few at once", False))
        self.members = {
            member.name: self._of_host(replace(member, environ={**member.environ, "CHAOS_WORKER": member.name}))
            for member in processes(self.config, self.size, self.environ)
        }
        self.company.start(*self.members.values(), stage=PROCESSES)
        wait_until(self._is_ready, 90, every=0.1, what="the cluster")

    def _is_ready(self) -> bool:
        with self.db.read() as tx:
            kinds = [process.kind for process in list_processes(tx, alive_at=self.db.now())]
            has_dag = find_dag(tx, "single") is not None
        for kind, count in (("scheduler", self.size.schedulers), ("worker", self.size.workers)):
            assert kinds.count(kind) >= count, f"{kinds.count(kind)} of {count} {kind}s; {self.lines.tail()}"
        return has_dag

    # --- looks -------------------------------------------------------------------------------------------------------

    def postgres_answers(self) -> bool:
        """Whether the metadata DB takes connections now."""
        try:
            psycopg.connect(self.postgres_url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def postgres_url(self) -> str:
        """The metadata DB, as psycopg takes it."""
        return self.environ["TRADEWIND__DATABASE__SQL_ALCHEMY_CONN"]

    def redis(self) -> redis.Redis:
        """Return a client of the broker."""
        return redis.Redis(port=self._redis_port, password=_PASSWORD, socket_timeout=5)

    def below(self, name: str, title: str) -> list[psutil.Process]:
        """Return the processes below a member that call themselves so."""
        pid = self.company.pid(name)
        found = []
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(pid).children(recursive=True) if pid is not None else ():
                with suppress(psutil.NoSuchProcess):
                    if process.name() == title:
                        found.append(process)
        return found

    def at_work(self, worker: str | None = None) -> list[Effect]:
        """Return the starts, on one worker or all, whose process is still there and has not done its work."""
        return [effect for effect in self.outside.at_work(worker) if _is_there(effect)]

    def is_quiet(self) -> bool:
        """Whether every member is up."""
        return all(self.company.pid(name) is not None for name in self.members)

    def wait_quiet(self, timeout: float = 60) -> None:
        """Wait until every member is up."""
        wait_until(self.is_quiet, timeout, every=0.05, what="every member is up")


def _is_there(effect: Effect) -> bool:
    """Whether the process of this effect lives; not another one that got its number since."""
    try:
        process = psutil.Process(effect.pid)
        return process.name() == "tradewind-task" and process.create_time() <= effect.at.timestamp() + 1
    except psutil.NoSuchProcess:
        return False


class _Lines:
    """What members print: a file for each."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._files: dict[str, Any] = {}

    def __call__(self, name: str, line: str) -> None:
        if name not in self._files:
            self._files[name] = (self._folder / f"{name}.log").open("w", buffering=1)
        self._files[name].write(f"{time.strftime('%H:%M:%S')} {line}\n")

    def tail(self, size: int = 1500) -> str:
        """Return the end of what each has printed."""
        parts = (f"--- {path.name}\n{path.read_text()[-size:]}" for path in sorted(self._folder.glob("*.log")))
        return "\n".join(parts)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
