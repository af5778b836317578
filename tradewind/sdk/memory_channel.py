"""How does a task run where no supervisor is? ``MemoryChannel``: XComs and variables in plain dicts, for one run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tradewind.model.asset_talk import AssetAnswer, AssetFacts, AssetQuestion, FindAsset, ReadState, WriteState
from tradewind.model.orders import AttemptOrder, XComValue
from tradewind.sdk.channel import ConnectionData, FoundXCom, PreviousRun
from tradewind.sdk.run_questions import FindRun, RunAnswer, RunFacts, RunQuestion, Triggered, TriggerRun
from tradewind.xcom.policy import XComPolicy

log: Final = logging.getLogger("airflow.task")


@dataclass(slots=True)
class RunMemory:
    """What the tasks of one run leave and find. Shared by the channels of its attempts."""

    xcoms: dict[tuple[str, int, str], XComValue] = field(default_factory=dict)  # (task id, map index, key)
    variables: dict[str, str] = field(default_factory=dict)
    deleted_variables: set[str] = field(default_factory=set)  # by this run; what is stored elsewhere may have them
    connections: dict[str, ConnectionData] = field(default_factory=dict)
    previous_success: PreviousRun | None = None
    triggered: dict[tuple[str, str], RunFacts] = field(default_factory=dict)  # (DAG id, run id)
    asset_states: dict[tuple[str, str], str] = field(default_factory=dict)  # (name or URI of the asset, key) -> JSON

    def trigger(self, wanted: TriggerRun) -> Triggered:
        """Take a run for one that was triggered and has succeeded at once: only a scheduler would run it."""
        at = wanted.run_after or datetime.now(UTC)
        run_id = wanted.run_id
        if (wanted.dag_id, run_id) in self.triggered and not wanted.replaces:
            return Triggered(run_id, is_new=False)
        run = RunFacts(wanted.dag_id, run_id, "operator_triggered", "success", at, wanted.logical_date)
        self.triggered[wanted.dag_id, run_id] = run
        log.warning("No run of DAG %s is started from here; %s is taken for a success.", wanted.dag_id, run_id)
        return Triggered(run_id)

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

    def count_xcoms(self, task_id: str, key: str) -> int:
        """Return how many indexes of a task have left an XCom."""
        return sum(place[0] == task_id and place[2] == key for place in self._memory.xcoms)

    def get_xcom_range(self, task_id: str, key: str, start: int, stop: int) -> Sequence[FoundXCom]:
        """Return a part of those XComs, by map index."""
        places = sorted(place for place in self._memory.xcoms if place[0] == task_id and place[2] == key)
        found = [(place, self._memory.xcoms[place]) for place in places[start:stop]]
        return [FoundXCom(task_id, place[1], self._order.run_id, xcom.value, xcom.location) for place, xcom in found]

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

    def ask_assets(self, question: AssetQuestion) -> AssetAnswer:
        """Take every asset for one that exists, and has had no event; keep its state for this run."""
        match question:
            case FindAsset(name, uri):
                return AssetAnswer(asset=AssetFacts(name or uri or "", uri or name or ""))
            case ReadState(key, name, uri):
                return AssetAnswer(value=self._memory.asset_states.get((name or uri or "", key)))
            case WriteState(key, value, name, uri):
                self._keep_asset_state(name or uri or "", key, value)
        return AssetAnswer()

    def _keep_asset_state(self, asset: str, key: str | None, value: str | None) -> None:
        states = self._memory.asset_states
        if key is not None and value is not None:
            states[asset, key] = value
            return
        for place in [p for p in states if p[0] == asset and key in (None, p[1])]:
            del states[place]

    def ask_about_runs(self, question: RunQuestion) -> RunAnswer:
        """Answer for runs that were triggered from here, which are kept in mind only; nothing is known of others."""
        if isinstance(question, TriggerRun):
            return RunAnswer(triggered=self._memory.trigger(question))
        if isinstance(question, FindRun):
            return RunAnswer(run=self._memory.triggered.get((question.dag_id, question.run_id)))
        return RunAnswer()

    def set_rendered_fields(self, fields: Mapping[str, Any]) -> None:
        """Keep the rendered fields in :attr:`rendered`."""
        self.rendered = dict(fields)

    def mask_secret(self, value: str) -> None:
        """Keep a secret in :attr:`secrets`."""
        self.secrets.add(value)
