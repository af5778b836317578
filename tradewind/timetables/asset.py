"""When is a run due that waits for assets? When the condition over them holds; a clock may be part of it too."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from tradewind.errors import DagError
from tradewind.model.spec import TimetableSpec
from tradewind.model.states import RunType
from tradewind.timetables.asset_codec import decode_part, encode_part
from tradewind.timetables.asset_condition import Condition
from tradewind.timetables.asset_mappers import IdentityMapper, PartitionMapper
from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable
from tradewind.timetables.simple import NullTimetable, UnclockedTimetable


class AssetTriggeredTimetable(UnclockedTimetable):
    """Due when a condition over assets holds. ``schedule=[asset, ...]`` or ``schedule=a | b & c``.

    Args:
        assets: a condition, or a list of assets that must all have been updated.

    Attributes:
        assets: the same, as the DAG file gave it; None when the timetable comes from a stored spec.
        condition: as plain data.
    """

    summary = "Asset"
    description = "Triggered by assets"

    def __init__(self, assets: Any) -> None:
        self.assets = assets
        self.condition = condition_of(assets)

    @property
    def is_partitioned(self) -> bool:
        """Whether each run is about one partition."""
        return False

    def _args(self) -> Mapping[str, Any]:
        return {"condition": self.condition}

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> Timetable:
        return cls(_Stored(args["condition"]))


class AssetOrTimeSchedule(AssetTriggeredTimetable):
    """Due when a condition over assets holds, and by the clock of another timetable besides."""

    def __init__(self, *, timetable: Timetable, assets: Any) -> None:
        super().__init__(assets)
        if not isinstance(timetable, Timetable):
            raise DagError(
                f"AssetOrTimeSchedule: timetable is {timetable!r}; expected a timetable such as "
                "CronTriggerTimetable('0 2 * * *', timezone='UTC')."
            )
        if isinstance(timetable, AssetTriggeredTimetable):
            raise DagError("AssetOrTimeSchedule: its timetable waits for assets itself. Combine them in assets=.")
        self.timetable = timetable
        self.summary = f"Asset or {timetable.summary or type(timetable).__name__}"
        self.description = f"Triggered by assets or {timetable.description}"
        self.active_runs_limit = timetable.active_runs_limit  # type: ignore[misc]  # of the other, as in Airflow
        self.can_be_scheduled = timetable.can_be_scheduled  # type: ignore[misc]

    def check(self) -> None:
        """Ask the other timetable, when it is the user's own, whether it is valid."""
        self.timetable.check()

    def next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        return self.timetable.next_run(last_interval, last_run_after, restriction, now)

    def manual_interval(self, run_after: datetime) -> DataInterval:
        return self.timetable.manual_interval(run_after)

    def run_id(
        self,
        run_type: RunType,
        run_after: datetime,
        logical_date: datetime | None = None,
        unique: str = "",
        interval: DataInterval | None = None,
    ) -> str:
        if run_type is RunType.ASSET_TRIGGERED:
            return super().run_id(run_type, run_after, logical_date, unique, interval)
        return self.timetable.run_id(run_type, run_after, logical_date, unique, interval)

    def _args(self) -> Mapping[str, Any]:
        spec = self.timetable.to_spec()
        return {**super()._args(), "timetable": {"kind": spec.kind, "args": spec.args}}

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> Timetable:
        from tradewind.timetables.factory import from_spec  # it knows this class too

        inner = args["timetable"]
        return cls(timetable=from_spec(TimetableSpec(inner["kind"], inner["args"])), assets=_Stored(args["condition"]))


class PartitionedAssetTimetable(AssetTriggeredTimetable):
    """Due for each partition for which the condition holds: its events count by the partition that they belong to.

    Args:
        assets: the condition.
        partition_mapper_config: for assets and references, which partition of the DAG theirs belong to.
        default_partition_mapper: for all others.
    """

    summary = "Partitioned Asset"

    def __init__(
        self,
        *,
        assets: Any,
        partition_mapper_config: Mapping[Any, PartitionMapper] | None = None,
        default_partition_mapper: PartitionMapper | None = None,
    ) -> None:
        super().__init__(assets)
        self.default_mapper = default_partition_mapper or IdentityMapper()
        self._by_name: dict[str, PartitionMapper] = {}
        self._by_uri: dict[str, PartitionMapper] = {}
        for asset, mapper in (partition_mapper_config or {}).items():
            facts = condition_of(asset)
            if "alias" in facts:
                raise DagError("PartitionedAssetTimetable: an alias has no mapper of its own. Name its assets.")
            self._set(facts.get("asset") or facts["asset_ref"], mapper)
        for mapper in (self.default_mapper, *self._by_name.values(), *self._by_uri.values()):
            if not isinstance(mapper, PartitionMapper):
                raise DagError(f"PartitionedAssetTimetable: {mapper!r} is no partition mapper.")

    def _set(self, facts: Mapping[str, Any], mapper: PartitionMapper) -> None:
        if "name" in facts:
            self._by_name[facts["name"]] = mapper
        if "uri" in facts:
            self._by_uri[facts["uri"]] = mapper

    @property
    def is_partitioned(self) -> bool:
        return True

    def mapper_of(self, name: str, uri: str) -> PartitionMapper:
        """Return the mapper for an asset."""
        return self._by_name.get(name) or self._by_uri.get(uri) or self.default_mapper

    def _args(self) -> Mapping[str, Any]:
        return {
            **super()._args(),
            "default": encode_part(self.default_mapper),
            "by_name": {name: encode_part(mapper) for name, mapper in sorted(self._by_name.items())},
            "by_uri": {uri: encode_part(mapper) for uri, mapper in sorted(self._by_uri.items())},
        }

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> Timetable:
        made = cls(assets=_Stored(args["condition"]), default_partition_mapper=decode_part(args["default"]))
        made._by_name = {name: decode_part(data) for name, data in args["by_name"].items()}
        made._by_uri = {uri: decode_part(data) for uri, data in args["by_uri"].items()}
        return made


class PartitionedAtRuntime(NullTimetable):
    """Never due by itself; its tasks say while they run which partitions they have updated."""

    summary = "Partitioned at runtime"
    description = "Only when asked for; its tasks say which partitions they update"


class _Stored:
    """A condition that comes from a spec."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition

    def as_expression(self) -> Condition:
        return self._condition


def condition_of(assets: Any) -> Condition:
    """Return a condition as plain data.

    Raises:
        DagError: something in it is no asset.
    """
    expression = getattr(assets, "as_expression", None)
    if expression is not None:
        found: Condition = expression()
        return found
    if isinstance(assets, str) or not isinstance(assets, Collection):
        raise DagError(
            f"{assets!r} is no asset. Give assets, references and aliases, combined with & and |, or a list."
        )
    return {"all": [condition_of(one) for one in assets]}
