"""Runs are operated by pages that say what they would do, and need no scripts."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient

from tests.webui.conftest import csrf_of
from tests.webui.operated import HELD_BY, OPERATED, TASKS, hold, operated
from tests.webui.test_operating_api import BROKEN, DONE, LIVE, audited, run_of, states
from tradewind.model.states import RunState

PAGE = "/dags/d/runs/r"


@pytest.fixture
def version(seed):
    return seed.dag("d", TASKS)


@pytest.fixture
def broken(seed, version):
    return seed.run("d", version, BROKEN, run_id="r", state=RunState.FAILED)


@pytest.fixture
def live(seed, version):
    return seed.run("d", version, LIVE, run_id="r", state=RunState.RUNNING)


def fields_of(page: str) -> dict[str, list[str]]:
    """What the form would send that does what the page shows."""
    form = page.split('<form class="go"')[1].split("</form>")[0]
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form):
        found.setdefault(name, []).append(unescape(value))
    return found


def do(client: FlaskClient, path: str, **more: str):
    """Open a page and press its button."""
    shown = client.get(path)
    assert shown.status_code == 200, shown.text[:500]
    return client.post(path.partition("?")[0], data={**fields_of(shown.text), **more})


def affected(page: str) -> list[str]:
    """The tasks that a page lists."""
    return re.findall(r"<tr><td><a [^>]*/tasks/[^>]*>([^<]+)</a>", page.split('id="preview"')[1])


def test_the_run_page_offers_what_can_be_done(client, log_in, seed, broken):
    page = client.get(PAGE).text
    for action in ("clear", "mark?state=success", "mark?state=failed", "replay"):
        assert f'href="{PAGE}/{action}' in page
    assert f"{PAGE}/hold" not in page and f"{PAGE}/stop" not in page  # it is over
    assert f"{PAGE}/clear?task=load" in client.get(f"{PAGE}/tasks/load").text
    assert f"{PAGE}/clear" not in log_in("viewer").get(PAGE).text


def test_a_page_says_what_it_would_do_before_it_does(client, seed, broken):
    page = client.get(f"{PAGE}/clear?task=load&downstream=1").text
    assert affected(page) == ["load", "index", "mail"]
    assert "Clear 3 task instances" in page and "has ended and starts again" in page
    assert affected(client.get(f"{PAGE}/clear?task=load").text) == ["load"]
    assert affected(client.get(f"{PAGE}/clear?only=failed").text) == ["load", "index", "mail"]
    assert states(seed) == BROKEN

    answer = do(client, f"{PAGE}/clear?task=load&downstream=1&note=bigger+disk")
    assert (answer.status_code, answer.location) == (302, f"{PAGE}/tasks/load")
    assert states(seed) == {**DONE, "load": "none", "index": "none", "mail": "none"}
    assert run_of(seed).state is RunState.QUEUED
    assert audited(seed) == [("admin", "ui", "task.clear", None)]
    assert "Cleared: 3 task instances." in client.get(PAGE).text


def test_what_is_pressed_twice_is_done_once(client, seed, broken):
    fields = fields_of(client.get(f"{PAGE}/clear").text)
    for _ in range(2):
        assert client.post(f"{PAGE}/clear", data=fields).status_code == 302
    assert [row[2] for row in audited(seed)] == ["run.clear"]


def test_runs_before_and_after_come_along(client, seed, version):
    for day in range(3):
        name = "r" if day == 1 else f"day{day}"
        seed.run("d", version, BROKEN, run_id=name, state=RunState.FAILED, due=seed.now - timedelta(days=9 - day))
    page = client.get(f"{PAGE}/clear?task=load&past=1").text
    assert "2 task instances in 2 runs" in page and "day0" in page and "day2" not in page
    do(client, f"{PAGE}/clear?task=load&past=1&future=1")
    assert [states(seed, name)["load"] for name in ("day0", "r", "day2")] == ["none"] * 3


def test_of_very_many_runs_the_first_are_looked_at_and_all_are_changed(client, seed, version, monkeypatch):
    monkeypatch.setattr("webui.operating.MAX_FORESEEN", 2)
    monkeypatch.setattr("scheduler.operating.requests.PAGE", 1)
    for day in range(4):
        name = "r" if day == 3 else f"day{day}"
        seed.run("d", version, BROKEN, run_id=name, state=RunState.FAILED, due=seed.now - timedelta(days=9 - day))
    page = client.get(f"{PAGE}/clear?task=load&past=1").text
    assert "More than 2 task instances in more than 2 runs" in page and "Only the first 2 runs" in page
    do(client, f"{PAGE}/clear?task=load&past=1")
    assert [states(seed, name)["load"] for name in ("day0", "day1", "day2", "r")] == ["none"] * 4
    assert "Cleared: 4 task instances in 4 runs." in client.get(PAGE).text


def test_a_task_is_marked(client, seed, broken):
    page = client.get(f"{PAGE}/mark?task=load&state=success").text
    assert affected(page) == ["load", "index", "mail"]
    do(client, f"{PAGE}/mark?task=load&state=success")
    assert states(seed) == {**DONE, "index": "none", "mail": "none"}
    assert "They are all so already" in client.get(f"{PAGE}/mark?task=load&state=success").text


def test_a_run_is_marked_and_stopped(client, seed, live):
    page = client.get(f"{PAGE}/mark?state=success").text
    assert (
        "Mark the run as success" in page
        and "The run and 4 task instances" in page
        and "1 task instance runs now" in page
    )
    assert do(client, f"{PAGE}/stop").location == PAGE
    assert states(seed)["load"] == "skipped"


def test_a_run_is_held_and_released(client, seed, live):
    assert do(client, f"{PAGE}/hold?note=disk+full").location == PAGE
    page = client.get(PAGE).text
    assert "The run is held</b> by admin: disk full" in page
    data = {"csrf": csrf_of(page)}
    assert client.post(f"{PAGE}/release", data=data).location == PAGE
    assert "The run is held" not in client.get(PAGE).text
    assert run_of(seed).held is None


def test_a_task_is_held_and_released(client, seed, live):
    do(client, f"{PAGE}/hold?task=load&note=later")
    page = client.get(f"{PAGE}/tasks/load").text
    assert "This task is held</b> by admin: later" in page
    client.post(f"{PAGE}/release", data={"csrf": csrf_of(page), "task": "load"})
    assert "is held" not in client.get(f"{PAGE}/tasks/load").text


def test_what_is_held_is_seen_everywhere(client, seed):
    operated(seed)
    assert 'data-held="23"' in client.get(f"/dags/{OPERATED}").text.replace('data-held="22"', 'data-held="23"')
    assert "held by somebody" in client.get(f"/dags/{OPERATED}").text
    assert HELD_BY in client.get(f"/dags/{OPERATED}/runs").text
    graph = client.get(f"/dags/{OPERATED}/graph?run=held load").text
    assert 'class="box s-none held" data-t="load"' in graph and "waiting · held" in graph
    assert 'class="box s-none held" data-t="index"' not in graph


def test_a_run_is_replayed(client, seed, broken):
    page = client.get(f"{PAGE}/replay?task=load").text
    assert "3 task instances run" in page and "2 taken over" in page
    answer = do(client, f"{PAGE}/replay?task=load")
    assert answer.status_code == 302
    page = client.get(answer.location).text
    assert "Replays" in page and f'href="{PAGE}"' in page
    taken = client.post(f"{PAGE}/replay", data={**fields_of(client.get(f"{PAGE}/replay").text), "run_id": "r"})
    assert taken.status_code == 409


def test_only_what_has_ended_is_replayed(client, seed, live):
    assert "only a run that has ended can be replayed" in unescape(client.get(f"{PAGE}/replay").text)


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/dags/d/runs/none/clear", 404, "no run of that name"),
        (f"{PAGE}/clear?task=laod", 404, "Did you mean 'load'?"),
        (f"{PAGE}/burn", 404, "Not found"),
        (f"{PAGE}/mark?state=running", 200, "Mark the run as success"),
        (f"{PAGE}/clear?index=x&only=none", 200, "Clear 5 task instances"),
        (f"{PAGE}/hold", 200, "Nothing to do"),
    ],
)
def test_an_address_that_makes_no_sense_does_no_harm(client, seed, broken, path, status, told):
    answer = client.get(path)
    assert answer.status_code == status
    assert told in unescape(answer.text)


@pytest.mark.parametrize("action", ["clear", "mark", "hold", "release", "stop", "replay"])
def test_who_may(log_in, client, seed, live, action):
    viewer = log_in("viewer")
    assert viewer.get(f"{PAGE}/{action}").status_code == 403
    assert viewer.post(f"{PAGE}/{action}", data={"csrf": csrf_of(viewer.get(PAGE).text)}).status_code == 403
    assert client.post(f"{PAGE}/{action}").status_code == 403  # without the token of the page
    assert states(seed) == LIVE


def test_a_run_says_why_it_does_not_go_on(client, seed, live):
    hold(seed, "d", "r", "load")
    page = unescape(client.get(PAGE).text)
    assert "release it with" in page
    assert "trigger rule 'all_success'" in unescape(client.get(f"{PAGE}/tasks/mail").text)
