"""What do the tests of authoring share? DAG files from text, and attempts run in this process."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tradewind.model.orders import AttemptOrder, attempt_id
from tradewind.sdk.dag import DAG
from tradewind.sdk.execution import TaskResult, run_task
from tradewind.sdk.graph import check_acyclic
from tradewind.sdk.loader import load_dag_file
from tradewind.sdk.memory_channel import MemoryChannel, RunMemory
from tradewind.xcom import XComPolicy, decode

DAY = datetime(2024, 3, 5, 2, tzinfo=UTC)


_OF_THE_ORDER = ("map_index", "part", "first_started_at", "resume")


@dataclass
class Rehearsal:
    """One run of one DAG in this process; its tasks are run one by one."""

    dag: DAG
    conf: dict[str, Any] = field(default_factory=dict)
    logical_date: datetime | None = DAY
    run_id: str = "manual__1"
    run_type: str = "manual"
    memory: RunMemory = field(default_factory=RunMemory)
    policy: XComPolicy = field(default_factory=XComPolicy)
    channel: MemoryChannel | None = None
    """Of the attempt that ran last."""

    def order(self, task_id: str, try_number: int = 1, timeout: float | None = None, **changes: Any) -> AttemptOrder:
        task = self.dag.get_task(task_id)
        limit = timeout or (task.execution_timeout.total_seconds() if task.execution_timeout else None)
        order = AttemptOrder(
            attempt_id=attempt_id(1, task_id, -1, try_number),
            fence=1,
            run_pk=1,
            dag_id=self.dag.dag_id,
            run_id=self.run_id,
            task_id=task_id,
            map_index=-1,
            try_number=try_number,
            max_tries=max(0, task.retries) + 1,
            file_path="dag.py",
            version_id=1,
            source_digest="0" * 64,
            run_type=self.run_type,
            run_after=DAY,
            logical_date=self.logical_date,
            data_interval_start=self.logical_date,
            data_interval_end=self.logical_date,
            run_started_at=DAY,
            conf=self.conf,
            execution_timeout_seconds=limit,
        )
        return msgspec.structs.replace(order, **changes)

    def attempt(self, task_id: str, try_number: int = 1, **settings: Any) -> TaskResult:
        changes = {name: settings.pop(name) for name in _OF_THE_ORDER if name in settings}
        order = self.order(task_id, try_number, settings.pop("timeout", None), **changes)
        self.channel = MemoryChannel(order, self.memory, self.policy)
        result = run_task(self.dag, self.dag.get_task(task_id), order, self.channel, **settings)
        self.memory.keep(order, result.xcoms)
        return result

    def all(self) -> dict[str, TaskResult]:
        return {task_id: self.attempt(task_id) for task_id in check_acyclic(self.dag)}

    def xcoms(self, task_id: str) -> dict[str, Any]:
        found = self.memory.xcoms.items()
        return {key: decode(x.value or "null") for (owner, _, key), x in found if owner == task_id}


def load(folder: Path, text: str, name: str = "dag.py") -> list[DAG]:
    """Return the DAGs of a file with this text."""
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return load_dag_file(str(path))


def only(dags: list[DAG]) -> DAG:
    (dag,) = dags
    return dag


def edges(dag: DAG) -> set[str]:
    """Return the edges as texts, ``a>b``."""
    return {f"{up}>{down}" for up, down in dag.edges}
