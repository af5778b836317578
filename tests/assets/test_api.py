"""The REST API about assets: the shapes of Airflow's client, and events that come from outside."""

from __future__ import annotations

import pytest

from tests.assets.world import consumer, look, pending, producer, save, update
from tradewind.sdk.assets.definitions import Asset, AssetAlias

A, B = Asset("a"), Asset("b")


def fields(names: str) -> list[str]:
    return sorted(names.split())


ASSET = fields("""
    aliases consuming_tasks created_at extra group id last_asset_event name producing_tasks scheduled_dags updated_at
    uri watchers
""")
EVENT = fields("""
    asset_id created_dagruns extra group id name partition_key source_dag_id source_map_index source_run_id
    source_task_id timestamp uri
""")
CREATED_RUN = fields("""
    dag_id data_interval_end data_interval_start end_date logical_date partition_key run_id start_date state triggering
""")


@pytest.fixture
def world(database):
    save(database, producer("a", "b", aliases=("other",)), path="producer.py")
    save(database, consumer("waits", A & B), consumer("any", A | AssetAlias("other")))
    return database


def asset_id(call, name):
    return next(one["id"] for one in call("GET", "/assets")[1]["assets"] if one["name"] == name)


def test_an_asset_says_who_makes_and_who_uses_it(world, call):
    update(world, "a")

    status, body = call("GET", "/assets?name_pattern=a")
    one = body["assets"][0]

    assert (status, body["total_entries"], sorted(one)) == (200, 1, ASSET)
    assert (one["name"], one["uri"], one["group"], one["extra"]) == ("a", "a", "asset", {})
    assert [use["dag_id"] for use in one["scheduled_dags"]] == ["any", "waits"]
    assert [(use["dag_id"], use["task_id"]) for use in one["producing_tasks"]] == [("producer", "make")]
    assert one["last_asset_event"]["id"] == call("GET", "/assets/events")[1]["asset_events"][0]["id"]
    assert call("GET", f"/assets/{one['id']}")[1] == one


def test_lists_are_paged_filtered_and_ordered(world, call):
    def names(query):
        return [one["name"] for one in call("GET", f"/assets?{query}")[1]["assets"]]

    assert names("order_by=-name") == ["b", "a"]
    assert names("limit=1&offset=1&order_by=name") == ["b"]
    assert names("uri_pattern=b") == ["b"]
    assert names("dag_ids=any") == ["a"]
    assert call("GET", "/assets?order_by=colour")[0] == 422
    assert call("GET", "/assets/999")[0] == 404


def test_an_event_says_where_it_came_from_and_what_came_of_it(world, call):
    update(world, "a", extra={"rows": 1})
    (run,) = look(world)

    (event,) = call("GET", "/assets/events")[1]["asset_events"]

    assert sorted(event) == EVENT
    assert (event["source_dag_id"], event["source_task_id"], event["extra"]) == ("producer", "make", {"rows": 1})
    (created,) = event["created_dagruns"]
    assert sorted(created) == CREATED_RUN
    assert (created["dag_id"], created["run_id"], created["triggering"]) == ("any", run.run_id, True)
    upstream = call("GET", f"/dags/any/dagRuns/{run.run_id}/upstreamAssetEvents")[1]
    assert upstream == {"asset_events": [event], "total_entries": 1}
    assert call("GET", f"/dags/any/dagRuns/{run.run_id}")[1]["run_type"] == "asset_triggered"


def test_somebody_outside_says_that_an_asset_was_updated(world, call):
    status, event = call("POST", "/assets/events", json={"asset_id": asset_id(call, "a"), "extra": {"k": 1}})

    assert status == 200, event
    assert event["extra"] == {"k": 1, "from_rest_api": True}
    assert event["source_dag_id"] is None
    assert [run.dag_id for run in look(world)] == ["any"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"asset_id": 999}, 404),
        ({"asset_id": "a"}, 422),
        ({"asset_id": True}, 422),
        ({}, 422),
        ({"asset_id": 1, "extra": []}, 422),
        ({"asset_id": 1, "partition_key": " "}, 422),
        ({"asset_id": 1, "colour": "red"}, 422),
        (None, 422),
    ],
)
def test_a_bad_event_is_refused(world, call, body, status):
    assert call("POST", "/assets/events", json=body)[0] == status


def test_what_waits_to_be_used_is_shown_and_can_be_forgotten(world, call):
    update(world, "a")
    look(world)

    queued = call("GET", "/dags/waits/assets/queuedEvents")[1]
    assert [(one["dag_id"], one["asset_id"]) for one in queued["queued_events"]] == [("waits", asset_id(call, "a"))]
    assert queued["total_entries"] == 1
    assert call("GET", f"/assets/{asset_id(call, 'a')}/queuedEvents")[1] == queued

    assert call("DELETE", "/dags/waits/assets/queuedEvents")[0] == 204
    assert pending(world, "waits") == 0
    update(world, "b", seconds=5)
    assert "waits" not in [run.dag_id for run in look(world)]


def test_an_asset_is_brought_up_to_date_by_the_dag_that_makes_it(world, call):
    status, run = call("POST", f"/assets/{asset_id(call, 'a')}/materialize", json={})

    assert status == 200, run
    assert (run["dag_id"], run["run_type"]) == ("producer", "asset_materialization")
    assert run["dag_run_id"].startswith("asset_materialization__")


def test_nobody_makes_an_asset_that_is_only_waited_for(world, call):
    save(world, consumer("alone", Asset("only")), path="alone.py")
    assert call("POST", f"/assets/{asset_id(call, 'only')}/materialize", json={})[0] == 404


def test_aliases_are_listed(world, call):
    (one,) = call("GET", "/assets/aliases")[1]["asset_aliases"]
    assert one == {"id": one["id"], "name": "other", "group": "asset"}
    assert call("GET", f"/assets/aliases/{one['id']}")[1] == one
    assert call("GET", "/assets/aliases/999")[0] == 404


def test_the_details_of_a_dag_show_its_condition(world, call):
    details = call("GET", "/dags/waits/details")[1]
    assert details["asset_expression"] == {
        "all": [{"asset": {"uri": name, "name": name, "group": "asset"}} for name in ("a", "b")]
    }
    assert (details["timetable_summary"], details["timetable_periodic"]) == ("Asset", False)
