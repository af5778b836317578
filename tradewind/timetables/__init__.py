"""When are runs due? Timetables: pure objects that turn a schedule into instants. See :class:`Timetable`."""

from __future__ import annotations

from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable
from tradewind.timetables.factory import from_spec, timetable_for
from tradewind.timetables.interval import CronDataIntervalTimetable, DeltaDataIntervalTimetable
from tradewind.timetables.preview import preview, restriction_of
from tradewind.timetables.simple import ContinuousTimetable, NullTimetable, OnceTimetable
from tradewind.timetables.trigger import CronTriggerTimetable, DeltaTriggerTimetable

__all__ = [
    "ContinuousTimetable",
    "CronDataIntervalTimetable",
    "CronTriggerTimetable",
    "DataInterval",
    "DeltaDataIntervalTimetable",
    "DeltaTriggerTimetable",
    "NextRun",
    "NullTimetable",
    "OnceTimetable",
    "Restriction",
    "Timetable",
    "from_spec",
    "preview",
    "restriction_of",
    "timetable_for",
]
