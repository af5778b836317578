"""What does a task see of an event of an asset? The asset, what was said of it, and the task that it came from."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tradewind.model.asset_talk import FindSourceRun
from tradewind.sdk import reach
from tradewind.sdk.assets.definitions import Asset, AssetAccessControl, AssetAlias
from tradewind.sdk.instants import pendulum_utc

if TYPE_CHECKING:
    from tradewind.model.asset_talk import AssetFacts, EventFacts, RunFacts


def asset_of(facts: AssetFacts) -> Asset:
    """Return the asset that is stored so. It was checked and normalised when it was stored."""
    asset = Asset.__new__(Asset)
    vars(asset).update(name=facts.name, uri=facts.uri, group=facts.group, extra=dict(facts.extra), watchers=[])
    asset.access_control = AssetAccessControl()
    return asset


class SourceRun:
    """The run that an event came from."""

    def __init__(self, facts: RunFacts) -> None:
        self.dag_id, self.run_id = facts.dag_id, facts.run_id
        self.run_type, self.state, self.conf = facts.run_type, facts.state, facts.conf
        self.partition_key = facts.partition_key
        self.run_after = pendulum_utc(facts.run_after)
        self.logical_date = pendulum_utc(facts.logical_date)
        self.data_interval_start = pendulum_utc(facts.data_interval_start)
        self.data_interval_end = pendulum_utc(facts.data_interval_end)
        self.start_date = pendulum_utc(facts.started_at)
        self.end_date = pendulum_utc(facts.ended_at)

    def __repr__(self) -> str:
        return f"<DagRun {self.dag_id} {self.run_id}>"


class SourceTask:
    """The task instance that an event came from."""

    def __init__(self, dag_run: SourceRun, task_id: str, map_index: int) -> None:
        self.dag_run, self.task_id, self.map_index = dag_run, task_id, map_index
        self.dag_id, self.run_id = dag_run.dag_id, dag_run.run_id

    def xcom_pull(self, *, key: str = "return_value", default: Any = None) -> Any:
        """Return what that task left under ``key``."""
        from tradewind.xcom.store import unpack

        found = reach.channel("xcom_pull of the source of an asset event").get_xcom(
            dag_id=self.dag_id,
            run_id=self.run_id,
            task_ids=[self.task_id],
            key=key,
            map_index=self.map_index,
            include_prior_dates=False,
        )
        value = unpack(found[0].value, found[0].location) if found else None
        return default if value is None else value

    def __repr__(self) -> str:
        return f"<TaskInstance: {self.dag_id}.{self.task_id} {self.run_id}>"


class AssetEvent:
    """One event. Its source has no values when nobody's task made it."""

    def __init__(self, facts: EventFacts) -> None:
        self.id = facts.id
        self.timestamp: datetime = facts.at
        self.asset = asset_of(facts.asset)
        self.uri, self.name, self.group = facts.asset.uri, facts.asset.name, facts.asset.group
        self.extra: dict[str, Any] = dict(facts.extra)
        self.source_dag_id, self.source_run_id = facts.source_dag_id, facts.source_run_id
        self.source_task_id, self.source_map_index = facts.source_task_id, facts.source_map_index
        self.source_aliases = [AssetAlias(name) for name in facts.aliases]
        self.partition_key = facts.partition_key

    @cached_property
    def source_dag_run(self) -> SourceRun | None:
        """The run that it came from, asked for when it is first looked at."""
        if not self.source_dag_id or not self.source_run_id:
            return None
        question = FindSourceRun(self.source_dag_id, self.source_run_id)
        found = reach.channel("source_dag_run of an asset event").ask_assets(question).run
        return None if found is None else SourceRun(found)

    @cached_property
    def source_task_instance(self) -> SourceTask | None:
        """The task instance that it came from."""
        run = self.source_dag_run
        if run is None or self.source_task_id is None:
            return None
        return SourceTask(run, self.source_task_id, self.source_map_index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AssetEvent) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return (
            f"AssetEvent(id={self.id}, asset={self.asset.name!r}, timestamp={self.timestamp.isoformat()!r}, "
            f"extra={self.extra!r}, source_dag_id={self.source_dag_id!r}, source_run_id={self.source_run_id!r}, "
            f"source_task_id={self.source_task_id!r}, partition_key={self.partition_key!r})"
        )
