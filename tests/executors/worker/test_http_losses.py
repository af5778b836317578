"""What becomes of a worker's words when the answer over HTTPS gets lost, or nobody is there to answer?"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from executors.runner.protocol import (
    Answer,
    AskAboutRuns,
    DeleteVariable,
    Done,
    GetVariable,
    PushXCom,
    Refused,
    RunsAnswer,
    SetVariable,
)
from executors.worker.http_link import HttpLink
from executors.worker.link import LinkLost
from tests.engine.world import add_run, dag, is_over, run_state, store, task
from tests.executors.worker.control import TOKEN, facts, now, remote, scheduler_for_workers, waiting, web_server
from tests.support.bridge import Bridge, bridge_to
from tests.support.waiting import wait_until
from tradewind.config import Config, load_config, with_secrets
from tradewind.metadata import processes, runs, xcoms
from tradewind.metadata.database import Database
from tradewind.model.orders import AttemptEnded, AttemptOrder, Outcome, XComValue
from tradewind.sdk.run_questions import TriggerRun


class Shaky:
    """A worker with a running attempt, whose way to the web server is a bridge."""

    def __init__(self, link: HttpLink, bridge: Bridge, worker: UUID, order: AttemptOrder) -> None:
        self.link, self.bridge, self.worker, self.order = link, bridge, worker, order

    def ask(self, request: Any) -> Answer:
        return self.link.desk.answer(self.order, request)


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def config(home: Path, sqlite_url: str) -> Config:
    own = {"TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": sqlite_url, "TRADEWIND__WORKERS__TOKEN": TOKEN}
    return with_secrets(load_config({**os.environ, **own}, home))


@pytest.fixture
def shaky(config: Config, database: Database, tmp_path: Path) -> Iterator[Shaky]:
    with web_server(config, database) as url, bridge_to(urlsplit(url).port or 0) as bridge:
        link, worker = HttpLink(load_config(remote({}, f"http://127.0.0.1:{bridge.port}"), tmp_path)), uuid4()
        link.register(worker, facts())
        version = store(database, dag("d", task("a")))
        with scheduler_for_workers(database):
            add_run(database, version, "d")
            ids = waiting(database, 1)
        bridge.lose_answers()
        with pytest.raises(LinkLost, match="has not answered"):
            link.claim(worker, list(ids.values()))
        (order,) = link.claim(worker, list(ids.values()))  # it was given the attempt, and is told so again
        yield Shaky(link, bridge, worker, order)
        link.close()


def test_what_a_task_changes_is_changed_though_the_answer_gets_lost(shaky, database):
    shaky.bridge.lose_answers(3)

    assert shaky.ask(SetVariable("v", "1", None)) == Done()
    assert shaky.ask(PushXCom(XComValue("k", "1", size_bytes=1))) == Done()
    assert shaky.ask(GetVariable("v")).value == "1"
    shaky.bridge.lose_answers()
    assert (shaky.ask(DeleteVariable("v")), shaky.ask(DeleteVariable("v"))) == (Done(True), Done(False))

    assert all(shaky.bridge.lost.acquire(timeout=0) for _ in range(5))  # the claim's, and all these
    with database.read() as tx:
        assert [x.value for x in xcoms.find_xcoms(tx, "d", "r1", ["a"], "k", None)] == ["1"]


def test_a_run_that_is_triggered_by_a_question_whose_answer_gets_lost_is_new(shaky, database):
    shaky.bridge.lose_answers()

    answer = shaky.ask(AskAboutRuns(TriggerRun("d", "triggered")))
    again = shaky.ask(AskAboutRuns(TriggerRun("d", "triggered")))

    assert isinstance(answer, RunsAnswer)
    assert isinstance(again, RunsAnswer)
    assert answer.answer.triggered is not None
    assert again.answer.triggered is not None
    assert (answer.answer.triggered.is_new, again.answer.triggered.is_new) == (True, False)
    with database.read() as tx:
        assert sorted(run.run_id for run in runs.list_runs(tx, limit=10)) == ["r1", "triggered"]


def test_a_report_whose_answer_got_lost_is_made_again_and_counts_once(shaky, database):
    ended = AttemptEnded(shaky.order.attempt_id, 1, shaky.order.run_pk, Outcome.SUCCESS, now(), now())
    shaky.bridge.lose_answers()

    with pytest.raises(LinkLost):
        shaky.link.report(shaky.worker, [ended])
    shaky.link.report(shaky.worker, [ended])

    with scheduler_for_workers(database):
        wait_until(is_over(database, shaky.order.run_pk), timeout=30, what="the end of the run")
    assert run_state(database, shaky.order.run_pk) == "success"


def test_a_worker_whose_registration_got_lost_is_registered_once(shaky, database):
    other = uuid4()
    shaky.bridge.lose_answers()

    with pytest.raises(LinkLost):
        shaky.link.register(other, facts())
    shaky.link.register(other, facts())

    with database.read() as tx:
        assert [one.id for one in processes.list_processes(tx, kind="worker")].count(other) == 1


def test_a_task_is_told_when_nobody_answers_for_too_long(shaky):
    shaky.link._persistence.patience_seconds = 0.2
    shaky.bridge.close()

    answer = shaky.ask(GetVariable("v"))

    assert isinstance(answer, Refused)
    assert "cannot be reached: Connection refused. It was asked for" in answer.error


def test_a_worker_that_ends_lets_nobody_wait(shaky):
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(shaky.ask(GetVariable("v"))))
    shaky.bridge.lose_answers(1000)
    asking.start()
    assert shaky.bridge.lost.acquire(timeout=30)  # the claim's
    assert shaky.bridge.lost.acquire(timeout=30)

    with pytest.raises(LinkLost):
        shaky.link.leave(shaky.worker)
    asking.join(timeout=30)

    assert isinstance(answers[0], Refused)
