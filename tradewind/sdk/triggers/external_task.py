"""How does a task wait for runs and tasks of other DAGs without a slot?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from tradewind.sdk.run_lookups import LooksAtRuns
from tradewind.sdk.triggers.base import BaseTrigger, TriggerEvent

_PLACE: Final = "airflow.providers.standard.triggers.external_task"


class WorkflowTrigger(BaseTrigger):
    """Fires ``{"status": "success", "failed" or "skipped"}`` once tasks, a group or runs of a DAG are in such states.

    Args:
        external_dag_id: whose runs are looked at.
        run_ids, logical_dates: which of them; one of the two.
        external_task_ids, external_task_group_id: look at these tasks, or at that group, instead of the runs.
        failed_states, skipped_states: one in such a state is enough.
        allowed_states: all must be in one of these.
        poke_interval: seconds between looks.
        soft_fail: kept for whoever reads it.
    """

    def __init__(
        self,
        external_dag_id: str,
        run_ids: list[str] | None = None,
        execution_dates: list[datetime] | None = None,
        logical_dates: list[datetime] | None = None,
        external_task_ids: Collection[str] | None = None,
        external_task_group_id: str | None = None,
        failed_states: Collection[str] | None = None,
        skipped_states: Collection[str] | None = None,
        allowed_states: Collection[str] | None = None,
        poke_interval: float = 2.0,
        soft_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.external_dag_id = external_dag_id
        self.external_task_ids, self.external_task_group_id = external_task_ids, external_task_group_id
        self.failed_states, self.skipped_states = failed_states, skipped_states
        self.allowed_states = allowed_states
        self.run_ids, self.logical_dates = run_ids, logical_dates or execution_dates
        self.poke_interval, self.soft_fail = poke_interval, soft_fail

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        kwargs = {
            "external_dag_id": self.external_dag_id,
            "external_task_ids": _texts(self.external_task_ids),
            "external_task_group_id": self.external_task_group_id,
            "failed_states": _texts(self.failed_states),
            "skipped_states": _texts(self.skipped_states),
            "allowed_states": _texts(self.allowed_states),
            "poke_interval": self.poke_interval,
            "soft_fail": self.soft_fail,
            "run_ids": self.run_ids,
            "logical_dates": self.logical_dates,
        }
        return f"{_PLACE}.WorkflowTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until one of the three holds."""
        wanted = len(self.run_ids or self.logical_dates or ())
        while True:
            for status, states in (("failed", self.failed_states), ("skipped", self.skipped_states)):
                if states and await asyncio.to_thread(self._count, states) > 0:
                    yield TriggerEvent({"status": status})
                    return
            if await asyncio.to_thread(self._count, self.allowed_states) == wanted:
                yield TriggerEvent({"status": "success"})
                return
            await asyncio.sleep(self.poke_interval)

    def _count(self, states: Collection[str] | None) -> int:
        """Return how many of the runs are wholly in these states: all their tasks that matter."""
        wanted = _texts(states)
        place: dict[str, Any] = {"dag_id": self.external_dag_id, "run_ids": self.run_ids}
        place["logical_dates"] = self.logical_dates
        if self.external_task_ids:
            ids = list(self.external_task_ids)
            return LooksAtRuns.get_ti_count(task_ids=ids, states=wanted, **place) // len(ids)
        if self.external_task_group_id:
            runs = LooksAtRuns.get_task_states(task_group_id=self.external_task_group_id, **place)
            return sum(bool(t) and all(state in (wanted or ()) for state in t.values()) for t in runs.values())
        return LooksAtRuns.get_dr_count(states=wanted, **place)


class DagStateTrigger(BaseTrigger):
    """Fires once runs of a DAG are in one of ``states``; the payload says, beside the arguments, how each is.

    Args:
        run_ids, execution_dates: which runs; one of the two.
        poll_interval: seconds between looks.
    """

    def __init__(
        self,
        dag_id: str,
        states: Sequence[str],
        run_ids: list[str] | None = None,
        execution_dates: list[datetime] | None = None,
        poll_interval: float = 5.0,
    ) -> None:
        super().__init__()
        self.dag_id, self.states = dag_id, states
        self.run_ids, self.execution_dates = run_ids, execution_dates
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        kwargs = {
            "dag_id": self.dag_id,
            "states": _texts(self.states),
            "poll_interval": self.poll_interval,
            "run_ids": self.run_ids,
            "execution_dates": self.execution_dates,
        }
        return f"{_PLACE}.DagStateTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until all of them are."""
        wanted = len(self.run_ids or self.execution_dates or ())
        while await asyncio.to_thread(self._count) < wanted:
            await asyncio.sleep(self.poll_interval)
        path, data = self.serialize()
        for run_id in self.run_ids or ():
            data[run_id] = await asyncio.to_thread(LooksAtRuns.get_dagrun_state, self.dag_id, run_id)
        yield TriggerEvent((path, data))

    def _count(self) -> int:
        return LooksAtRuns.get_dr_count(
            dag_id=self.dag_id, run_ids=self.run_ids, logical_dates=self.execution_dates, states=_texts(self.states)
        )


def _texts(values: Collection[str] | None) -> list[str] | None:
    """Return states or ids as plain texts: members of an enumeration would need their class to be read back."""
    return None if values is None else [str(getattr(value, "value", value)) for value in values]
