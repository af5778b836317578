"""Is a run created when, and only when, its condition holds over events that it has not used?"""

from __future__ import annotations

import pytest

from tests.assets.world import (
    at,
    consumer,
    is_active,
    look,
    pending,
    producer,
    runs_of,
    save,
    source,
    update,
    used,
)
from tradewind.metadata import dags
from tradewind.metadata.assets import record_changes, record_event
from tradewind.metadata.models import Asset as AssetRow
from tradewind.model.orders import AssetChange
from tradewind.model.states import RunState, RunType
from tradewind.sdk.assets.definitions import Asset, AssetAlias, AssetAll, AssetAny

A, B, C = Asset("a"), Asset("b"), Asset("c")


@pytest.fixture(autouse=True)
def _producer(database):
    save(database, producer("a", "b", "c", aliases=("other",)), path="producer.py")


def test_an_event_of_its_asset_makes_a_run(database):
    save(database, consumer("waits", A))
    update(database, "a", seconds=5)

    (run,) = look(database, seconds=6)

    assert run.run_type is RunType.ASSET_TRIGGERED
    assert run.triggered_by == "asset"
    assert run.state is RunState.QUEUED
    assert run.run_after == at(5)
    assert run.run_id.startswith(f"asset_triggered__{at(5).isoformat()}_")
    assert (run.logical_date, run.data_interval_start, run.data_interval_end) == (None, None, None)
    assert used(database, run) == ["a"]
    assert pending(database, "waits") == 0


def test_nothing_happens_twice(database):
    save(database, consumer("waits", A))
    update(database, "a")
    look(database)

    assert look(database) == []
    assert len(runs_of(database, "waits")) == 1


def test_all_of_a_list_must_be_updated(database):
    save(database, consumer("waits", [A, B]))
    update(database, "a", seconds=1)
    update(database, "a", seconds=2)
    assert look(database) == []

    update(database, "b", seconds=3)
    (run,) = look(database)

    assert used(database, run) == ["a", "a", "b"]


@pytest.mark.parametrize(
    ("schedule", "updates", "runs"),
    [
        (A | B, ["b"], 1),
        (A & B, ["b"], 0),
        (A | (B & C), ["b"], 0),
        (A | (B & C), ["b", "c"], 1),
        ((A | B) & C, ["a", "b"], 0),
        ((A | B) & C, ["a", "c"], 1),
        (AssetAll(), ["a"], 0),
        (AssetAny(), ["a"], 0),
        (Asset.ref(name="a"), ["a"], 1),
        (Asset.ref(uri="a"), ["a"], 1),
        (Asset.ref(name="unknown"), ["a"], 0),
        (A & Asset.ref(name="unknown"), ["a"], 0),
    ],
)
def test_a_condition_is_what_it_says(database, schedule, updates, runs):
    save(database, consumer("waits", schedule))
    update(database, *updates)

    assert len(look(database)) == runs


def test_each_consumer_has_a_cursor_of_its_own(database):
    save(database, consumer("soon", A), consumer("late", A & B))
    update(database, "a")
    assert [run.dag_id for run in look(database)] == ["soon"]
    update(database, "b")

    (late,) = look(database)

    assert late.dag_id == "late"
    assert used(database, late) == ["a", "b"]


def test_events_that_come_while_its_runs_are_at_their_limit_are_used_together(database):
    save(database, consumer("waits", A, max_active_runs=1))
    update(database, "a", seconds=1)
    (first,) = look(database)
    update(database, "a", seconds=3)
    update(database, "a", seconds=4)
    assert look(database) == []

    end(database, first.pk)
    (second,) = look(database)

    assert used(database, second) == ["a", "a"]
    assert second.run_after == at(4)


def end(database, pk):
    from sqlalchemy import update as sql_update

    from tradewind.metadata.models import DagRun

    with database.write() as tx:
        tx.execute(sql_update(DagRun).where(DagRun.id == pk).values(state=RunState.SUCCESS, ended_at=at(100)))


def test_what_happens_while_it_is_paused_makes_no_run_but_is_handed_on(database):
    save(database, consumer("waits", A))
    pause(database, True)
    update(database, "a", seconds=1)
    assert look(database) == []
    pause(database, False)
    assert look(database) == []

    update(database, "a", seconds=2)
    (run,) = look(database)

    assert used(database, run) == ["a", "a"]


def test_what_came_before_the_pause_makes_a_run_after_it(database):
    save(database, consumer("waits", A))
    update(database, "a", seconds=1)
    pause(database, True)
    assert look(database) == []

    pause(database, False)

    assert len(look(database)) == 1


def pause(database, paused):
    with database.write() as tx:
        dags.set_paused(tx, "waits", paused, at(0))


def test_a_consumer_that_comes_later_waits_for_new_events(database):
    update(database, "a", seconds=1)
    save(database, consumer("waits", A), now=at(2))
    assert look(database) == []

    update(database, "a", seconds=3)
    (run,) = look(database)

    assert len(used(database, run)) == 1


def test_with_catchup_its_first_run_gets_what_was_there_before(database):
    update(database, "a", "b", seconds=1)
    save(database, consumer("waits", A, catchup=True), now=at(2))
    assert look(database) == []

    update(database, "a", seconds=3)
    (run,) = look(database)

    assert used(database, run) == ["a", "a"]


def test_a_new_condition_is_looked_at_with_what_has_come(database):
    save(database, consumer("waits", A & B))
    update(database, "a")
    assert look(database) == []

    save(database, consumer("waits", A | B), now=at(2))

    assert len(look(database)) == 1


def test_a_dag_that_waits_for_assets_no_more_gets_no_run(database):
    save(database, consumer("waits", A & B))
    update(database, "a")
    save(database, producer(dag_id="waits"), now=at(2))

    assert look(database) == []
    assert pending(database, "waits") == 0


def test_a_dag_whose_file_is_gone_gets_no_run_until_it_is_back(database):
    save(database, consumer("waits", A))
    update(database, "a")
    with database.write() as tx:
        dags.remove_file(tx, "dags.py")
    assert look(database) == []

    save(database, consumer("waits", A))

    assert len(look(database)) == 1


def test_a_deleted_dag_leaves_nothing_behind(database):
    save(database, consumer("waits", A & Asset("only")))
    update(database, "a")
    assert is_active(database, "only")

    with database.write() as tx:
        dags.delete_dag(tx, "waits")

    assert pending(database, "waits") == 0
    assert not is_active(database, "only")
    assert look(database) == []


# --- aliases ---------------------------------------------------------------------------------------------------------


def through_alias(database, name, alias="other", seconds=1, **fields):
    made = source(database)
    with database.write() as tx:
        record_changes(tx, made, [AssetChange(name=name, uri=name, alias=alias, **fields)], at(seconds))


def test_an_asset_that_a_task_reports_through_an_alias_wakes_those_who_wait_for_the_alias(database):
    save(database, consumer("waits", AssetAlias("other")))
    through_alias(database, "found", asset_extra={"x": 1}, extra={"rows": 3})

    (run,) = look(database)

    assert used(database, run) == ["found"]
    assert is_active(database, "found")


def test_it_wakes_those_who_wait_for_the_asset_as_well(database):
    save(database, consumer("waits", A), consumer("too", AssetAlias("other")))
    through_alias(database, "a")

    assert [run.dag_id for run in look(database)] == ["too", "waits"]


def test_an_event_of_the_asset_itself_is_none_of_the_alias(database):
    save(database, consumer("waits", AssetAlias("other")))
    through_alias(database, "a")
    look(database)

    update(database, "a", seconds=3)

    assert look(database) == []


def test_what_two_aliases_say_alike_is_one_event(database):
    save(database, consumer("waits", AssetAlias("other") & AssetAlias("another")))
    made = source(database)
    changes = [AssetChange(name="a", uri="a", alias=alias) for alias in ("other", "another")]
    with database.write() as tx:
        record_changes(tx, made, changes, at(1))

    (run,) = look(database)

    assert used(database, run) == ["a"]


# --- what assets there are -------------------------------------------------------------------------------------------


def test_an_asset_that_no_dag_defines_gets_no_event(database, caplog):
    save(database, consumer("waits", Asset.ref(name="nowhere")))
    update(database, "nowhere")

    assert "asset.unknown" in caplog.text
    assert look(database) == []


def test_of_two_assets_with_one_name_one_is_active(database, caplog):
    save(database, producer("x", dag_id="first"), path="first.py")
    other = Asset("x", "file:///x")
    save(database, consumer("second", other), path="second.py")

    assert is_active(database, "x", "x")
    assert not is_active(database, "x", "file:///x")
    assert "asset.conflict" in caplog.text

    with database.write() as tx:
        dags.remove_file(tx, "first.py")

    assert not is_active(database, "x", "x")
    assert is_active(database, "x", "file:///x")


def test_an_event_from_outside_wakes_consumers_too(database):
    from sqlalchemy import select

    save(database, consumer("waits", A))
    with database.write() as tx:
        asset_id = tx.execute(select(AssetRow.id).where(AssetRow.name == "a")).scalar_one()
        record_event(tx, asset_id, {"from": "outside"}, at(1))

    (run,) = look(database)

    assert used(database, run) == ["a"]
