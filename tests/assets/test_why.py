"""What does a DAG wait for? The sentence names what is missing, and what has come already."""

from __future__ import annotations

import pytest

from scheduler.why import explain
from tests.assets.world import consumer, look, producer, save, update
from tradewind.sdk.assets.definitions import Asset, AssetAlias
from tradewind.timetables import AssetOrTimeSchedule, CronTriggerTimetable

A, B, C = Asset("a"), Asset("b"), Asset("c")


def sentence(database, dag_id="waits"):
    return explain(database, dag_id)[-1].text


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (A & B & C, "it waits for an update of 'b' and 'c' (already updated: 'a')"),
        (B | C, "it waits for an update of 'b' or 'c'"),
        (B | (A & C), "it waits for an update of 'b' or 'c' (already updated: 'a')"),
        (C | (B & Asset.ref(name="x")), "it waits for an update of 'c' or ('b' and 'x')"),
        (AssetAlias("z"), "it waits for an update of an asset of alias 'z'"),
    ],
)
def test_it_says_what_is_missing(sqlite_database, schedule, text):
    save(sqlite_database, producer("a", "b", "c"), path="producer.py")
    save(sqlite_database, consumer("waits", schedule))
    update(sqlite_database, "a")
    look(sqlite_database)

    assert sentence(sqlite_database).startswith(text)


def test_it_says_so_after_a_run_too(sqlite_database):
    save(sqlite_database, producer("a"), path="producer.py")
    save(sqlite_database, consumer("waits", A, max_active_runs=1))
    update(sqlite_database, "a")
    look(sqlite_database)
    assert "starts as soon as a scheduler looks" in sentence(sqlite_database)


def test_a_clock_may_be_part_of_it(sqlite_database):
    clock = CronTriggerTimetable("0 2 * * *", timezone="UTC")
    save(sqlite_database, consumer("waits", AssetOrTimeSchedule(timetable=clock, assets=[A])))

    text = sentence(sqlite_database)

    assert text.startswith("its first run is due at ")
    assert text.endswith(", or earlier: it waits for an update of 'a'")
