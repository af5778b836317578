"""News for open pages: what is told, to whom, and that nothing is missed."""

from __future__ import annotations

import queue

import pytest

from tests.webui.seed import ETL_TASKS
from tradewind.model.states import RunState, TaskState
from webui.live.hub import MAX_WAITING, Hub, Listener
from webui.live.topics import parse_topics
from webui.logs.files import log_files

WAIT = 10.0


@pytest.fixture
def hub(database, config):
    hub = Hub(database, log_files(config, database))
    yield hub
    hub.close()


def listen(hub: Hub, topics: str) -> Listener:
    return hub.listen(parse_topics(topics))


def test_a_listener_is_told_first_what_is_now_and_then_what_changes(hub, seed):
    seed.run("d", seed.dag("d", ETL_TASKS), {"clean": "running", "join": "none"}, run_id="r", state=RunState.RUNNING)
    listener = listen(hub, "run:d/r")
    try:
        name, now = listener.messages.get(timeout=WAIT)
        assert (name, now["state"]) == ("run", "running")
        assert [task[:2] for task in now["tasks"]] == [["clean", "running"], ["join", "none"]]
        seed.set_task("d", "r", "join", TaskState.RUNNING)
        while True:  # the first look may tell the beginning once more
            news = listener.messages.get(timeout=WAIT)[1]
            if ["join", "running"] in [task[:2] for task in news["tasks"]]:
                break
        seed.set_task("d", "r", "clean", TaskState.SUCCESS, RunState.SUCCESS)
        news = listener.messages.get(timeout=WAIT)[1]
        assert [task[:2] for task in news["tasks"]] == [["clean", "success"]]  # only what changed
        assert news["state"] == "success"
    finally:
        hub.leave(listener)


def test_lists_hear_of_every_run_and_a_dag_of_its_own(hub, seed):
    for name in ("a", "b"):
        seed.run(name, seed.dag(name, ETL_TASKS), {"clean": "none"}, run_id="r", state=RunState.RUNNING)
    everything, only_b = listen(hub, "all"), listen(hub, "dag:b")
    try:
        seed.set_task("a", "r", "clean", TaskState.RUNNING)
        assert everything.messages.get(timeout=WAIT) == ("all", {"topic": "all", "dag": "a"})
        seed.set_task("b", "r", "clean", TaskState.RUNNING)
        assert only_b.messages.get(timeout=WAIT) == ("dag", {"topic": "dag:b", "run": "r"})
        assert only_b.messages.empty()
    finally:
        hub.leave(everything)
        hub.leave(only_b)


def test_a_log_that_grows_is_told(hub, seed):
    seed.run("d", seed.dag("d", ETL_TASKS), {"clean": "running"}, run_id="r", state=RunState.RUNNING)
    listener = listen(hub, "log:d/r/clean/-1/1")
    try:
        assert listener.messages.get(timeout=WAIT)[1]["size"] == 0
        seed.log("d", "r", "clean", "hello\n")
        while (message := listener.messages.get(timeout=WAIT))[1]["size"] == 0:
            pass
        assert message == ("log", {"topic": "log:d/r/clean/-1/1", "size": 6})
    finally:
        hub.leave(listener)


def test_the_hub_rests_when_nobody_listens(hub, wait_until):
    listener = listen(hub, "all")
    thread = hub._thread
    assert thread is not None and thread.is_alive()
    hub.leave(listener)
    thread.join(timeout=WAIT)
    assert not thread.is_alive()
    assert hub.listeners == 0


def test_a_listener_that_is_too_far_behind_starts_anew():
    listener = Listener(frozenset())
    for number in range(MAX_WAITING + 1):
        listener.put(("run", {"n": number}))
    assert listener.messages.get_nowait() == ("reset", {})
    with pytest.raises(queue.Empty):
        listener.messages.get_nowait()


def test_the_stream_speaks_server_sent_events(client, seed):
    seed.run("d", seed.dag("d", ETL_TASKS), {"clean": "running"}, run_id="r", state=RunState.RUNNING)
    answer = client.get("/live?topics=run:d/r")
    assert answer.mimetype == "text/event-stream"
    assert "Content-Encoding" not in answer.headers
    parts = iter(answer.response)
    assert next(parts) == b"retry: 3000\n\n"
    assert next(parts).startswith(b'event: run\ndata: {"topic":"run:d/r","state":"running"')
    answer.close()


def test_a_browser_without_streams_can_ask(client, seed):
    seed.run("d", seed.dag("d", ETL_TASKS), {"clean": "running"}, run_id="r", state=RunState.RUNNING)
    words = dict(client.get("/live/now?topics=run:d/r,all").get_json())
    assert words["run"]["tasks"][0][:2] == ["clean", "running"] and "all" in words


def test_streams_need_a_login_and_known_topics(app, client):
    assert app.test_client().get("/live?topics=all").status_code == 401
    assert client.get("/live?topics=nothing").status_code == 400


def test_a_process_with_all_streams_taken_sends_browsers_to_polling(client, monkeypatch):
    monkeypatch.setattr("webui.live.pages.STREAMS_PER_PROCESS", 0)
    answer = client.get("/live?topics=all")
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "15"
