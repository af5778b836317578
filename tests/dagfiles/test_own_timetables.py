"""Are DAGs with timetables of the user's own scheduled as their code says, with all of it run in parse processes?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from scheduler import fire
from scheduler.backfill.create import plan_backfill
from scheduler.dagfiles.foresight import Foresight
from scheduler.runs import trigger_run
from scheduler.versions import VersionCache
from tests.dagfiles.place import Place
from tradewind.config import load_config
from tradewind.errors import DagError
from tradewind.metadata import coming_runs, dag_schedule, dags, runs
from tradewind.metadata.coming_runs import Foretold
from tradewind.metadata.database import Database
from tradewind.metadata.models import ComingRuns, Timer
from tradewind.metadata.timers import FIRE, TimerRow
from tradewind.model.backfills import BackfillPlan, WantedBackfill
from tradewind.timetables import DataInterval

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SOURCE = """
import os
import time
from datetime import timedelta

import pendulum
from airflow import DAG
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable


class Growing(Timetable):
    '''One hour, two hours, three hours ...: no timetable of ours.'''

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        {body}
        if last_automated_data_interval is None:
            start, hours = restriction.earliest, 1
        else:
            start = last_automated_data_interval.end
            hours = (start - last_automated_data_interval.start).in_hours() + 1
        if hours > {last}:
            return None
        return DagRunInfo.interval(start, start.add(hours=hours))

    def infer_manual_data_interval(self, *, run_after):
        return DataInterval(run_after.start_of("day"), run_after)

    def generate_run_id(self, *, run_type, run_after, data_interval, **extra):
        return f"{{run_type}}_of_{{(data_interval.end - data_interval.start).in_hours()}}_hours"


dag = DAG("grow", schedule=Growing(), start_date=pendulum.datetime(2026, 1, 1), catchup={catchup})
plain = DAG("plain", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1))
"""


def source(*, body: str = "pass", last: int = 10**6, catchup: bool = True) -> str:
    return SOURCE.format(body=body, last=last, catchup=catchup)


def ends(count: int) -> list[datetime]:
    """When the first runs are due."""
    return [START + HOUR * (n * (n + 1) // 2) for n in range(1, count + 1)]


def placed(home: Path, database: Database) -> Iterator[Place]:
    place = Place(home, database)
    place.settings["CORE__DAGS_ARE_PAUSED_AT_CREATION"] = "False"
    yield place
    place.stop()


@pytest.fixture
def place(home, sqlite_url):
    database = Database(sqlite_url)
    yield from placed(home, database)
    database.close()


@pytest.fixture
def both(home, database):
    """On SQLite and on PostgreSQL: what is stored, locked and thrown away."""
    yield from placed(home, database)


def next_run(place: Place, dag_id: str = "grow") -> datetime | None:
    with place.database.read() as tx:
        return dags.get_dag(tx, dag_id).next_run_after


def fire_all(place: Place, now: datetime) -> None:
    """Let everything be made that is due at ``now``, as a scheduler does, as far as it is known."""
    while True:
        with place.database.write() as tx:
            due = tx.execute(select(Timer.key, Timer.due_at).where(Timer.dag_id == "grow")).one_or_none()
            if due is None or due.due_at > now:
                return
            fire.handle(tx, [TimerRow(due.key, FIRE, due.due_at, None, "grow")], now, VersionCache())


def made(place: Place) -> list[datetime]:
    with place.database.read() as tx:
        found = runs.list_runs(tx, dag_id="grow", limit=1000)
    return sorted(run.run_after for run in found)


def test_the_next_run_is_what_the_users_code_says(place):
    place.put("a.py", source())

    place.manager().sync_once()

    assert next_run(place) == ends(1)[0]
    assert place.errors() == {}
    assert place.versions("grow") == 1


def test_runs_follow_each_other_over_many_windows(both, monkeypatch):
    """However often it is asked: none is left out, none comes twice, and each has the name that the code gives it."""
    monkeypatch.setattr("scheduler.dagfiles.foresight.WINDOW", 5)
    both.put("a.py", source(last=17))
    manager = both.manager()
    now = START + 400 * HOUR

    for _ in range(8):
        manager.sync_once()
        fire_all(both, now)

    assert made(both) == ends(17)
    assert next_run(both) is None
    with both.database.read() as tx:
        assert runs.find_run(tx, "grow", "scheduled_of_17_hours") is not None
        assert coming_runs.list_wanted(tx, 10) == []


def test_more_is_wanted_before_the_last_is_made(place, monkeypatch):
    monkeypatch.setattr("tradewind.metadata.coming_runs._FEW", 3)
    monkeypatch.setattr("scheduler.dagfiles.foresight.WINDOW", 5)
    place.put("a.py", source())
    place.manager().sync_once()

    def is_wanted() -> bool:
        with place.database.read() as tx:
            return bool(coming_runs.list_wanted(tx, 10))

    fire_all(place, ends(2)[1])
    assert not is_wanted()
    fire_all(place, ends(3)[2])
    assert is_wanted()
    assert next_run(place) == ends(4)[3]


def test_without_catchup_only_the_newest_missed_run_is_made(place):
    place.put("a.py", source(catchup=False))
    place.manager().sync_once()

    now = datetime.now(UTC)

    fire_all(place, now)

    assert made(place) == [max(at for at in ends(1000) if at <= now)]
    assert next_run(place) == min(at for at in ends(1000) if at > now)


def test_a_new_version_is_asked_anew_and_the_old_ones_answer_is_thrown_away(both):
    both.put("a.py", source())
    both.manager().sync_once()
    with both.database.write() as tx:
        coming_runs.want(tx, "grow", START)
        (old,) = coming_runs.list_wanted(tx, 1)
    both.put("a.py", source(body="restriction = restriction._replace(earliest=restriction.earliest.add(days=1))"))
    both.manager().sync_once()
    assert next_run(both) == ends(1)[0] + DAY

    with both.database.write() as tx:
        assert not dag_schedule.take_foretold(tx, old, None, Foretold(), START)

    assert next_run(both) == ends(1)[0] + DAY


def test_an_answer_that_follows_another_run_than_the_last_is_thrown_away(place):
    place.put("a.py", source())
    place.manager().sync_once()
    with place.database.write() as tx:
        coming_runs.want(tx, "grow", START)
        (asked,) = coming_runs.list_wanted(tx, 1)
    fire_all(place, ends(1)[0])

    with place.database.write() as tx:
        assert not dag_schedule.take_foretold(tx, asked, None, Foretold(), START)
        last = DataInterval(START, ends(1)[0])
        assert dag_schedule.take_foretold(tx, asked, last, Foretold(), START)

    assert next_run(place) is None


def test_what_is_lost_is_wanted_again(both):
    """As when a scheduler dies between the file and the answer, or a backup without the window is restored."""
    both.put("a.py", source())
    both.manager().sync_once()
    with both.database.write() as tx:
        tx.execute(delete(ComingRuns))
        dags.reschedule(tx, "grow", START)
    assert next_run(both) is None

    both.manager().sync_once()

    assert next_run(both) == ends(1)[0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise LookupError('no calendar')", "next_dagrun_info() raised LookupError: no calendar"),
        ("time.sleep(60)", "did not end within 1"),
        ("os._exit(3)", "exit code 3"),
        ("return DagRunInfo.exact(pendulum.datetime(2026, 1, 1))", "must grow from run to run"),
    ],
)
def test_code_that_goes_wrong_costs_its_dag_alone(place, body, message):
    place.put("a.py", source(body=body))
    manager = place.manager(CORE__DAGBAG_IMPORT_TIMEOUT="1", DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT="3")

    manager.sync_once()

    (error,) = place.errors().values()
    assert error.startswith("DAG 'grow' cannot be scheduled: ")
    assert message in error
    assert next_run(place) is None
    assert next_run(place, "plain") is not None

    place.put("a.py", source())
    manager.sync_once()

    assert next_run(place) == ends(1)[0]


def test_an_error_stays_until_the_code_says_something_else(place):
    """The same file is read again from time to time, which is when the code is asked again."""
    flag = place.home / "flag"
    place.put("a.py", source(body=f"if not os.path.exists({str(flag)!r}): raise LookupError('not yet')"))
    manager = place.manager()
    manager.sync_once()
    assert manager.parse_now()
    assert "not yet" in place.errors()["a.py"]

    flag.touch()
    assert manager.parse_now()
    assert manager.parse_now()

    assert place.errors() == {}
    assert next_run(place) == ends(1)[0]


def test_a_started_manager_asks_when_it_is_told_that_schedules_went_on(place, monkeypatch):
    monkeypatch.setattr("scheduler.dagfiles.foresight.WINDOW", 2)
    place.put("a.py", source())
    manager = place.started()
    assert next_run(place) == ends(1)[0]
    for count in (1, 3):
        fire_all(place, ends(count)[-1])
    manager.ask_timetables()
    assert manager.parse_now(timeout=30)
    fire_all(place, ends(5)[-1])

    assert made(place)[:4] == ends(4)


def test_two_managers_that_ask_the_same_agree(place):
    place.put("a.py", source())
    first, second = place.manager(), place.manager()
    first.sync_once()
    with place.database.write() as tx:
        coming_runs.want(tx, "grow", START)
    ours: list[Foresight] = [first._foresight, second._foresight]
    for one in ours:
        one.ask()
    for manager in (first, second):
        while manager._foresight.is_waiting:
            manager._client.wait(10)
            manager._foresight.take()

    assert next_run(place) == ends(1)[0]


def test_a_run_by_hand_is_about_what_the_users_code_says(place, monkeypatch):
    monkeypatch.setenv("TRADEWIND_HOME", str(place.home))
    place.put("a.py", source())
    place.manager().sync_once()
    config = load_config({"TRADEWIND_HOME": str(place.home)}, place.home)
    at = START + 5 * DAY + 7 * HOUR

    summary = trigger_run(place.database, config, dag_id="grow", logical_date=at)

    assert summary.run_id == "manual_of_7_hours"
    with place.database.read() as tx:
        run = runs.find_run(tx, "grow", "manual_of_7_hours")
    assert run is not None
    assert (run.data_interval_start, run.data_interval_end) == (START + 5 * DAY, at)


def past(place: Place, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> BackfillPlan:
    """Plan a backfill of the first day."""
    monkeypatch.setenv("TRADEWIND_HOME", str(place.home))
    place.put("a.py", source(**fields))
    place.manager().sync_once()
    config = load_config({"TRADEWIND_HOME": str(place.home)}, place.home)
    return plan_backfill(place.database, config, WantedBackfill(["grow"], START, START + 6 * HOUR), START + 9 * HOUR)


def test_the_dates_of_a_backfill_are_those_that_the_users_code_says(place, monkeypatch):
    slots = past(place, monkeypatch).slots

    assert [slot.logical_date for slot in slots] == [START, START + HOUR, START + 3 * HOUR]  # the next is not over yet
    assert [slot.run_id for slot in slots] == [f"backfill_of_{hours}_hours" for hours in (1, 2, 3)]
    assert slots[2].data_interval_end == START + 6 * HOUR


def test_users_code_that_fails_refuses_the_backfill_with_its_words(place, monkeypatch):
    with pytest.raises(DagError, match="does not say which runs it has.*ValueError: no calendar"):
        past(place, monkeypatch, body="raise ValueError('no calendar')")


def test_users_code_that_stands_still_refuses_the_backfill(place, monkeypatch):
    body = "return DagRunInfo.interval(restriction.earliest, restriction.earliest.add(hours=1))"
    with pytest.raises(DagError, match="does not lead forward"):
        past(place, monkeypatch, body=body)


def test_the_next_runs_can_be_shown(place):
    place.put("a.py", source(last=4))
    place.manager().sync_once()

    with place.database.read() as tx:
        _, spec = dags.load_newest_spec(tx, "grow")
        window = coming_runs.window_of(tx, "grow")
        shown = dags.preview_runs(tx, spec, window[0], 10, START)

    assert [run.run_after for run in shown] == ends(4)


def test_an_own_timetable_may_be_one_way_of_two(place):
    text = source().replace("from airflow import DAG", "from airflow.sdk import DAG, Asset, AssetOrTimeSchedule")
    text = text.replace("schedule=Growing()", "schedule=AssetOrTimeSchedule(timetable=Growing(), assets=[Asset('a')])")
    place.put("a.py", text)

    place.manager().sync_once()

    assert place.errors() == {}
    assert next_run(place) == ends(1)[0]
    fire_all(place, ends(2)[1])
    assert made(place) == ends(2)
    with place.database.read() as tx:
        assert runs.find_run(tx, "grow", "scheduled_of_2_hours") is not None
