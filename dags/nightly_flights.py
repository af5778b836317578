"""Nightly ETL: yesterday's flights from New York City into a warehouse, checked against the source, with a report.

Written with Airflow's own imports; it runs here and there unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Connection, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from flights_etl import clean, files, report, source
from flights_etl.address import sqlalchemy_url

# The airports' clock, by which the night falls and the day's flights are counted.
NEW_YORK = pendulum.timezone("America/New_York")

DOC = """
### Nightly flights

Each night at 02:00, New York time:

1. **extract** the flights of the day before, the weather, and what is known of planes and airlines,
2. **clean and join** them: one row for each flight, none lost,
3. **load** them into the warehouse, in the place of whatever stood there for that day,
4. **check** the warehouse against the source, carrier by carrier,
5. **publish** a page about the day.

The source is a recording of the year 2013; a run of another year replays the same day of that year. To load a day by
hand, trigger the DAG with the parameter `day`. A run can be repeated at will, and runs of several days may overlap.

The warehouse is the SQLite file `flights/warehouse.db` in the scheduler's home. To load another database, define the
connection `flights_warehouse`.
"""


def _extract(name: str, rows: Iterable[source.Row], *, may_be_empty: bool = False) -> str:
    """Write rows to the run's staging folder; return the path, which the next task gets as XCom."""
    path = files.staging(get_current_context()["run_id"]) / f"{name}.jsonl"
    count = files.write_rows(path, rows)
    if count == 0 and not may_be_empty:
        raise AirflowFailException(f"The source holds no {name} for this day: nothing is loaded.")
    print(f"{count:,} rows of {name}")
    return str(path)


def _warehouse_url() -> str:
    """Return where the warehouse is: the connection's address, or a SQLite file when there is no connection."""
    try:
        return sqlalchemy_url(Connection.get("flights_warehouse"))
    except AirflowNotFoundException:
        files.home().mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{files.home() / 'warehouse.db'}"


with DAG(
    "nightly_flights",
    description="Yesterday's flights from New York City into the warehouse, checked, with a report",
    schedule="0 2 * * *",
    start_date=datetime(2013, 1, 2, tzinfo=NEW_YORK),
    catchup=False,
    max_active_runs=4,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=2),
    default_args={
        "owner": "analytics",
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "day": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Day",
            description="The day to load, as YYYY-MM-DD. Empty: the day before the run.",
        )
    },
    tags=["etl", "example"],
    doc_md=DOC,
) as dag:

    @task
    def choose_day() -> str:
        """The day that this run loads, as YYYY-MM-DD."""
        context = get_current_context()
        asked = context["params"]["day"]
        if asked:
            return source.replayed_day(date.fromisoformat(asked)).isoformat()
        ends: datetime = context.get("data_interval_end") or context["dag_run"].run_after
        return source.replayed_day(ends.astimezone(NEW_YORK).date() - timedelta(days=1)).isoformat()

    @task
    def extract_flights(day: str) -> str:
        """The day's flights, as they stand in the source."""
        return _extract("flights", source.flights(date.fromisoformat(day)))

    @task
    def extract_weather(day: str) -> str:
        """The day's weather at the three airports, hour by hour. The last day of the year has none."""
        return _extract("weather", source.weather(date.fromisoformat(day)), may_be_empty=True)

    @task
    def extract_planes() -> str:
        """All planes."""
        return _extract("planes", source.planes())

    @task
    def extract_airlines() -> str:
        """All airlines."""
        return _extract("airlines", source.airlines())

    @task(multiple_outputs=True)
    def clean_and_join(flights: str, weather: str, planes: str, airlines: str) -> dict[str, Any]:
        """One row for each flight, with its plane, its airline and the weather at its departure."""
        rows = clean.join(*map(files.read_rows, (flights, weather, planes, airlines)))
        path = files.staging(get_current_context()["run_id"]) / "joined.jsonl"
        files.write_rows(path, rows)
        counts = {
            "flights": len(rows),
            "cancelled": sum(row["is_cancelled"] for row in rows),
            "without_weather": sum(row["temperature_f"] is None for row in rows),
            "without_plane": sum(row["plane_model"] is None for row in rows),
        }
        print(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()))
        return {"path": str(path), "counts": counts}

    @task
    def load(day: str, path: str) -> int:
        """Put the rows in the place of whatever the warehouse held for that day."""
        from flights_etl import warehouse  # SQLAlchemy takes a while: only the tasks that need it pay, not each parse

        with warehouse.opened(_warehouse_url()) as engine:
            return warehouse.replace_day(engine, date.fromisoformat(day), files.read_rows(path))

    @task
    def check_counts(day: str, loaded: int) -> dict[str, int]:
        """Fail unless the warehouse holds, for each carrier, as many flights as the source."""
        from flights_etl import warehouse

        expected: dict[str, int] = {}
        for row in source.flights(date.fromisoformat(day)):
            expected[row["carrier"]] = expected.get(row["carrier"], 0) + 1
        with warehouse.opened(_warehouse_url()) as engine:
            found = warehouse.counts_by_carrier(engine, date.fromisoformat(day))
        wrong = [
            f"{carrier}: {found.get(carrier, 0)} instead of {expected.get(carrier, 0)}"
            for carrier in sorted(expected.keys() | found.keys())
            if expected.get(carrier, 0) != found.get(carrier, 0)
        ]
        if wrong:
            raise AirflowFailException(f"The warehouse differs from the source on {day}: {'; '.join(wrong)}")
        print(f"{sum(found.values()):,} flights of {len(found)} carriers on {day}, as in the source; {loaded:,} loaded")
        return dict(sorted(found.items()))

    @task
    def publish_report(day: str, counts: dict[str, int]) -> str:
        """A page about the day, for people."""
        from flights_etl import warehouse

        with warehouse.opened(_warehouse_url()) as engine:
            airlines = warehouse.summary(engine, date.fromisoformat(day))
        text = report.page(date.fromisoformat(day), airlines)
        print(text)
        return str(files.write(files.home() / "reports" / f"{day}.md", text))

    @task
    def clean_up() -> None:
        """Remove what passed between the tasks. A failed run keeps it, so that its tasks can be cleared one by one."""
        files.remove_staging(get_current_context()["run_id"], leftovers_older_than=timedelta(days=7))

    day = choose_day()
    joined = clean_and_join(extract_flights(day), extract_weather(day), extract_planes(), extract_airlines())
    loaded = load(day, joined["path"])
    publish_report(day, check_counts(day, loaded)) >> clean_up()
