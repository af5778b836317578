"""How does a task run where no supervisor is? ``MemoryChannel``: XComs and variables in plain dicts, for one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tradewind.model.orders import AttemptOrder, XComValue
from tradewind.sdk.channel import ConnectionData, FoundXCom, PreviousRun
from tradewind.xcom.policy import XComPolicy


@dataclass(slots=True)
class RunMemory:
    """What the tasks of one run leave and find. Shared by the channels of its attempts."""

    xcoms: dict[tuple[str, int, str], XComValue] = field(default_factory=dict)  # (task id, map index, key)
    variables: dict[str, str] = field(default_factory=dict)
    deleted_variables: set[str] = field(default_factory=set)  # by this run; what is stored elsewhere may have them
    connections: dict[str, ConnectionData] = field(default_factory=dict)
    previous_success: PreviousRun | None = None

    def keep(self, order: AttemptOrder, xcoms: Sequence[XComValue]) -> None:
        """Store the XComs that came with the end of an attempt."""
        for xcom in xcoms:
            self.xcoms[order.task_id, order.map_index, xcom.key] = xcom

    def forget(self, order: AttemptOrder) -> None:
        """Remove the XComs of an attempt's task, as is done before another try."""
        for place in [p for p in self.xcoms if p[:2] == (order.task_id, order.map_index)]:
            del self.xcoms[place]


class MemoryChannel:
    """A :class:`~tradewind.sdk.channel.TaskChannel` over a :class:`RunMemory`. Knows its own run only."""

    def __init__(self, order: AttemptOrder, memory: RunMemory, xcom_policy: XComPolicy | None = None) -> None:
        self.xcom_policy = xcom_policy or XComPolicy()
        self.rendered: dict[str, Any] = {}
        self.secrets: set[str] = set()
        self._order, self._memory = order, memory

    def get_xcom(
        self,
        *,
        dag_id: str | None,
        run_id: str | None,
        task_ids: Sequence[str],
        key: str,
        map_index: int | None,
        include_prior_dates: bool,
    ) -> Sequence[FoundXCom]:
        """Return this run's XComs; another DAG's or run's are never found."""
        if dag_id not in (None, self._order.dag_id) or run_id not in (None, self._order.run_id):
            return []
        return [
            FoundXCom(task_id, index, self._order.run_id, xcom.value, xcom.location)
            for (task_id, index, found_key), xcom in self._memory.xcoms.items()
            if task_id in task_ids and found_key == key and map_index in (None, index)
        ]

    def push_xcom(self, xcom: XComValue) -> None:
        """Keep an XCom."""
        self._memory.keep(self._order, [xcom])

    def get_variable(self, key: str) -> str | None:
        """Return a variable's text, or None."""
        return self._memory.variables.get(key)

    def set_variable(self, key: str, value: str, description: str | None = None) -> None:
        """Create or replace a variable, for this run."""
        self._memory.variables[key] = value
        self._memory.deleted_variables.discard(key)

    def delete_variable(self, key: str) -> bool:
        """Remove a variable, for this run."""
        self._memory.deleted_variables.add(key)
        return self._memory.variables.pop(key, None) is not None

    def get_connection(self, conn_id: str) -> ConnectionData | None:
        """Return a connection, or None."""
        return self._memory.connections.get(conn_id)

    def get_previous_success(self) -> PreviousRun | None:
        """Return what the run was told of its predecessor."""
        return self._memory.previous_success

    def set_rendered_fields(self, fields: Mapping[str, Any]) -> None:
        """Keep the rendered fields in :attr:`rendered`."""
        self.rendered = dict(fields)

    def mask_secret(self, value: str) -> None:
        """Keep a secret in :attr:`secrets`."""
        self.secrets.add(value)
