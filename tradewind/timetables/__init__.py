"""When are runs due? Timetables: pure objects that turn a schedule into instants. See :class:`Timetable`."""

from __future__ import annotations

from tradewind.timetables.asset import (
    AssetOrTimeSchedule,
    AssetTriggeredTimetable,
    PartitionedAssetTimetable,
    PartitionedAtRuntime,
)
from tradewind.timetables.asset_cron import CronPartitionTimetable
from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable
from tradewind.timetables.events import EventsTimetable
from tradewind.timetables.factory import from_spec, timetable_for
from tradewind.timetables.interval import CronDataIntervalTimetable, DeltaDataIntervalTimetable
from tradewind.timetables.multiple import MultipleCronTriggerTimetable
from tradewind.timetables.own import OwnCodeNeeded, OwnTimetable, needs_own_code
from tradewind.timetables.policy import is_excluded, next_planned
from tradewind.timetables.preview import preview, restriction_of
from tradewind.timetables.simple import ContinuousTimetable, NullTimetable, OnceTimetable
from tradewind.timetables.trigger import CronTriggerTimetable, DeltaTriggerTimetable
from tradewind.timetables.values import DagRunInfo, TimeRestriction

__all__ = [
    "AssetOrTimeSchedule",
    "AssetTriggeredTimetable",
    "ContinuousTimetable",
    "CronDataIntervalTimetable",
    "CronPartitionTimetable",
    "CronTriggerTimetable",
    "DagRunInfo",
    "DataInterval",
    "DeltaDataIntervalTimetable",
    "DeltaTriggerTimetable",
    "EventsTimetable",
    "MultipleCronTriggerTimetable",
    "NextRun",
    "NullTimetable",
    "OnceTimetable",
    "OwnCodeNeeded",
    "OwnTimetable",
    "PartitionedAssetTimetable",
    "PartitionedAtRuntime",
    "Restriction",
    "TimeRestriction",
    "Timetable",
    "from_spec",
    "is_excluded",
    "needs_own_code",
    "next_planned",
    "preview",
    "restriction_of",
    "timetable_for",
]
