"""What does an executor need in order to be tried? An installation of its own, and somebody who plays the scheduler.

The metadata DB, the DAG files and the task processes are real. Attempts are stored as a scheduler stores them, then
submitted; what becomes of them is heard where the contract says: from the executor, or in the inbox of their runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from textwrap import dedent, indent
from typing import Final, TypeVar
from uuid import UUID, uuid4

from executors.base import Executor, ExecutorHost
from executors.control_plane import SqlControlPlane
from executors.registry import make_executor
from tradewind.config import Config, load_config, with_secrets
from tradewind.metadata import trial_attempts
from tradewind.metadata.attempts import load_orders
from tradewind.metadata.database import Database
from tradewind.model.orders import AttemptEnded, AttemptOrder, AttemptStarted, Fact

T = TypeVar("T")

PATIENCE_SECONDS: Final = 30.0
"""How long a fact is waited for; reached only when something is broken."""
LOOK_SECONDS: Final = 0.01
_NUMBERS: Final = count(1)


class Installation:
    """A home folder with a metadata DB and DAG files, as it is configured. Closed at the end of a ``with`` block."""

    def __init__(
        self,
        folder: Path,
        executor: str = "LocalExecutor",
        settings: Mapping[str, str] | None = None,
        database_url: str | None = None,
    ) -> None:
        """
        Args:
            folder: an empty one; it becomes the home folder.
            executor: what ``[core] executor`` says. The first is tried.
            settings: more of the configuration: ``{"CELERY__BROKER_URL": "redis://..."}``.
            database_url: an empty metadata DB; None: an SQLite file.
        """
        self.home: Final = folder
        (folder / "dags").mkdir(parents=True, exist_ok=True)
        given = {"DATABASE__SQL_ALCHEMY_CONN": database_url} if database_url else {}
        given |= {"CORE__EXECUTOR": executor, "CORE__LOAD_EXAMPLES": "False", "WORKERS__CANCEL_GRACE_SECONDS": "5"}
        self.environ: Final[dict[str, str]] = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TRADEWIND", "AIRFLOW"))},
            "TRADEWIND_HOME": str(folder),
            **{f"TRADEWIND__{name}": value for name, value in (given | dict(settings or {})).items()},
        }
        """For processes of this installation, such as workers."""
        self.config: Final[Config] = with_secrets(load_config(self.environ))
        self.database: Final = Database(self.config.database.sql_alchemy_conn)
        trial_attempts.prepare(self.database)

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    @contextmanager
    def bench(self) -> Iterator[Bench]:
        """Give a bench on an executor that has been started; it is stopped at the end."""
        named = self.config.core.executor[0]
        plane = SqlControlPlane(self.database, self.config, self.environ)
        host = ExecutorHost(named.name, self.config, uuid4(), plane, self.environ)
        bench = Bench(self, make_executor(named, host))
        bench.executor.start(bench.report)
        try:
            yield bench
        finally:
            bench.executor.stop(1)


class Bench:
    """One executor, a DAG for it, and all that is told of the attempts that were submitted."""

    def __init__(self, installation: Installation, executor: Executor) -> None:
        self.installation, self.executor = installation, executor
        self.dag_id: Final = f"trial_{next(_NUMBERS)}"
        self.folder: Final = installation.config.core.dags_folder
        self._reported: Final[list[Fact]] = []
        self._orders: Final[dict[UUID, AttemptOrder]] = {}

    def report(self, facts: Sequence[Fact]) -> None:
        """Hear what the executor reports."""
        self._reported.extend(facts)

    def write_dag(self, tasks: str, task_ids: Sequence[str], queue: str = "default") -> None:
        """Write the DAG file of this bench, and store its DAG.

        Args:
            tasks: what stands inside ``with DAG(...)``.
            task_ids: the tasks that it makes.
        """
        path = self.folder / f"{self.dag_id}.py"
        body = indent(dedent(tasks).strip(), "    ")
        path.write_text(f"from tradewind import DAG, task\nwith DAG({self.dag_id!r}) as dag:\n{body}\n")
        source = path.read_bytes()
        trial_attempts.save_trial_dag(self.installation.database, self.dag_id, path.name, source, task_ids, queue)

    def order(self, task_id: str, *, map_index: int = -1, queue: str = "default") -> AttemptOrder:
        """Store an attempt of a task, in a run of its own, as a scheduler does before it submits."""
        one = trial_attempts.put_up_attempt(
            self.installation.database,
            self.dag_id,
            f"run_{next(_NUMBERS)}",
            task_id,
            executor=self.executor.name,
            queue=queue,
            map_index=map_index,
            supervisor_id=self.executor.supervisor_id,
        )
        with self.installation.database.read() as tx:
            (order,) = load_orders(tx, [one])
        self._orders[one] = order
        return order

    def submit(self, *orders: AttemptOrder) -> None:
        """Hand orders to the executor."""
        self.executor.submit(orders)

    def cancel(self, *orders: AttemptOrder) -> None:
        """Write down that attempts are not wanted any more, then say so, as a scheduler does."""
        ids = [order.attempt_id for order in orders]
        trial_attempts.cancel_trial(self.installation.database, ids)
        self.executor.cancel(ids)

    def run(self, task_id: str) -> AttemptEnded:
        """Submit an attempt of a task, and return how it ended."""
        order = self.order(task_id)
        self.submit(order)
        return self.end_of(order)

    def facts_of(self, order: AttemptOrder) -> list[Fact]:
        """Return what was told of an attempt so far, by the executor or to its run."""
        reported = [fact for fact in list(self._reported) if fact.attempt_id == order.attempt_id]
        return reported + trial_attempts.told_of(self.installation.database, order.run_pk)

    def ends_of(self, order: AttemptOrder) -> list[AttemptEnded]:
        """Return every end that was told of an attempt: one, unless something is wrong."""
        return [fact for fact in self.facts_of(order) if isinstance(fact, AttemptEnded)]

    def end_of(self, order: AttemptOrder) -> AttemptEnded:
        """Wait for the end of an attempt."""
        return self.wait_for(lambda: next(iter(self.ends_of(order)), None), f"the end of {order.task_id}")

    def start_of(self, order: AttemptOrder) -> AttemptStarted:
        """Wait until it is told that an attempt has started."""

        def started() -> AttemptStarted | None:
            return next((fact for fact in self.facts_of(order) if isinstance(fact, AttemptStarted)), None)

        return self.wait_for(started, f"the start of {order.task_id}")

    def wait_for(self, look: Callable[[], T | None], what: str) -> T:
        """Return the first thing that ``look`` finds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := look()) is None:
            if time.monotonic() >= deadline:
                raise AssertionError(f"{what} was not told within {PATIENCE_SECONDS:g} s")
            time.sleep(LOOK_SECONDS)
        return found
