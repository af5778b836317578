"""What do tests of links stand on? Runs whose tasks wait for a worker, and a web server before the metadata DB."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import waitress
from sqlalchemy import select
from waitress import wasyncore

from executors.worker.talk import WorkerFacts
from scheduler.loop import Scheduler
from scheduler.plan import Policy
from tests.engine.world import ScriptedExecutor
from tests.support.waiting import wait_until
from tradewind.config import Config
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt
from tradewind.model.states import AttemptState
from webui.app import create_app

TOKEN = "a-token-of-thirty-two-characters"
EXECUTOR = "CeleryExecutor"


def facts(*queues: str, **changes: Any) -> WorkerFacts:
    """What a worker says of itself."""
    values: dict[str, Any] = {"hostname": "w", "pid": 7, "version": "1", "executor": EXECUTOR, "slots": 4}
    return WorkerFacts(queues=queues or ("default",), **(values | changes))


@contextmanager
def scheduler_for_workers(db: Database, lease_seconds: float = 30.0) -> Iterator[None]:
    """A scheduler in a thread that leaves all tasks to workers."""
    process_id = uuid4()
    scheduler = Scheduler(
        db,
        {EXECUTOR: ScriptedExecutor(None, lambda _order: None, name=EXECUTOR)},
        process_id=process_id,
        default_executor=EXECUTOR,
        parallelism=64,
        policy=Policy(),
        lease=timedelta(seconds=lease_seconds),
        poll_seconds=0.2,
    )
    thread = threading.Thread(target=scheduler.run, name="scheduler")
    thread.start()
    assert scheduler.wait_ready(10)
    try:
        yield
    finally:
        scheduler.stop()
        thread.join(timeout=20)


def waiting(db: Database, count: int, state: AttemptState = AttemptState.QUEUED) -> dict[str, UUID]:
    """Wait until so many attempts wait for a worker; return them by their tasks."""

    def found() -> dict[str, UUID]:
        with db.read() as tx:
            rows = tx.execute(select(Attempt.task_id, Attempt.id).where(Attempt.state == state)).all()
        assert len(rows) == count, rows
        return {row.task_id: row.id for row in rows}

    return wait_until(found, what=f"{count} attempts that are {state.value}")


def attempt_state(db: Database, attempt_id: UUID) -> str:
    """Where an attempt stands."""
    with db.read() as tx:
        return tx.execute(select(Attempt.state).where(Attempt.id == attempt_id)).scalar_one().value


def now() -> datetime:
    """An instant for facts."""
    return datetime.now(UTC)


@contextmanager
def web_server(config: Config, db: Database) -> Iterator[str]:
    """A web server in threads of this process; gives its address."""
    app = create_app(config, db)
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=8, max_request_body_size=65 << 20)
    thread = threading.Thread(target=server.run, name="web server")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.task_dispatcher.shutdown()
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        thread.join(timeout=10)
        app.extensions["tradewind"].hub.close()


def remote(environ: Mapping[str, str], url: str, token: str = TOKEN) -> dict[str, str]:
    """The settings of a worker that reaches the control plane at this address."""
    return {**environ, "TRADEWIND__WORKERS__CONTROL_PLANE": url, "TRADEWIND__WORKERS__TOKEN": token}
