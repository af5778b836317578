"""How do the tests of workers have work and watch it? A real scheduler and real workers; the test plays the broker.

The scheduler hands the ids of attempts to ``Broker``, which delivers them as the test says: at once, twice, to another
worker, or never. The metadata DB, the scheduler, the workers, their supervisors and the task processes are real.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update

from executors.base import Report
from executors.worker.host import WorkerHost
from executors.worker.link import LinkLost, WorkerLink
from executors.worker.sql_link import SqlLink
from scheduler.loop import Scheduler
from scheduler.plan import Policy
from tests.engine.world import add_run, dag
from tests.support.waiting import wait_until
from tradewind.config import Config
from tradewind.metadata import processes, runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt, Dag, DagSource, DagVersion, TaskInstance
from tradewind.metadata.pools import ensure_default_pool
from tradewind.metadata.processes import ProcessRecord
from tradewind.model.orders import AttemptOrder
from tradewind.model.parsed import source_digest
from tradewind.model.spec import TaskSpec, encode_spec, version_hash

EXECUTOR = "CeleryExecutor"
PATIENCE = 30.0
HEAD = """
from pathlib import Path
import os, time
from tradewind import DAG, task
HERE = Path(__file__).parent
def note(ti):
    with open(HERE / f"ran-{ti.task_id}", "a") as file:
        file.write(f"{ti.try_number} ")
"""


class Broker:
    """The executor of the scheduler under test: it carries ids, as the test says."""

    name = EXECUTOR
    supervisor_id: UUID | None = None

    def __init__(self) -> None:
        self.deliver: Callable[[list[UUID]], None] = lambda _ids: None
        self.told: list[UUID] = []
        self.cancelled: list[UUID] = []

    def start(self, report: Report) -> None:
        pass

    def capacity(self) -> int | None:
        return None

    def submit(self, orders: Sequence[AttemptOrder]) -> None:
        ids = [order.attempt_id for order in orders]
        self.told.extend(ids)
        self.deliver(ids)

    def cancel(self, attempt_ids: Sequence[UUID]) -> None:
        self.cancelled.extend(attempt_ids)

    def stop(self, grace_seconds: float) -> None:
        pass


class Yard:
    """One installation: a metadata DB, a DAG folder, schedulers and workers that the test starts."""

    def __init__(self, config: Config, database: Database) -> None:
        self.config, self.database, self.broker = config, database, Broker()
        self.folder = config.core.dags_folder
        self._hosts: list[WorkerHost] = []
        self._databases: list[Database] = []

    # --- work ---

    def add_dag(self, body: str, *tasks: TaskSpec, dag_id: str = "d", **fields: Any) -> int:
        """Write a DAG file (``body`` stands inside ``with DAG(...)``) and store the DAG; return its version's id."""
        inside = "\n".join(f"    {line}" for line in dedent(body).strip().splitlines())
        path = self.folder / f"{dag_id}.py"
        path.write_text(f"{HEAD}\nwith DAG({dag_id!r}):\n{inside}\n")
        text, now = path.read_bytes(), datetime.now(UTC)
        spec = dag(dag_id, *tasks, **fields)
        with self.database.write() as tx:
            ensure_default_pool(tx, 128)
            tx.execute(
                insert(Dag).values(
                    dag_id=dag_id, file_path=path.name, is_active=True, is_paused=False, version_id=None,
                    max_active_runs=16, schedule_summary="", owners="", created_at=now, parsed_at=now,
                )
            )  # fmt: skip
            tx.execute(insert(DagSource).values(digest=source_digest(text), source=text.decode()))
            version_id: int = tx.execute(
                insert(DagVersion)
                .values(
                    dag_id=dag_id, number=1, hash=version_hash(spec, text), spec=encode_spec(spec).decode(),
                    source_digest=source_digest(text), file_path=path.name, created_at=now,
                )
                .returning(DagVersion.id)
            ).scalar_one()  # fmt: skip
            tx.execute(update(Dag).where(Dag.dag_id == dag_id).values(version_id=version_id))
        return version_id

    def run(self, version_id: int, dag_id: str = "d", number: int = 1) -> int:
        """Start a run; return its key."""
        return add_run(self.database, version_id, dag_id, number)

    # --- who works ---

    @contextmanager
    def scheduler(self, lease: float = 3.0) -> Iterator[Scheduler]:
        """A scheduler in a thread, stopped on leaving."""
        database = self._connect()
        scheduler = Scheduler(
            database,
            {EXECUTOR: self.broker},
            process_id=uuid4(),
            default_executor=EXECUTOR,
            parallelism=64,
            policy=Policy(),
            lease=timedelta(seconds=lease),
            poll_seconds=0.5,
        )
        thread = threading.Thread(target=scheduler.run, name="scheduler")
        thread.start()
        assert scheduler.wait_ready(PATIENCE)
        try:
            yield scheduler
        finally:
            scheduler.stop()
            thread.join(timeout=PATIENCE)
            assert not thread.is_alive()

    def link(self) -> SqlLink:
        """A link with connections of its own."""
        return SqlLink(self._connect(), self.config)

    def worker(
        self, link: WorkerLink | None = None, slots: int = 8, queues: Sequence[str] = ("default",)
    ) -> WorkerHost:
        """Start a worker, stopped with the yard."""
        host = WorkerHost(self.config, link or self.link(), executor=EXECUTOR, queues=queues, slots=slots)
        self._hosts.append(host)
        host.start()
        return host

    def close(self) -> None:
        for host in self._hosts:
            host.stop(1)
        for database in self._databases:
            database.close()

    def _connect(self) -> Database:
        self._databases.append(Database(self.config.database.sql_alchemy_conn))
        return self._databases[-1]

    # --- what is seen ---

    def wait_over(self, *run_pks: int) -> None:
        """Wait until runs have ended."""
        wait_until(lambda: all(run.ended_at for run in self._runs(run_pks)), PATIENCE, what="the end of the runs")

    def state_of(self, run_pk: int) -> str:
        return self._runs([run_pk])[0].state.value

    def _runs(self, run_pks: Sequence[int]) -> list[runs.RunRecord]:
        with self.database.read() as tx:
            return runs.get_runs(tx, run_pks)

    def losses(self, run_pk: int) -> int:
        with self.database.read() as tx:
            return sum(tx.execute(select(TaskInstance.losses).where(TaskInstance.run_pk == run_pk)).scalars())

    def attempts(self, run_pk: int) -> list[tuple[str, int, str, str | None]]:
        """Return task, try, state and outcome of all attempts of a run."""
        query = select(Attempt.task_id, Attempt.try_number, Attempt.state, Attempt.outcome).where(
            Attempt.run_pk == run_pk
        )
        with self.database.read() as tx:
            return sorted((row[0], row[1], row[2].value, row[3]) for row in tx.execute(query))

    def ran(self, task_id: str) -> str:
        """Return the tries of a task that have begun, as it noted itself."""
        path = self.folder / f"ran-{task_id}"
        return path.read_text().strip() if path.exists() else ""

    def wait_ran(self, task_id: str, tries: str = "1") -> None:
        wait_until(lambda: self.ran(task_id) == tries, PATIENCE, what=f"try {tries} of {task_id}")

    def open_gate(self) -> None:
        """Let tasks go on that wait for the file ``gate``."""
        (self.folder / "gate").touch()

    def process(self, worker_id: UUID) -> ProcessRecord:
        with self.database.read() as tx:
            return next(one for one in processes.list_processes(tx) if one.id == worker_id)


class Leaky:
    """A link that loses answers: the named calls are made, and then fail, as often as said."""

    def __init__(self, link: WorkerLink, **losses: int) -> None:
        self._link, self.losses = link, losses
        self.desk = link.desk
        self.lost: list[str] = []

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._link, name)

        def made(*args: Any, **kwargs: Any) -> Any:
            answer = call(*args, **kwargs)
            if self.losses.get(name, 0) > 0 and self._is_worth_losing(name, answer):
                self.losses[name] -= 1
                self.lost.append(name)
                raise LinkLost("The answer got lost.")
            return answer

        return made

    @staticmethod
    def _is_worth_losing(name: str, answer: Any) -> bool:
        return bool(answer) if name == "claim" else bool(answer.orders) if name == "look" else True
