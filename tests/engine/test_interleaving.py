"""Is anything said to a run ever left lying? Senders are let in at named instants of the scheduler's commit.

The scheduler polls once an hour here, so that only the doorbell can make it look: a message that is committed at a bad
instant, and whose bell is taken for an older one, would stay in the inbox and fail the test.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from tests.engine.world import add_run, dag, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind import faults
from tradewind.metadata.database import Database
from tradewind.metadata.inbox import Message, send
from tradewind.metadata.models import RunInbox
from tradewind.model.orders import AttemptOrder

TRIES = 10_000
SENDERS = 4
POINTS = ("scheduler-before-commit", "scheduler-after-commit")


class Gate:
    """Stands in the scheduler's thread: at each point it lets every sender say one thing, then goes on."""

    def __init__(self, database: Database) -> None:
        self.sent = 0
        self._database = database
        self._numbers = itertools.count()
        self._tickets: queue.Queue[int | None] = queue.Queue()
        self._runs: list[int] = []
        self._threads = [threading.Thread(target=self._send_all, daemon=True) for _ in range(SENDERS)]

    def open(self, run_keys: list[int]) -> None:
        self._runs = run_keys
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        for _ in self._threads:
            self._tickets.put(None)
        for thread in self._threads:
            thread.join(timeout=30)

    def pass_by(self, point: str) -> None:
        if point in POINTS and self._runs and self.sent < TRIES:
            self.sent += SENDERS
            for _ in range(SENDERS):
                self._tickets.put(next(self._numbers))
            # Senders on PostgreSQL commit while the scheduler's transaction is open; on SQLite they wait for it.
            # Either way the scheduler does not wait for them: where exactly they land differs from try to try.

    def _send_all(self) -> None:
        while (number := self._tickets.get()) is not None:
            run_pk = self._runs[number % len(self._runs)]
            fact = {"type": "started", "attempt_id": str(uuid4()), "fence": 1, "run_pk": run_pk, "at": _now()}
            with self._database.write() as tx:
                send(tx, [Message(run_pk, f"try:{number}", "attempt_started", fact)], datetime.now(UTC))


def _now() -> str:
    return datetime.now(UTC).isoformat()


@pytest.fixture
def gate(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate(database)
    monkeypatch.setattr(faults, "crash_point", made.pass_by)
    yield made
    made.close()


@pytest.mark.timeout(240)
def test_no_message_is_stranded_in_ten_thousand_tries(database: Database, gate: Gate) -> None:
    spec = dag("open", task("endless"), max_active_runs=3)
    version = store(database, spec)
    pks = [add_run(database, version, "open", n) for n in range(3)]

    def goes_on(_order: AttemptOrder) -> None:
        return None

    with running_scheduler(database, goes_on, poll_seconds=3600) as executor:
        wait_until(lambda: len(executor.orders) == len(pks))
        gate.open(pks)
        with database.write() as tx:  # the first message; each turn that it causes lets in more
            send(tx, [Message(pks[0], "first", "attempt_started", _first(pks[0]))], datetime.now(UTC))
        wait_until(lambda: gate.sent >= TRIES and waiting(database) == 0, timeout=200, what="an empty inbox")

    assert gate.sent >= TRIES


def _first(run_pk: int) -> dict[str, object]:
    return {"type": "started", "attempt_id": str(uuid4()), "fence": 1, "run_pk": run_pk, "at": _now()}


def waiting(database: Database) -> int:
    with database.read() as tx:
        return tx.execute(select(func.count()).select_from(RunInbox)).scalar_one()
