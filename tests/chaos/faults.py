"""What happens to the cluster? Each fault strikes once and says whose work it hit; what lasts, is healed later."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import psutil
import psycopg
import redis

from executors.celery.app import TASK, broker_queue, make_app
from tests.chaos.ground import LEASE_SECONDS, Ground
from tests.chaos.outside import Effect
from tradewind.faults import KILL_AT

LONG: Final = LEASE_SECONDS * 1.75
"""How long what lasts, lasts: everybody takes the victim for dead meanwhile."""

CUT: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@dataclass(slots=True)
class Struck:
    """One fault as it happened.

    Attributes:
        at: on the clock of the outside table.
        hit: what was at work where it struck.
        heal: ends what lasts; None: it was over at once.
        heal_after: seconds.
    """

    kind: str
    target: str
    at: datetime
    hit: list[Effect] = field(default_factory=list)
    heal: Callable[[], None] | None = None
    heal_after: float = 0.0


Fault = Callable[[Ground, random.Random], Struck | None]
"""Strikes, or returns None when there was nothing to strike."""


_WORDS: Final = {"web": "web server"}


def _kill(kind: str) -> Fault:
    def strike(ground: Ground, chance: random.Random) -> Struck | None:
        name = _some(ground, chance, kind)
        hit = ground.at_work(name)
        struck = Struck(f"kill -9 of a {_WORDS.get(kind, kind)}", name, ground.outside.now(), hit)
        return struck if ground.company.send(name, signal.SIGKILL) else None

    return strike


def kill_supervisor(ground: Ground, chance: random.Random) -> Struck | None:
    """The processes below a worker from which tasks are forked."""
    name = _some(ground, chance, "worker")
    found = ground.below(name, "tradewind-base") + ground.below(name, "tradewind-warm")
    if not found:
        return None
    victim = chance.choice(found)
    struck = Struck("kill -9 of a warm process", name, ground.outside.now(), ground.at_work(name))
    with suppress(psutil.NoSuchProcess):
        victim.kill()
    return struck


def kill_task(ground: Ground, chance: random.Random) -> Struck | None:
    """A process in which user code runs."""
    at_work = ground.at_work()
    if not at_work:
        return None
    victim = chance.choice(at_work)
    struck = Struck("kill -9 of a task", victim.worker, ground.outside.now(), [victim])
    try:
        os.kill(victim.pid, signal.SIGKILL)
    except ProcessLookupError:  # it ended just now
        return None
    return struck


def _pause(kind: str) -> Fault:
    def strike(ground: Ground, chance: random.Random) -> Struck | None:
        name = _some(ground, chance, kind)
        hit = ground.at_work(name)
        struck = Struck(f"SIGSTOP of a {kind} for longer than its lease", name, ground.outside.now(), hit)
        pid = ground.company.pid(name)
        if pid is None or not ground.company.send(name, signal.SIGSTOP):
            return None

        def heal() -> None:
            if ground.company.pid(name) == pid:
                ground.company.send(name, signal.SIGCONT)

        struck.heal, struck.heal_after = heal, LONG
        return struck

    return strike


def crash_postgres(ground: Ground, chance: random.Random) -> Struck | None:
    """As after a power cut: it recovers from its journal."""
    struck = Struck("crash and restart of PostgreSQL", "postgres", ground.outside.now(), ground.at_work())
    return struck if ground.company.send("postgres", signal.SIGQUIT) else None


def restart_postgres(ground: Ground, chance: random.Random) -> Struck | None:
    """As for an update."""
    struck = Struck("restart of PostgreSQL", "postgres", ground.outside.now(), ground.at_work())
    return struck if ground.company.send("postgres", signal.SIGINT) else None


def cut_connections(ground: Ground, chance: random.Random) -> Struck | None:
    """Every connection to the metadata DB ends at once."""
    struck = Struck("all connections to PostgreSQL cut", "postgres", ground.outside.now(), ground.at_work())
    try:
        with psycopg.connect(ground.postgres_url, autocommit=True, connect_timeout=2) as surgeon:
            surgeon.execute(CUT)
    except psycopg.OperationalError:
        return None
    return struck


def restart_redis(ground: Ground, chance: random.Random) -> Struck | None:
    """Whatever it held is gone."""
    struck = Struck("restart of Redis", "redis", ground.outside.now(), ground.at_work())
    return struck if ground.company.send("redis", signal.SIGKILL) else None


def flush_redis(ground: Ground, chance: random.Random) -> Struck | None:
    """All messages and all bindings of queues are gone."""
    struck = Struck("FLUSHALL of Redis", "redis", ground.outside.now(), ground.at_work())
    try:
        ground.redis().flushall()
    except redis.RedisError:
        return None
    return struck


def repeat_messages(ground: Ground, chance: random.Random) -> Struck | None:
    """Messages about attempts that wait, run and have ended come again, several times, in any order, in any queue."""
    at = ground.outside.now()
    try:
        with psycopg.connect(ground.postgres_url, connect_timeout=2) as reader:
            rows = reader.execute(
                "(SELECT id, queue FROM attempt WHERE state <> 'ended')"
                " UNION ALL (SELECT id, queue FROM attempt WHERE state = 'ended' ORDER BY ended_at DESC LIMIT 20)"
            ).fetchall()
    except psycopg.OperationalError:
        return None
    messages = [(str(row[0]), row[1]) for row in rows] * 3
    chance.shuffle(messages)
    app = make_app(ground.config)
    queues = ["default", "worker-1", "worker-2"]
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            for one, queue in messages:
                at_broker = broker_queue("CeleryExecutor", queue if chance.random() < 0.8 else chance.choice(queues))
                app.send_task(TASK, (one,), queue=at_broker, connection=connection, retry=False, ignore_result=True)
    except Exception:  # whatever a broker's driver raises: another fault has it away
        return None
    finally:
        app.close()
    return Struck("messages repeated and reordered", "broker", at) if messages else None


def turn_queue_round(ground: Ground, chance: random.Random) -> Struck | None:
    """What waits at the broker comes in another order."""
    at = ground.outside.now()
    try:
        client = ground.redis()
        waiting = client.lrange("default", 0, -1)
        client.delete("default")
        chance.shuffle(waiting)
        if waiting:
            client.rpush("default", *waiting)
    except redis.RedisError:
        return None
    return Struck("waiting messages shuffled", "redis", at) if waiting else None


POINTS: Final = {
    "scheduler": (
        "scheduler-before-commit:20",
        "scheduler-after-commit:20",
        "scheduler-after-commit:3",
    ),
    "worker": (
        "supervisor-after-run:2",
        "supervisor-after-result:2",
        "worker-after-claim:2",
        "worker-before-report:2",
        "worker-after-report:2",
    ),
}
"""Where processes are killed by themselves, at which pass of the point."""


def kill_at_point(ground: Ground, chance: random.Random) -> Struck | None:
    """The next life of a process ends at a named point; the one after it lives."""
    kind = chance.choice(list(POINTS))
    name = _some(ground, chance, kind)
    point = chance.choice(POINTS[kind])
    member = ground.members[name]
    doomed = replace(member, environ={**member.environ, KILL_AT: point})
    struck = Struck(f"kill -9 of a {kind} at a named point", f"{name} {point}", ground.outside.now())
    struck.hit = ground.at_work(name)
    ground.company.start(doomed, stage=1)
    if not ground.company.send(name, signal.SIGKILL):
        ground.company.start(member, stage=1)
        return None

    def heal() -> None:
        ground.company.start(member, stage=1)
        ground.company.send(name, signal.SIGKILL)  # should it never have come to its point

    struck.heal, struck.heal_after = heal, 6.0
    return struck


def _some(ground: Ground, chance: random.Random, kind: str) -> str:
    return chance.choice([name for name in ground.members if name.startswith(f"{kind}-")])


EVERYWHERE: Final[Mapping[str, Fault]] = {
    "kill_scheduler": _kill("scheduler"),
    "kill_worker": _kill("worker"),
    "kill_supervisor": kill_supervisor,
    "kill_task": kill_task,
    "kill_triggerer": _kill("triggerer"),
    "pause_worker": _pause("worker"),
    "pause_scheduler": _pause("scheduler"),
    "crash_postgres": crash_postgres,
    "restart_postgres": restart_postgres,
    "cut_connections": cut_connections,
    "repeat_messages": repeat_messages,
    "kill_at_point": kill_at_point,
    "kill_web_server": _kill("web"),
}
WEIGHTS: Final[Mapping[str, int]] = {
    "kill_worker": 3,
    "pause_worker": 2,
    "kill_scheduler": 2,
    "crash_postgres": 2,
    "kill_at_point": 3,
    "kill_task": 2,
}
"""How often a fault comes, by the side of those that come once."""
ON_REDIS: Final[Mapping[str, Fault]] = {
    "restart_redis": restart_redis,
    "flush_redis": flush_redis,
    "turn_queue_round": turn_queue_round,
}
