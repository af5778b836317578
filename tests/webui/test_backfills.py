"""Backfills through the REST API and by pages: tried, started, watched, paused, cancelled."""

from __future__ import annotations

from datetime import UTC, datetime
from html import unescape

import pytest

from tests.webui.conftest import csrf_of
from tests.webui.operated import OPERATED, TASKS, backfill, operated
from tests.webui.test_operating_pages import do
from tradewind.metadata.backfills import get_backfill, list_backfills, list_slots
from tradewind.model.spec import ParamSpec
from tradewind.model.states import RunState

NEW = "/dags/d/backfills/new"
SPAN = "start=2013-01-01T00:00&end=2013-01-05T12:00"
BODY = {"dag_id": "d", "from_date": "2013-01-01T00:00:00Z", "to_date": "2013-01-05T12:00:00Z"}
REQUIRED = [
    "created_at", "dag_display_name", "dag_id", "from_date", "id", "is_paused", "max_active_runs",
    "reprocess_behavior", "to_date", "updated_at",
]  # fmt: skip


@pytest.fixture
def version(seed):
    return seed.dag("d", TASKS, params={"n": ParamSpec({"type": "integer"}, 1)})


def _day(number):
    return datetime(2013, 1, number, 2, tzinfo=UTC)


def stored(seed):
    with seed.db.read() as tx:
        return list_backfills(tx)


def test_what_would_be_done_is_told_and_nothing_done(call, seed, version):
    seed.run("d", version, {}, run_id="there", due=_day(2))
    seed.run("d", version, {}, run_id="broken", due=_day(3), state=RunState.FAILED)
    status, body = call("POST", "/backfills/dry_run", json=BODY)
    assert (status, body["total_entries"]) == (200, 3), body
    assert [one["logical_date"][:10] for one in body["backfills"]] == ["2013-01-01", "2013-01-04", "2013-01-05"]
    again = call("POST", "/backfills/dry_run", json={**BODY, "reprocess_behavior": "failed"})[1]["backfills"]
    assert [(one["action"], one["run_id"]) for one in again][1] == ("rerun", "broken")
    back = call("POST", "/backfills/dry_run", json={**BODY, "run_backwards": True})[1]["backfills"]
    assert back[0]["logical_date"][:10] == "2013-01-05"
    assert stored(seed) == []


def test_a_backfill_is_created_listed_and_steered(call, seed, version):
    status, made = call("POST", "/backfills", json={**BODY, "max_active_runs": 3, "dag_run_conf": {"n": 2}})
    assert status == 200, made
    assert all(made[name] is not None for name in REQUIRED)
    assert (made["max_active_runs"], made["dag_run_conf"], made["completed_at"]) == (3, {"n": 2}, None)
    assert call("GET", f"/backfills/{made['id']}")[1] == made
    assert call("GET", "/backfills?dag_id=d")[1] == {"backfills": [made], "total_entries": 1}
    assert call("POST", "/backfills", json=BODY)[0] == 409  # one at a time
    path = f"/backfills/{made['id']}"
    assert call("PUT", f"{path}/pause")[1]["is_paused"] is True
    assert call("POST", f"{path}/pause")[1]["is_paused"] is True  # again: so it is
    assert call("PUT", f"{path}/unpause")[1]["is_paused"] is False
    dates = call("GET", f"/tradewind{path}/dates")[1]
    assert (dates["total_entries"], dates["counts"]["waiting"], dates["dates"][0]["state"]) == (5, 5, "waiting")
    assert call("PUT", f"{path}/cancel")[0] == 200
    status, body = call("PUT", f"{path}/cancel")
    assert status == 409 and str(made["id"]) in body["detail"]
    with seed.db.read() as tx:
        assert {slot.state.value for slot in list_slots(tx, made["id"])} == {"cancelled"}


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"dag_id": "none"}, 404, "none"),
        ({"dag_id": None}, 422, "Name the DAG"),
        ({"dag_ids": ["d"]}, 422, "not by both"),
        ({"from_date": None}, 422, "'from_date' is missing"),
        ({"to_date": "tomorrow"}, 422, "ISO 8601"),
        ({"max_active_runs": 0}, 422, "from 1 on"),
        ({"max_active_runs": True}, 422, "from 1 on"),
        ({"reprocess_behavior": "some"}, 422, "It can be: none, failed, completed."),
        ({"tasks": [3]}, 422, "list of ids"),
        ({"tasks": ["laod"]}, 400, "laod"),
        ({"dag_run_conf": {"n": "many"}}, 400, "n"),
        ({"from_date": "2013-01-09T00:00:00Z"}, 400, "2013"),
        ({"run_backward": True}, 422, "Did you mean 'run_backwards'?"),
    ],
)
def test_a_backfill_that_cannot_be_meant_is_refused_in_words(call, seed, version, body, status, told):
    for path in ("/backfills", "/backfills/dry_run"):
        answer = call("POST", path, json={**BODY, **body})
        assert answer[0] == status, answer
        assert told in answer[1]["detail"]
    assert stored(seed) == []


def test_there_is_none_of_that_number(call, seed):
    for method, path in (("GET", ""), ("PUT", "/pause"), ("PUT", "/unpause"), ("PUT", "/cancel")):
        assert call(method, f"/backfills/77{path}")[0] == 404
    assert call("GET", "/backfills?dag_id=none")[0] == 404


def test_the_page_shows_the_dates_and_starts_exactly_these(client, seed, version):
    seed.run("d", version, {}, run_id="there", due=_day(2))
    page = client.get(f"{NEW}?{SPAN}").text
    assert "4 runs" in page and "2013-01-01 02:00:00 UTC" in page and "left out" in page
    assert "5 runs" in client.get(f"{NEW}?{SPAN}&reprocess=completed").text
    assert stored(seed) == []

    answer = do(client, f"{NEW}?{SPAN}&reprocess=completed&max=2&tasks=load&downstream=1&conf=%7B%22n%22%3A+3%7D")
    (made,) = stored(seed)
    assert (answer.status_code, answer.location) == (302, f"/backfills/{made.id}")
    assert (made.max_active_runs, made.conf, made.created_by) == (2, {"n": 3}, "admin")
    assert set(made.tasks["d"]) == {"load", "index", "mail"}
    page = client.get(answer.location).text
    assert "0 of 5 runs done" in page and "to come" in page
    again = do(client, f"{NEW}?start=2014-01-01T00:00&end=2014-01-02T00:00")
    assert again.status_code == 409 and 'role="alert"' in again.text


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("start=x&end=2013-01-05T12:00", "From is 'x'"),
        (f"{SPAN}&max=0", "from 1 to 10000"),
        (f"{SPAN}&conf=%7B", "no JSON"),
        (f"{SPAN}&conf=%5B%5D", "must be a JSON object"),
        (f"{SPAN}&tasks=laod", "laod"),
        ("start=2013-01-05T12:00&end=2013-01-01T00:00", "2013-01-01"),
    ],
)
def test_a_form_that_makes_no_sense_says_so(client, seed, version, query, told):
    page = unescape(client.get(f"{NEW}?{query}").text)
    assert "This cannot be" in page and told in page
    assert 'class="go"' not in page


def test_a_backfill_is_watched_paused_and_cancelled(client, log_in, seed):
    backfill_id = operated(seed)
    path = f"/backfills/{backfill_id}"
    page = client.get(path).text
    assert "13 of 27 runs done" in page and "<b>2</b> failed" in page and "did not fail" in page
    assert f"/dags/{OPERATED}/runs/backfill__2013-01-04T00:00:00" in page.replace("%3A", ":")
    assert 'aria-label="11 success, 2 failed' in client.get("/backfills").text
    assert f'href="{path}"' in client.get(f"/dags/{OPERATED}/backfills").text
    assert f'href="{path}"' in client.get(f"/dags/{OPERATED}/runs/backfill__2013-01-01T00:00:00%2B00:00").text
    assert "/pause" not in log_in("viewer").get(path).text

    csrf = {"csrf": csrf_of(page)}
    assert client.post(f"{path}/pause", data=csrf).location == path
    assert "Go on" in client.get(path).text
    client.post(f"{path}/cancel", data=csrf)
    with seed.db.read() as tx:
        assert get_backfill(tx, backfill_id).cancelled_at is not None
    assert "/pause" not in client.get(path).text
    client.post(f"{path}/pause", data=csrf)
    assert 'role="status"' in client.get(path).text  # it is over: the page says so
    assert log_in("viewer").post(f"{path}/pause", data=csrf).status_code == 403


def test_dates_are_shown_by_how_far_they_have_come(client, seed):
    path = f"/backfills/{backfill(seed, 'd', seed.dag('d', TASKS), dates=12, open_=False)}"
    assert "11 of 11 runs done" in client.get(path).text
    assert "2013-01-05 " not in client.get(f"{path}?show=made").text
    assert "2013-01-05 " in client.get(f"{path}?show=left+out").text
    assert "None is in this state" in client.get(f"{path}?show=waiting").text
