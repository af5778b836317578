"""Which timetable does a DAG mean? From what its file says, and from a stored spec back to the same one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta, tzinfo
from typing import Final

from dateutil.relativedelta import relativedelta

from tradewind.errors import DagError, did_you_mean
from tradewind.model.spec import TimetableSpec
from tradewind.timetables.asset import (
    AssetOrTimeSchedule,
    AssetTriggeredTimetable,
    PartitionedAssetTimetable,
    PartitionedAtRuntime,
)
from tradewind.timetables.asset_cron import CronPartitionTimetable
from tradewind.timetables.base import Timetable
from tradewind.timetables.cronwords import PRESETS
from tradewind.timetables.events import EventsTimetable
from tradewind.timetables.interval import CronDataIntervalTimetable, DeltaDataIntervalTimetable
from tradewind.timetables.multiple import MultipleCronTriggerTimetable
from tradewind.timetables.own import OwnTimetable
from tradewind.timetables.simple import ContinuousTimetable, NullTimetable, OnceTimetable
from tradewind.timetables.trigger import CronTriggerTimetable, DeltaTriggerTimetable

_PLAIN: Final[Mapping[str, type[Timetable]]] = {"@once": OnceTimetable, "@continuous": ContinuousTimetable}
_KINDS: Final[Mapping[str, type[Timetable]]] = {
    kind.__name__: kind
    for kind in (
        AssetOrTimeSchedule,
        AssetTriggeredTimetable,
        ContinuousTimetable,
        CronDataIntervalTimetable,
        CronPartitionTimetable,
        CronTriggerTimetable,
        DeltaDataIntervalTimetable,
        DeltaTriggerTimetable,
        EventsTimetable,
        MultipleCronTriggerTimetable,
        NullTimetable,
        OnceTimetable,
        OwnTimetable,
        PartitionedAssetTimetable,
        PartitionedAtRuntime,
    )
}


def timetable_for(
    schedule: object, timezone: str | tzinfo = "UTC", create_cron_data_intervals: bool = False
) -> Timetable:
    """Return the timetable that ``DAG(schedule=...)`` means.

    Args:
        schedule: a preset, a cron string, a timedelta or relativedelta, None, assets, or a timetable, which is given
            back.
        timezone: of the DAG; the wall clock that a cron string goes by.
        create_cron_data_intervals: runs at the end of data intervals (Airflow 2) instead of at ticks. Decides for
            cron strings and durations alike, as in Airflow.

    Raises:
        DagError: nothing is meant by it that could be run.
    """
    if isinstance(schedule, Timetable):
        return schedule
    if schedule is None:
        return NullTimetable()
    if isinstance(schedule, timedelta | relativedelta):
        return (DeltaDataIntervalTimetable if create_cron_data_intervals else DeltaTriggerTimetable)(schedule)
    if hasattr(schedule, "as_expression") or (isinstance(schedule, Collection) and not isinstance(schedule, str)):
        return AssetTriggeredTimetable(schedule)
    if not isinstance(schedule, str):
        raise DagError(
            f"The schedule is {schedule!r} ({type(schedule).__name__}); expected a cron string such as '0 2 * * *', a "
            "preset such as '@daily', a timedelta, a timetable, assets, or None."
        )
    if schedule in _PLAIN:
        return _PLAIN[schedule]()
    if schedule.startswith("@") and schedule not in PRESETS:
        known = [*_PLAIN, *PRESETS]
        raise DagError(
            f"There is no schedule preset {schedule!r}.{did_you_mean(schedule, known)} Known are {', '.join(known)}; "
            "or give a cron string."
        )
    if create_cron_data_intervals:
        return CronDataIntervalTimetable(schedule, timezone)
    return CronTriggerTimetable(schedule, timezone=timezone)


def from_spec(spec: TimetableSpec) -> Timetable:
    """Return the timetable whose :meth:`~tradewind.timetables.base.Timetable.to_spec` this is.

    Raises:
        DagError: the kind is unknown, as when a newer Tradewind has stored it.
    """
    if spec.kind not in _KINDS:
        raise DagError(
            f"There is no timetable {spec.kind!r}.{did_you_mean(spec.kind, _KINDS)} A newer Tradewind may have stored "
            "it: use that version, or let this one read the DAG file again."
        )
    return _KINDS[spec.kind]._from_args(spec.args)
