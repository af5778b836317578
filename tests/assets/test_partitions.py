"""Is there one run for each partition that is complete, whatever the keys of the producers are?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from scheduler.fire import fire
from scheduler.versions import VersionCache
from tests.assets.world import T0, at, consumer, look, pending, producer, runs_of, save, source, update, used
from tests.dagfiles.specs import parsed, spec
from tradewind.errors import DagError
from tradewind.metadata import dags, runs
from tradewind.metadata.assets import record_changes
from tradewind.metadata.models import AssetEvent
from tradewind.model.orders import AssetChange
from tradewind.model.states import RunType
from tradewind.sdk.assets.definitions import Asset
from tradewind.timetables import CronPartitionTimetable, PartitionedAssetTimetable, from_spec
from tradewind.timetables.asset_codec import decode_part, encode_part
from tradewind.timetables.asset_mappers import (
    AllowedKeyMapper,
    ChainMapper,
    FixedKeyMapper,
    IdentityMapper,
    PartitionMapper,
    ProductMapper,
    RollupMapper,
)
from tradewind.timetables.asset_periods import (
    FanOutMapper,
    StartOfDayMapper,
    StartOfHourMapper,
    StartOfMonthMapper,
    StartOfQuarterMapper,
    StartOfWeekMapper,
    StartOfYearMapper,
)
from tradewind.timetables.asset_windows import (
    DayWindow,
    HourWindow,
    MinimumCount,
    MonthWindow,
    QuarterWindow,
    SegmentWindow,
    WeekWindow,
    Window,
    YearWindow,
)

A, B = Asset("a"), Asset("b")
FEW_DAYS = FanOutMapper(upstream_mapper=StartOfWeekMapper(), window=WeekWindow(), max_downstream_keys=6)
REGIONS = SegmentWindow(["us", "eu", "apac"])


@pytest.fixture
def world(sqlite_database):
    save(sqlite_database, producer("a", "b"), path="producer.py")
    return sqlite_database


def keys(runs):
    return sorted(run.partition_key for run in runs)


def waits(world, assets, **settings):
    save(world, consumer("waits", PartitionedAssetTimetable(assets=assets, **settings)))


def test_each_partition_has_a_run_of_its_own(world):
    waits(world, A)
    update(world, "a", partition_key="us")
    update(world, "a", partition_key="eu", seconds=2)
    update(world, "a", partition_key="eu", seconds=3)

    made = look(world)

    assert keys(made) == ["eu", "us"]
    assert [len(used(world, run)) for run in sorted(made, key=lambda run: run.partition_key or "")] == [2, 1]
    assert {run.run_type for run in made} == {RunType.ASSET_TRIGGERED}
    assert pending(world, "waits") == 0


def test_assets_are_aligned_by_their_partitions(world):
    waits(world, A & B, default_partition_mapper=StartOfHourMapper())
    update(world, "a", partition_key="2026-01-01T10:05:00")
    update(world, "b", partition_key="2026-01-01T11:05:00")
    assert look(world) == []

    update(world, "b", partition_key="2026-01-01T10:55:00", seconds=5)
    (run,) = look(world)

    assert run.partition_key == "2026-01-01T10"
    assert run.partition_date == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert used(world, run) == ["a", "b"]
    assert pending(world, "waits") == 1


def test_a_rollup_waits_for_every_part(world):
    waits(world, A, default_partition_mapper=RollupMapper(upstream_mapper=StartOfDayMapper(), window=DayWindow()))
    for hour in range(23):
        update(world, "a", partition_key=f"2026-01-01T{hour:02}:00:00")
    assert look(world) == []

    update(world, "a", partition_key="2026-01-01T23:00:00", seconds=5)
    (run,) = look(world)

    assert (run.partition_key, len(used(world, run))) == ("2026-01-01", 24)


@pytest.mark.parametrize(("count", "parts"), [(2, ["us", "eu"]), (-1, ["us", "eu"])])
def test_a_rollup_may_do_with_fewer(world, count, parts):
    mapper = RollupMapper(upstream_mapper=FixedKeyMapper("all"), window=REGIONS, wait_policy=MinimumCount(count))
    waits(world, A, default_partition_mapper=mapper)
    update(world, "a", partition_key=parts[0])
    assert look(world) == []
    update(world, "a", partition_key=parts[1])

    assert keys(look(world)) == ["all"]


def test_one_event_spreads_over_the_parts_of_its_period(world):
    waits(world, A, default_partition_mapper=FanOutMapper(upstream_mapper=StartOfWeekMapper(), window=WeekWindow()))
    update(world, "a", partition_key="2026-01-07T08:00:00")

    assert keys(look(world)) == [f"2026-01-{day:02}" for day in range(5, 12)]


@pytest.mark.parametrize(
    ("mapper", "key"),
    [
        (AllowedKeyMapper(["eu"]), "us"),
        (StartOfDayMapper(), "no date"),
        (
            FEW_DAYS,
            "2026-01-07T08:00:00",
        ),
        (IdentityMapper(), None),
    ],
)
def test_an_event_that_cannot_be_placed_is_said_and_dropped(world, caplog, mapper, key):
    waits(world, A, default_partition_mapper=mapper)
    update(world, "a", partition_key=key)

    assert look(world) == []
    assert "asset.n" in caplog.text
    assert pending(world, "waits") == 0


def test_with_another_mapper_what_was_placed_by_the_old_one_is_dropped(world):
    waits(world, A & B)
    update(world, "a", partition_key="us")
    look(world)
    assert pending(world, "waits") == 1

    waits(world, A & B, default_partition_mapper=AllowedKeyMapper(["us"]))

    assert pending(world, "waits") == 0


def test_a_run_hands_its_partition_on(world):
    made = source(world, 7, partition_key="eu", partition_date=T0)
    with world.write() as tx:
        record_changes(
            tx, made, [AssetChange(name="a", uri="a"), AssetChange(name="b", uri="b", partition_key="x")], at(1)
        )
        rows = tx.execute(select(AssetEvent.partition_key, AssetEvent.partition_date).order_by(AssetEvent.id)).all()

    assert [tuple(row) for row in rows] == [("eu", T0), ("x", None)]
    waits(world, A)
    update(world, "a", number=7, seconds=3)
    (run,) = look(world)
    assert (run.partition_key, run.partition_date) == ("eu", T0)


# --- by the clock ----------------------------------------------------------------------------------------------------


def test_a_scheduled_run_is_about_the_partition_of_its_tick(sqlite_database):
    timetable = CronPartitionTimetable("0 2 * * *", timezone="Europe/Berlin", run_offset=-1, key_format="%Y-%m-%d")
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with sqlite_database.write() as tx:
        dags.save_file(tx, parsed(spec("daily", timetable)), now, paused_at_creation=False)
        due = dags.get_dag(tx, "daily").next_run_after
        assert due is not None
        (pk,) = fire(tx, ["daily"], max(due, now), VersionCache())
        (run,) = runs.get_runs(tx, [pk])
        following = dags.get_dag(tx, "daily").next_run_after
        dags.reschedule(tx, "daily", max(due, now))
        again = dags.get_dag(tx, "daily").next_run_after

    assert (run.logical_date, run.data_interval_start) == (None, None)
    assert run.partition_key == "2026-02-28"
    assert run.partition_date == datetime(2026, 2, 28, 1, tzinfo=UTC)
    assert run.run_id == f"scheduled__{due.isoformat()}__2026-02-28"
    assert following == again == datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert len(runs_of(sqlite_database, "daily")) == 1


# --- mappers ---------------------------------------------------------------------------------------------------------

KEY = "2026-08-12T15:42:07"


@pytest.mark.parametrize(
    ("mapper", "key", "expected"),
    [
        (StartOfHourMapper(), KEY, "2026-08-12T15"),
        (StartOfDayMapper(), KEY, "2026-08-12"),
        (StartOfWeekMapper(), KEY, "2026-08-10 (W33)"),
        (StartOfMonthMapper(), KEY, "2026-08"),
        (StartOfQuarterMapper(), KEY, "2026-Q3"),
        (StartOfYearMapper(), KEY, "2026"),
        (StartOfDayMapper(input_format="%Y-%m-%dT%H:%M:%S%z", timezone="Asia/Tokyo"), f"{KEY}+00:00", "2026-08-13"),
        (StartOfDayMapper(output_format="%d.%m.%Y"), KEY, "12.08.2026"),
        (StartOfHourMapper(timezone="Europe/Berlin"), "2024-03-31T02:17:05", "2024-03-31T03"),  # there is no such hour
        (ProductMapper(IdentityMapper(), StartOfDayMapper()), f"eu|{KEY}", "eu|2026-08-12"),
        (ChainMapper(StartOfDayMapper(), StartOfMonthMapper(input_format="%Y-%m-%d")), KEY, "2026-08"),
    ],
)
def test_a_key_belongs_to_a_period(mapper, key, expected):
    assert mapper.to_downstream(key) == expected
    assert decode_part(encode_part(mapper)).to_downstream(key) == expected


@pytest.mark.parametrize(
    ("upstream", "window", "key", "count", "first", "last"),
    [
        (StartOfHourMapper(), HourWindow(), "2026-01-01T10", 60, "2026-01-01T10:00:00", "2026-01-01T10:59:00"),
        (StartOfDayMapper(), DayWindow(), "2026-01-01", 24, "2026-01-01T00:00:00", "2026-01-01T23:00:00"),
        (StartOfWeekMapper(), WeekWindow(), "2026-01-05 (W02)", 7, "2026-01-05T00:00:00", "2026-01-11T00:00:00"),
        (StartOfMonthMapper(), MonthWindow(), "2024-02", 29, "2024-02-01T00:00:00", "2024-02-29T00:00:00"),
        (StartOfQuarterMapper(), QuarterWindow(), "2026-Q4", 3, "2026-10-01T00:00:00", "2026-12-01T00:00:00"),
        (StartOfYearMapper(), YearWindow(), "2026", 12, "2026-01-01T00:00:00", "2026-12-01T00:00:00"),
        (
            StartOfMonthMapper(), MonthWindow(direction=Window.Direction.BACKWARD), "2024-03", 29,
            "2024-02-02T00:00:00", "2024-03-01T00:00:00",
        ),
        (
            StartOfYearMapper(), YearWindow(direction="backward"), "2026", 12,
            "2025-02-01T00:00:00", "2026-01-01T00:00:00",
        ),
    ],
)  # fmt: skip
def test_a_period_has_its_parts(upstream, window, key, count, first, last):
    mapper = decode_part(encode_part(RollupMapper(upstream_mapper=upstream, window=window)))
    expected = sorted(mapper.expected(key))
    assert (len(expected), expected[0], expected[-1]) == (count, first, last)


Wrong: Any = PartitionedAssetTimetable
WrongCron: Any = CronPartitionTimetable


class OwnMapper(PartitionMapper):
    def to_downstream(self, key):
        return key


@pytest.mark.parametrize(
    "make",
    [
        lambda: PartitionedAssetTimetable(assets=A, default_partition_mapper=OwnMapper()).to_spec(),
        lambda: Wrong(assets=A, default_partition_mapper="daily"),
        lambda: RollupMapper(upstream_mapper=IdentityMapper(), window=DayWindow()),
        lambda: FanOutMapper(upstream_mapper=StartOfHourMapper(), window=HourWindow()),
        lambda: MinimumCount(0),
        lambda: SegmentWindow([]),
        lambda: FixedKeyMapper(""),
        lambda: ChainMapper(IdentityMapper()),
        lambda: IdentityMapper(max_downstream_keys=0),
        lambda: DayWindow(direction="sideways"),
        lambda: StartOfWeekMapper(output_format="%Y %Y"),
        lambda: WrongCron("0 2 * * *", timezone="UTC", run_offset="x"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(make):
    with pytest.raises(DagError):
        make()


def test_a_stored_timetable_is_the_same_one():
    config = {
        A: RollupMapper(upstream_mapper=StartOfDayMapper(), window=DayWindow()),
        Asset.ref(name="x"): IdentityMapper(),
    }
    timetable = PartitionedAssetTimetable(assets=A & Asset.ref(name="x"), partition_mapper_config=config)
    assert from_spec(timetable.to_spec()) == timetable
    cron = CronPartitionTimetable("@hourly", timezone="Europe/Berlin", run_offset=2, key_format="%H")
    assert from_spec(cron.to_spec()) == cron
