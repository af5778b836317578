"""Waits for tests of the triggerer: a run whose tasks have let go of their slots, and what is said to it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update

from executors.runner.log_paths import attempt_log_path
from scheduler.triggerer.host import Triggerer
from tests.engine.world import add_run, dag, store, task
from tests.support.waiting import wait_until
from tradewind.config import Config
from tradewind.metadata import waits
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt, DagVersion, RunInbox, TaskInstance
from tradewind.metadata.waits import NewWait
from tradewind.model.orders import Wait
from tradewind.model.parsed import source_digest
from tradewind.model.states import AttemptState, TaskState
from tradewind.xcom.event_text import Said, read_event
from tradewind.xcom.serde import encode

MODULE = '''
"""Triggers of the tests."""
import asyncio, os, time
from airflow.triggers.base import BaseTrigger, TriggerEvent
from airflow.sdk import Variable, BaseHook, Connection


class Base(BaseTrigger):
    def __init__(self, **given):
        super().__init__()
        self.given = given

    def serialize(self):
        return f"{type(self).__module__}.{type(self).__qualname__}", self.given

    def note(self, what):
        path = self.given.get("notes")
        if path:
            with open(path, "a") as file:
                file.write(f"{what} {os.getpid()}\\n")


class Echo(Base):
    async def run(self):
        yield TriggerEvent(self.given["value"])


class Says(Base):
    async def run(self):
        self.log.info("a line of the log, and a secret: %s", self.given.get("secret"))
        print("a line of print")
        yield TriggerEvent(None)


class Fails(Base):
    async def run(self):
        raise ValueError("no such bucket")
        yield


class Exits(Base):
    async def run(self):
        raise SystemExit(3)
        yield


class Nothing(Base):
    async def run(self):
        return
        yield


class NoGenerator(Base):
    async def run(self):
        return TriggerEvent(1)


class NoEvent(Base):
    async def run(self):
        yield 5


class Stubborn(Base):
    def __init__(self, **given):
        raise RuntimeError("cannot be made")

    async def run(self):
        yield TriggerEvent(None)


class Blocks(Base):
    async def run(self):
        time.sleep(self.given["seconds"])
        yield TriggerEvent("done")


class Forever(Base):
    """Runs until it is told to end; leaves notes."""

    async def run(self):
        self.note("run")
        try:
            while not os.path.exists(self.given.get("until", "/nowhere")):
                await asyncio.sleep(0.02)
            yield TriggerEvent("released")
        finally:
            self.note("end")

    async def cleanup(self):
        self.note("cleanup")

    async def on_kill(self):
        self.note("on_kill")


class Asks(Base):
    async def run(self):
        here = Variable.get("colour")
        there = await asyncio.to_thread(Variable.get, "colour")
        loop = asyncio.get_running_loop()
        pooled = await loop.run_in_executor(None, Variable.get, "colour")
        hook = await asyncio.to_thread(BaseHook.get_connection, "db")
        yield TriggerEvent([here, there, pooled, hook.password])
'''


@dataclass
class Bench:
    """One run of one DAG, whose tasks ``t0``, ``t1`` ... wait."""

    db: Database
    config: Config
    count: int = 8
    source: str = "# nothing"
    run_pk: int = 0
    ids: list[UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        spec = dag("d", *(task(f"t{n}") for n in range(self.count)))
        version = store(self.db, spec)
        (self.config.core.dags_folder / "t.py").write_text(self.source)
        with self.db.write() as tx:
            tx.execute(update(DagVersion).values(source_digest=self._digest(tx)))
        self.run_pk = add_run(self.db, version, "d")

    def _digest(self, tx: Any) -> str:
        from tradewind.metadata.models import DagSource

        digest = source_digest(self.source.encode())
        tx.execute(insert(DagSource).values(digest=digest, source=self.source))
        return digest

    def write_module(self, text: str = MODULE, name: str = "watchers.py") -> None:
        (self.config.core.dags_folder / name).write_text(textwrap.dedent(text))

    def defer(self, trigger: str, *, timeout: float | None = None, queue: str = "default", **kwargs: Any) -> UUID:
        """Let the next task wait for a trigger, as the commit of its run would."""
        (made,) = self.defer_many([(trigger, kwargs)], timeout=timeout, queue=queue)
        return made

    def defer_many(
        self, wanted: Sequence[tuple[str, Mapping[str, Any]]], *, timeout: float | None = None, queue: str = "default"
    ) -> list[UUID]:
        now = datetime.now(UTC)
        first = len(self.ids)
        new = [uuid4() for _ in wanted]
        rows = [
            {
                "id": made, "run_pk": self.run_pk, "task_id": f"t{(first + n) % self.count}",
                "map_index": -1 if len(wanted) <= self.count else first + n, "try_number": 1, "part": 0,
                "state": AttemptState.ENDED, "fence": 1, "executor": "LocalExecutor", "queue": queue,
                "pool": "default_pool", "pool_slots": 1, "queued_at": now, "outcome": "deferred",
            }
            for n, made in enumerate(new)
        ]  # fmt: skip
        tasks = [
            {
                "run_pk": self.run_pk, "task_id": row["task_id"], "map_index": row["map_index"], "dag_id": "d",
                "state": TaskState.DEFERRED, "try_number": 1, "max_tries": 0, "failures": 0, "losses": 0,
                "attempt_id": row["id"],
            }
            for row in rows
        ]  # fmt: skip
        with self.db.write() as tx:
            tx.execute(insert(Attempt), rows)
            tx.execute(insert(TaskInstance), tasks)
            waits.put_waits(
                tx,
                [
                    NewWait(
                        made,
                        self.run_pk,
                        (str(row["task_id"]), int(str(row["map_index"]))),
                        Wait("back", None, trigger, encode(dict(kwargs)) if kwargs else None, timeout),
                    )
                    for made, row, (trigger, kwargs) in zip(new, rows, wanted, strict=True)
                ],
                now,
            )
        self.ids += new
        return new

    # --- what was said to the run ------------------------------------------------------------------------------------

    def said(self) -> dict[UUID, dict[str, Any]]:
        """Every ``wait_over`` in the inbox, by attempt."""
        with self.db.read() as tx:
            rows = tx.execute(select(RunInbox.payload).where(RunInbox.kind == "wait_over")).scalars()
            return {UUID(row["attempt_id"]): row for row in rows}

    def wait_said(self, *ids: UUID, timeout: float = 30) -> list[dict[str, Any]]:
        """Wait until runs have been told of the ends of these waits, and return what."""
        wait_until(lambda: set(ids) <= self.said().keys(), timeout=timeout, what=f"the ends of {len(ids)} waits")
        said = self.said()
        return [said[one] for one in ids]

    def payload(self, wait: UUID) -> Any:
        """Wait for the event of a wait, and return its payload."""
        (told,) = self.wait_said(wait)
        assert told["failure"] is None, told["failure"]
        return self.event(told).payload

    @staticmethod
    def event(told: Mapping[str, Any]) -> Said:
        return read_event(told["event"])

    def failure(self, wait: UUID) -> str:
        """Wait for the failure of a wait, and return it."""
        (told,) = self.wait_said(wait)
        assert told["event"] is None, told["event"]
        return str(told["failure"])

    def log(self, number: int) -> str:
        path = attempt_log_path(self.config.logging.base_log_folder, "d", "r1", f"t{number}", 1)
        return path.read_text() if path.exists() else ""

    def drop(self, *ids: UUID, later: timedelta = timedelta(0)) -> None:
        """Let nobody wait any more, as the commit of the run would."""
        with self.db.write() as tx:
            waits.drop_waits(tx, list(ids), datetime.now(UTC) + later)


def notes(path: Path) -> list[str]:
    """What triggers noted, without their process ids."""
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def process_of(triggerer: Triggerer) -> int:
    """The id of the trigger process, once there is one."""
    return wait_until(lambda: triggerer.process_pid or 0, timeout=20, what="a trigger process")
