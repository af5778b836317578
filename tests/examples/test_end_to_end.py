"""Do the example DAGs run from end to end: command line, scheduler, task processes, on both databases?"""

from __future__ import annotations

import sqlite3
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flights_etl import source
from tests.support.installation import Installation

pytestmark = pytest.mark.xdist_group("examples")  # one worker: the scheduler is started once for all tests here

EXAMPLES = ("example_bash", "example_classic", "example_taskflow", "example_trigger_rules", "nightly_flights")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def tradewind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A scheduler with the example DAGs, started once for each kind of database."""
    home = tmp_path_factory.mktemp("home")
    settings = {"TRADEWIND__CORE__LOAD_EXAMPLES": "True"}
    if request.param == "sqlite":
        yield from _running(Installation(home, f"sqlite:///{home / 'tradewind.db'}", settings))
    else:
        with request.getfixturevalue("postgres_templates").empty() as url:
            yield from _running(Installation(home, url, settings))


def _running(installation: Installation) -> Iterator[Installation]:
    installation.run("db", "migrate")
    with installation:
        installation.start_scheduler()
        installation.wait_for_dags(*EXAMPLES)
        yield installation


def counts_in_source(day: date) -> Counter[str]:
    """Flights of a day by carrier, counted in the archive itself."""
    return _flights_of_the_year()[day.year, day.month, day.day]


@cache
def _flights_of_the_year() -> dict[tuple[int, int, int], Counter[str]]:
    with zipfile.ZipFile(source.data_folder() / "flights.csv.zip") as archive:
        header, *lines = archive.read("flights.csv").decode().splitlines()
    carrier = header.split(",").index("carrier")
    counts: dict[tuple[int, int, int], Counter[str]] = defaultdict(Counter)
    for line in lines:
        cells = line.split(",", carrier + 1)
        counts[int(cells[0]), int(cells[1]), int(cells[2])][cells[carrier]] += 1
    return counts


def counts_in_warehouse(home: Path, day: date) -> dict[str, int]:
    with sqlite3.connect(home / "flights" / "warehouse.db") as connection:
        asked = "SELECT carrier, count(*) FROM flight WHERE flight_date = ? GROUP BY carrier"
        counts = dict(connection.execute(asked, (day.isoformat(),)))
    connection.close()
    return counts


def test_a_night_of_flights_is_loaded_with_the_counts_of_the_source(tradewind: Installation):
    day = date(2013, 7, 4)
    run_id = tradewind.trigger("nightly_flights", day=day.isoformat())

    assert tradewind.wait_for_run("nightly_flights", run_id) == "success"
    assert set(tradewind.task_states("nightly_flights", run_id).values()) == {"success"}
    assert counts_in_warehouse(tradewind.home, day) == counts_in_source(day)
    report = (tradewind.home / "flights" / "reports" / "2013-07-04.md").read_text()
    assert f"{counts_in_source(day).total()} flights" in report
    assert "as in the source" in tradewind.task_log("nightly_flights", run_id, "check_counts")


def test_the_newest_night_ran_by_its_schedule(tradewind: Installation):
    (run,) = (
        r for r in tradewind.read("dags", "list-runs", "nightly_flights") if r["run_id"].startswith("scheduled__")
    )
    due = datetime.fromisoformat(run["run_after"]).astimezone(ZoneInfo("America/New_York"))
    day = source.replayed_day(due.date() - timedelta(days=1))

    assert (due.hour, due.minute) == (2, 0)
    assert tradewind.wait_for_run("nightly_flights", run["run_id"]) == "success"
    assert counts_in_warehouse(tradewind.home, day) == counts_in_source(day)


def test_loading_a_night_again_changes_nothing(tradewind: Installation):
    day = date(2013, 11, 3)
    for _ in range(2):
        run_id = tradewind.trigger("nightly_flights", day=day.isoformat())
        assert tradewind.wait_for_run("nightly_flights", run_id) == "success"

    assert counts_in_warehouse(tradewind.home, day) == counts_in_source(day)


def test_taskflow_passes_values(tradewind: Installation):
    run_id = tradewind.trigger("example_taskflow", words="to be or not to be questioned")

    assert tradewind.wait_for_run("example_taskflow", run_id) == "success"
    assert "23 letters, and the longest word is 'questioned'" in tradewind.task_log("example_taskflow", run_id, "tell")


def test_a_classic_airflow_file_runs_unchanged(tradewind: Installation):
    run_id = tradewind.trigger("example_classic")

    assert tradewind.wait_for_run("example_classic", run_id) == "success"
    assert "Good morning, please order: pears" in tradewind.task_log("example_classic", run_id, "load")


@pytest.mark.parametrize(
    ("weather", "expected"),
    [
        ("sun", "forecast=success picnic=success museum=skipped rescue_plan=skipped dinner=success"),
        ("rain", "forecast=success picnic=skipped museum=success rescue_plan=skipped dinner=success"),
        (
            "storm",
            "forecast=failed picnic=upstream_failed museum=upstream_failed rescue_plan=success dinner=upstream_failed",
        ),
    ],
)
def test_trigger_rules_decide_what_runs(tradewind: Installation, weather: str, expected: str):
    run_id = tradewind.trigger("example_trigger_rules", weather=weather)

    assert tradewind.wait_for_run("example_trigger_rules", run_id) == "success"
    states = dict(pair.split("=") for pair in expected.split())
    assert tradewind.task_states("example_trigger_rules", run_id) == {**states, "bed": "success"}


def test_bash_retries_and_skips(tradewind: Installation):
    run_id = tradewind.trigger("example_bash")

    assert tradewind.wait_for_run("example_bash", run_id) == "success"
    assert tradewind.task_states("example_bash", run_id) == {
        "count": "success",
        "flaky": "success",
        "greet": "success",
        "skip": "skipped",
    }
    assert "try 1" in tradewind.task_log("example_bash", run_id, "flaky", 1)
    assert "try 2" in tradewind.task_log("example_bash", run_id, "flaky", 2)
    assert f"Hello from run {run_id}" in tradewind.task_log("example_bash", run_id, "greet")


def test_what_is_stored_is_what_the_logs_say(tradewind: Installation):
    run_id = tradewind.trigger("example_taskflow")
    tradewind.wait_for_run("example_taskflow", run_id)

    tradewind.run("db", "verify")


def test_examples_run_without_scheduler_and_database(tmp_path: Path):
    alone = Installation(
        tmp_path / "home", f"sqlite:///{tmp_path / 'none.db'}", {"TRADEWIND__CORE__LOAD_EXAMPLES": "True"}
    )

    alone.run("dags", "test", "nightly_flights", "--conf", '{"day": "2013-02-09"}')

    assert counts_in_warehouse(alone.home, date(2013, 2, 9)) == counts_in_source(date(2013, 2, 9))
    assert not (tmp_path / "none.db").exists()
