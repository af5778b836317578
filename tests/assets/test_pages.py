"""The pages about assets: what stands on them, and what can be done there."""

from __future__ import annotations

import pytest

from tests.assets.world import consumer, look, producer, runs_of, save, update
from tests.webui.conftest import csrf_of
from tradewind.metadata.views.assets import AssetSearch, list_assets
from tradewind.sdk.assets.definitions import Asset

A, B = Asset("a"), Asset("b", "s3://b", extra={"owner": "<ann>"})


@pytest.fixture(autouse=True)
def world(database):
    save(database, producer("a"), path="producer.py")
    save(database, consumer("waits", A & B), consumer("any", A))
    update(database, "a", extra={"rows": 7})
    look(database)


def number(database, name):
    with database.read() as tx:
        return next(one.id for one in list_assets(tx, AssetSearch()) if one.name == name)


def test_the_list_says_what_was_updated_and_by_whom(client):
    page = client.get("/assets").get_data(as_text=True)
    assert "producer" in page
    assert "waits" in page
    assert "s3://b" in page
    assert "never" in page
    assert "No assets" in client.get("/assets?q=nowhere").get_data(as_text=True)
    assert client.get("/assets?offset=x&all=yes").status_code == 200


def test_the_page_of_an_asset_shows_its_events_and_who_has_not_used_them(client, database):
    page = client.get(f"/assets/{number(database, 'a')}").get_data(as_text=True)
    (run,) = runs_of(database, "any")
    assert run.run_id in page
    assert "&#34;rows&#34;: 7" in page or '"rows": 7' in page
    assert page.count("update since") == 1  # for the DAG that waits for b as well
    assert client.get("/assets/999").status_code == 404


def test_an_update_is_reported_and_the_producer_run(log_in, database):
    client, asset_id = log_in("user"), number(database, "a")
    page = client.get(f"/assets/{asset_id}").get_data(as_text=True)
    token = csrf_of(page)

    assert client.post(f"/assets/{asset_id}/events", data={"csrf": token}).status_code == 302
    assert [run.dag_id for run in look(database, 9)] == ["any"]

    assert client.post(f"/assets/{asset_id}/materialize", data={"csrf": token}).status_code == 302
    assert runs_of(database, "producer")[-1].run_type.value == "asset_materialization"
    assert client.post(f"/assets/{asset_id}/events").status_code in (400, 403)


def test_a_viewer_can_only_look(log_in, database):
    client, asset_id = log_in("viewer"), number(database, "a")
    page = client.get(f"/assets/{asset_id}").get_data(as_text=True)
    assert "Materialize" not in page
    assert client.post(f"/assets/{asset_id}/events", data={"csrf": csrf_of(page)}).status_code == 403
