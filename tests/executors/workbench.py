"""How do the tests of executors order work and wait for what comes of it? With a real executor, and facts as events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar
from uuid import uuid4

from executors.base import Executor
from executors.runner.log_paths import attempt_log_path
from tradewind.config import Config
from tradewind.model.orders import AttemptEnded, AttemptOrder, AttemptStarted, Fact
from tradewind.model.parsed import source_digest

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds to wait for facts; reached only when something is broken."""


@dataclass
class Workbench:
    """One executor, the DAG folder it reads from, and all facts that it has reported."""

    config: Config
    executor: Executor
    facts: list[Fact] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> Workbench:
        self.executor.start(self.report)
        return self

    def report(self, facts: Sequence[Fact]) -> None:
        with self._news:
            self.facts.extend(facts)
            self._news.notify_all()

    def write_dag(self, body: str, name: str = "file.py", dag_id: str = "d") -> None:
        """Write a DAG file: ``body`` stands inside ``with DAG(dag_id)``."""
        inside = "\n".join(f"    {line}" for line in dedent(body).strip().splitlines())
        self.write(f"from tradewind import DAG, task\nwith DAG({dag_id!r}) as dag:\n{inside}\n", name)

    def write(self, text: str, name: str = "file.py") -> None:
        (self.config.core.dags_folder / name).write_text(dedent(text))

    def order(self, task_id: str, name: str = "file.py", dag_id: str = "d", **changes: Any) -> AttemptOrder:
        """Return an order of a task of the file as it is now."""
        path = self.config.core.dags_folder / name
        at = datetime(2026, 1, 5, 2, tzinfo=UTC)
        values: dict[str, Any] = {
            "attempt_id": uuid4(),
            "fence": 1,
            "run_pk": 1,
            "dag_id": dag_id,
            "run_id": "scheduled__2026-01-05T02:00:00+00:00",
            "task_id": task_id,
            "map_index": -1,
            "try_number": 1,
            "max_tries": 1,
            "file_path": name,
            "version_id": 1,
            "source_digest": source_digest(path.read_bytes()) if path.exists() else "",
            "run_type": "scheduled",
            "run_after": at,
            "logical_date": at,
            "data_interval_start": at,
            "data_interval_end": at,
            "run_started_at": at,
        }
        return AttemptOrder(**(values | changes))

    def run(self, *orders: AttemptOrder) -> list[AttemptEnded]:
        """Submit, wait for the ends, and return them in the order of the orders."""
        self.executor.submit(orders)
        return [self.end_of(order) for order in orders]

    def run_task(self, task_id: str, **changes: Any) -> AttemptEnded:
        return self.run(self.order(task_id, **changes))[0]

    def end_of(self, order: AttemptOrder) -> AttemptEnded:
        """Wait for the end of an attempt."""
        return self.wait_for(lambda: next(iter(self.ends_of(order)), None), f"the end of {order.task_id}")

    def start_of(self, order: AttemptOrder) -> AttemptStarted:
        """Wait until it is told that an attempt has started."""
        return self.wait_for(
            lambda: next(
                (f for f in self.facts if isinstance(f, AttemptStarted) and f.attempt_id == order.attempt_id), None
            ),
            f"the start of {order.task_id}",
        )

    def ends_of(self, order: AttemptOrder) -> list[AttemptEnded]:
        """Return every end that was told of an attempt: one, unless something is wrong."""
        return [f for f in self.facts if isinstance(f, AttemptEnded) and f.attempt_id == order.attempt_id]

    def wait_for(self, look: Callable[[], T | None], what: str) -> T:
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while (found := look()) is None:
                if not self._news.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{what} was not told within {PATIENCE:g} s; told were {self.facts}")
            return found

    def log_of(self, order: AttemptOrder) -> str:
        return self.log_path(order).read_text()

    def log_path(self, order: AttemptOrder) -> Path:
        base = self.config.logging.base_log_folder
        return attempt_log_path(base, order.dag_id, order.run_id, order.task_id, order.try_number, order.map_index)
