"""Unpausing by the switch, by its page and by the REST API: it is asked first when many runs would come at once."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient

from tests.engine.test_fire import daily
from tests.engine.test_unpausing import paused
from tests.webui.conftest import csrf_of
from tradewind.metadata.dags import get_dag
from tradewind.metadata.database import Database
from tradewind.metadata.models import AuditEntry

JSON = {"Accept": "application/json"}


@pytest.fixture
def missed(database: Database) -> None:
    """A paused DAG ``etl`` whose last four days, and today, have no run."""
    paused(database, daily("etl", today(database) - timedelta(days=4)))


def today(database: Database):
    return database.now().replace(hour=0, minute=0, second=0, microsecond=0)


def switch(client: FlaskClient, **headers):
    csrf = csrf_of(client.get("/dags").text)
    return client.post("/dags/etl/pause", data={"paused": "false", "csrf": csrf}, **headers)


def is_paused(database: Database) -> bool:
    with database.read() as tx:
        return get_dag(tx, "etl").is_paused


@pytest.mark.usefixtures("missed")
def test_the_switch_asks_before_many_runs_come_at_once(client, database):
    assert switch(client).location == "/dags/etl/unpause"
    assert switch(client, headers=JSON).get_json() == {"dag_id": "etl", "is_paused": True, "ask": "/dags/etl/unpause"}
    assert is_paused(database)

    page = unescape(client.get("/dags/etl/unpause").text)
    assert "5 runs are due already" in page and "Go on, and make them now" in page and "Go on without them" in page


@pytest.mark.usefixtures("missed")
@pytest.mark.parametrize(
    ("how", "said", "detail"),
    [
        ("make", "5 runs will be created, from", {}),
        ("skip", "etl runs on its schedule: 5 missed runs are left out.", {"left_out": 5}),
    ],
)
def test_the_page_makes_them_or_leaves_them_out(client, database, how, said, detail):
    csrf = csrf_of(client.get("/dags/etl/unpause").text)
    answer = client.post("/dags/etl/unpause", data={"missed": how, "csrf": csrf})

    assert answer.location == "/dags/etl"
    assert said in unescape(client.get("/dags/etl").text)
    assert not is_paused(database)
    with database.read() as tx:
        rows = tx.execute(AuditEntry.__table__.select()).all()
    assert [(row.actor, row.via, row.action, row.detail) for row in rows] == [("admin", "ui", "dag.unpause", detail)]
    assert "No run is due yet" in client.get("/dags/etl/unpause").text or how == "make"


def test_one_run_needs_no_question_and_is_told(client, database):
    paused(database, daily("etl", today(database)))

    said = switch(client, headers=JSON).get_json()

    assert said["is_paused"] is False
    assert said["said"].startswith("etl runs on its schedule: 1 run will be created, for ")
    assert not is_paused(database)


@pytest.mark.usefixtures("missed")
def test_who_may_only_look_cannot(log_in, database):
    assert log_in("viewer").get("/dags/etl/unpause").status_code == 403
    assert is_paused(database)
