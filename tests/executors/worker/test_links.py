"""Does a worker get the same by SQL and over HTTPS? Every call of a link, on both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from executors.runner.protocol import (
    AskAboutRuns,
    AskAssets,
    AssetsAnswer,
    ConnectionAnswer,
    Count,
    CountXComs,
    DeleteVariable,
    Done,
    GetConnection,
    GetPreviousSuccess,
    GetVariable,
    GetXCom,
    GetXComRange,
    PreviousAnswer,
    PushXCom,
    Refused,
    SetVariable,
    Text,
    XComs,
)
from executors.runner.source import Source
from executors.worker.http_link import HttpLink
from executors.worker.link import WorkerLink
from executors.worker.sql_link import SqlLink
from tests.engine.world import add_run, dag, is_over, run_state, store, task
from tests.executors.stores import put_connection, put_variable
from tests.executors.worker.control import (
    TOKEN,
    attempt_state,
    facts,
    now,
    remote,
    scheduler_for_workers,
    waiting,
    web_server,
)
from tests.support.waiting import wait_until
from tradewind.config import Config, load_config, with_secrets
from tradewind.metadata import processes, runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt
from tradewind.model.asset_talk import AssetAnswer, FindTriggering
from tradewind.model.orders import AttemptEnded, AttemptOrder, AttemptStarted, Outcome, XComValue
from tradewind.model.states import AttemptState
from tradewind.sdk.run_questions import CountRuns, FindRun, TriggerRun

HERE = {"AIRFLOW_VAR_GIVEN": "by the host", "AIRFLOW_CONN_GIVEN": "http://given"}

MakeLink = Callable[[], WorkerLink]


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url)
    yield database
    database.close()


@pytest.fixture
def config(home: Path, postgres_url: str) -> Config:
    """The configuration of the side that has the metadata DB."""
    own = {"TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": postgres_url, "TRADEWIND__WORKERS__TOKEN": TOKEN}
    return with_secrets(load_config({**os.environ, **own}, home))


@pytest.fixture(params=["sql", "https"])
def make_link(request: pytest.FixtureRequest, config: Config, database: Database, tmp_path: Path) -> Iterator[MakeLink]:
    """``make_link()``: a link of one more worker; each test runs once for each kind of link."""
    if request.param == "sql":
        yield lambda: SqlLink(database, config, HERE)
        return
    far = tmp_path / "far"
    far.mkdir()
    with web_server(config, database) as url, ExitStack() as stack:

        def make() -> HttpLink:
            link = HttpLink(load_config(remote({}, url), far), HERE)
            stack.callback(link.close)
            return link

        yield make


@pytest.fixture
def link(make_link: MakeLink) -> WorkerLink:
    return make_link()


def test_a_worker_is_known_from_its_registration_until_it_leaves(link, database, config):
    worker = uuid4()

    welcome = link.register(worker, facts("a", "b"))
    link.register(worker, facts("a", "b"))  # the answer may have got lost

    (row,) = _workers(database)
    assert welcome.lease_seconds == config.scheduler.lease_seconds
    assert (row.id, row.hostname, row.pid, row.ended_at) == (worker, "w", 7, None)
    assert (list(row.info["queues"]), row.info["executor"]) == (["a", "b"], "CeleryExecutor")

    link.leave(worker)
    link.leave(worker)

    assert _workers(database)[0].ended_at is not None


def test_an_attempt_is_claimed_by_one_worker_and_its_order_says_all(make_link, database):
    one, other = make_link(), make_link()
    mine, theirs = uuid4(), uuid4()
    one.register(mine, facts())
    other.register(theirs, facts())
    version = store(database, dag("d", task("a"), task("b")))
    with scheduler_for_workers(database):
        run_pk = add_run(database, version, "d", conf={"deep": {"list": [1, None, 2.5, "ü"]}})
        ids = waiting(database, 2)

        (order,) = one.claim(mine, [ids["a"]])
        again = one.claim(mine, [ids["a"], uuid4()])

        assert (order.attempt_id, order.fence, order.run_pk, order.task_id) == (ids["a"], 1, run_pk, "a")
        assert (order.dag_id, order.conf) == ("d", {"deep": {"list": [1, None, 2.5, "ü"]}})
        assert order.run_after.tzinfo is not None
        assert list(again) == [order]
        assert [o.task_id for o in other.claim(theirs, list(ids.values()))] == ["b"]


def test_a_look_takes_what_waits_in_its_queues_while_there_is_room(link, database):
    worker = uuid4()
    link.register(worker, facts("q"))
    names = ["a", "b", "c"]
    version = store(database, dag("d", *(task(name, queue="q") for name in names), task("x", queue="elsewhere")))
    with scheduler_for_workers(database):
        add_run(database, version, "d")
        ids = waiting(database, 4)

        first = link.look(worker, facts("q"), free=2, running=(), is_beat=False)
        had = tuple(order.attempt_id for order in first.orders)
        second = link.look(worker, facts("q"), free=0, running=had, is_beat=True)
        third = link.look(worker, facts("q"), free=2, running=had, is_beat=False)

    assert (len(first.orders), second.orders, len(third.orders)) == (2, (), 1)
    assert {o.task_id for o in (*first.orders, *third.orders)} == set(names)
    assert first.is_alive
    assert attempt_state(database, ids["x"]) == "queued"


def test_what_was_taken_and_never_arrived_is_handed_over_again(link, database):
    worker = uuid4()
    link.register(worker, facts())
    version = store(database, dag("d", task("a")))
    with scheduler_for_workers(database):
        add_run(database, version, "d")
        waiting(database, 1)
        (lost,) = link.look(worker, facts(), free=4, running=(), is_beat=False).orders

        (again,) = link.look(worker, facts(), free=4, running=(), is_beat=True).orders

    assert again == lost


def test_a_look_tells_what_is_not_wanted_any_more(link, database):
    worker = uuid4()
    link.register(worker, facts())
    order, _ = _running_attempt(link, worker, database)
    with database.write() as tx:
        tx.execute(update(Attempt).where(Attempt.id == order.attempt_id).values(state=AttemptState.CANCELLING))

    found = link.look(worker, facts(), free=1, running=(order.attempt_id,), is_beat=False)

    assert (found.cancel, found.orders) == ((order.attempt_id,), ())


def test_a_worker_whose_lease_is_over_is_told(link, database):
    worker = uuid4()
    link.register(worker, facts())
    with database.write() as tx:
        processes.mark_ended(tx, [worker], database.now())

    for is_beat in (False, True):
        assert not link.look(worker, facts(), free=1, running=(), is_beat=is_beat).is_alive
    assert not link.look(uuid4(), facts(), free=1, running=(), is_beat=True).is_alive  # nobody knows it
    assert list(link.claim(worker, [uuid4()])) == []


def test_what_is_reported_is_folded_into_the_run(link, database):
    worker = uuid4()
    link.register(worker, facts())
    version = store(database, dag("d", task("a")))
    with scheduler_for_workers(database):
        run_pk = add_run(database, version, "d")
        waiting(database, 1)
        (order,) = link.look(worker, facts(), free=1, running=(), is_beat=False).orders
        began = AttemptStarted(order.attempt_id, order.fence, order.run_pk, now(), "w", 9, {"sql": "SELECT 1"})
        xcoms = (XComValue("return_value", '{"rows":3}', size_bytes=10),)
        ended = AttemptEnded(
            order.attempt_id, order.fence, order.run_pk, Outcome.SUCCESS, now(), now(), xcoms=xcoms, cpu_seconds=0.5
        )

        link.report(worker, [began])
        link.report(worker, [ended])
        link.report(worker, [began, ended])  # the answer may have got lost
        wait_until(is_over(database, run_pk), timeout=30, what="the end of the run")

    assert run_state(database, run_pk) == "success"
    with database.read() as tx:
        (instance,) = runs.list_task_instances(tx, run_pk)
    assert instance.state == "success"


def test_what_a_worker_says_of_an_attempt_of_another_counts_nothing(make_link, database):
    one, other = make_link(), make_link()
    mine, theirs = uuid4(), uuid4()
    one.register(mine, facts())
    other.register(theirs, facts())
    order, run_pk = _running_attempt(one, mine, database)

    other.report(theirs, [AttemptEnded(order.attempt_id, order.fence, run_pk, Outcome.FAILED, now(), error="no")])

    with scheduler_for_workers(database):
        one.report(mine, [AttemptEnded(order.attempt_id, order.fence, run_pk, Outcome.SUCCESS, now(), now())])
        wait_until(is_over(database, run_pk), timeout=30, what="the end of the run")
    assert run_state(database, run_pk) == "success"


def test_tasks_get_answers(link, database, config):
    worker = uuid4()
    link.register(worker, facts())
    order, _ = _running_attempt(link, worker, database)
    put_variable(database, config, "stored", "ü" * 10)
    put_connection(database, config, "stored", host="h", login="me", password="secret", port=5, extra='{"a": 1}')
    kept = XComValue("k", "[1,2]", size_bytes=5)

    def ask(request: Any) -> Any:
        return link.desk.answer(order, request)

    assert ask(GetVariable("stored")) == Text("ü" * 10)
    assert ask(GetVariable("none")) == Text(None)
    assert ask(GetVariable("given")) == Text("by the host")
    assert ask(SetVariable("new", "v", "why")) == Done()
    assert ask(GetVariable("new")) == Text("v")
    assert (ask(DeleteVariable("new")), ask(DeleteVariable("new"))) == (Done(True), Done(False))
    found = ask(GetConnection("stored"))
    assert isinstance(found, ConnectionAnswer)
    assert found.data is not None
    assert (found.data.login, found.data.password, found.data.port, found.data.extra) == ("me", "secret", 5, '{"a": 1}')
    assert ask(GetConnection("given")).data.host == "given"
    assert ask(GetConnection("none")) == ConnectionAnswer(None)
    assert ask(PushXCom(kept)) == Done()
    pulled = ask(GetXCom("k", ("a",)))
    assert isinstance(pulled, XComs)
    assert [(x.task_id, x.map_index, x.value) for x in pulled.found] == [("a", -1, "[1,2]")]
    assert ask(CountXComs("a", "k")) == Count(1)
    assert [x.value for x in ask(GetXComRange("a", "k", 0, 10)).found] == ["[1,2]"]
    assert ask(GetPreviousSuccess()) == PreviousAnswer(None)
    assert ask(AskAboutRuns(CountRuns("d"))).answer.count == 1
    assert ask(AskAboutRuns(TriggerRun("d", "more", conf={"n": 1}))).answer.triggered.is_new
    assert ask(AskAboutRuns(FindRun("d", "more"))).answer.run.run_type == "operator_triggered"
    assert ask(AskAssets(FindTriggering())) == AssetsAnswer(AssetAnswer())
    refused = ask(AskAboutRuns(TriggerRun("nowhere", "r")))
    assert isinstance(refused, Refused)
    assert "DAG 'nowhere' does not exist" in refused.error


def test_a_dag_file_that_is_not_here_comes_as_it_was_when_the_run_began(link, database):
    worker = uuid4()
    link.register(worker, facts())
    order, _ = _running_attempt(link, worker, database)

    source = link.desk.find_source(order)

    assert isinstance(source, Source)
    assert source.text == b"# d"


def _running_attempt(link: WorkerLink, worker: Any, database: Database) -> tuple[AttemptOrder, int]:
    """Have the worker claim the task ``a`` of a run of DAG ``d``; no scheduler runs afterwards."""
    version = store(database, dag("d", task("a")))
    with scheduler_for_workers(database):
        run_pk = add_run(database, version, "d")
        ids = waiting(database, 1)
    (order,) = link.claim(worker, list(ids.values()))
    return order, run_pk


def _workers(database: Database) -> list[processes.ProcessRecord]:
    with database.read() as tx:
        return processes.list_processes(tx, kind="worker")
