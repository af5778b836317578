"""Who is not let in over HTTPS, what does a worker not get, and what is it told?"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import urllib3
from sqlalchemy import update

from executors.runner.protocol import GetVariable, PushXCom, Refused, SetVariable
from executors.worker import http_wire
from executors.worker.http_door import HttpDoor, TooLarge
from executors.worker.http_link import HttpLink
from executors.worker.link import LinkLost
from executors.worker.talk import Answered, Ask, GetSource, Leave, No, SourceText
from tests.engine.world import add_run, dag, is_over, run_state, states, store, task
from tests.executors.stores import put_variable
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
from tradewind.errors import TradewindError, UsageError
from tradewind.metadata import attempts
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt
from tradewind.model.orders import AttemptEnded, AttemptOrder, Outcome, XComValue
from tradewind.model.states import AttemptState

OLD_TOKEN = "another-token-of-thirty-two-chars"


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def config(home: Path, sqlite_url: str) -> Config:
    """The configuration of the side that has the metadata DB: a new token, and the old one for workers of yesterday."""
    tokens = f"{TOKEN}, {OLD_TOKEN}"
    own = {"TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": sqlite_url, "TRADEWIND__WORKERS__TOKEN": tokens}
    return with_secrets(load_config({**os.environ, **own}, home))


@pytest.fixture
def url(config: Config, database: Database) -> Iterator[str]:
    with web_server(config, database) as url:
        yield url


def far(tmp_path: Path, url: str, **settings: str) -> Config:
    """The configuration of a worker far away."""
    return load_config({**remote({}, url), **settings}, tmp_path)


@pytest.fixture
def door(url: str, tmp_path: Path) -> Iterator[HttpDoor]:
    door = HttpDoor(far(tmp_path, url))
    yield door
    door.close()


def post(url: str, body: bytes = b"", **headers: str) -> urllib3.BaseHTTPResponse:
    """Send anything at all."""
    sent = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": http_wire.MEDIA_TYPE,
        http_wire.VERSION_HEADER: "1",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    with urllib3.PoolManager() as pool:
        return pool.request("POST", url + http_wire.PATH, body=body, headers=sent, retries=False)


def why(response: urllib3.BaseHTTPResponse) -> str:
    answer = http_wire.decode_answer(response.data)
    assert isinstance(answer, No)
    return answer.why


# --- the door ---------------------------------------------------------------------------------------------------------


def test_without_a_token_at_the_web_server_nobody_is_let_in(config, database, tmp_path, home):
    closed = with_secrets(load_config({**os.environ, "TRADEWIND__WORKERS__TOKEN": ""}, home))
    with web_server(closed, database) as url:
        with pytest.raises(TradewindError, match=r"lets no worker in.*\[workers\] token is empty.*celery token"):
            HttpLink(far(tmp_path, url)).register(uuid4(), facts())
        assert post(url, Authorization="Bearer ").status == 403


@pytest.mark.parametrize(
    "given", ["", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xff"]
)
def test_whoever_has_no_token_is_not_let_in_and_not_listened_to(url, given, caplog):
    with caplog.at_level(logging.WARNING, "tradewind.webui.execution"):
        response = post(url, b"\xc1 no message", Authorization=given)

    assert response.status == 401
    assert "Set [workers] token of both to the same" in why(response)
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert "127.0.0.1 wanted in as a worker" in caplog.text
    assert TOKEN[:-1] not in caplog.text


def test_a_worker_with_yesterdays_token_is_let_in_while_the_web_server_knows_it(url, tmp_path):
    link = HttpLink(far(tmp_path, url, TRADEWIND__WORKERS__TOKEN=OLD_TOKEN))

    assert link.register(uuid4(), facts()).lease_seconds > 0
    link.close()


def test_a_login_of_a_person_is_no_token_of_a_worker_and_the_other_way_round(url):
    with urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{url}/api/v2/dags", headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.status == 401


@pytest.mark.parametrize("version", ["0", "2", "99", "one", "-1", "²"])
def test_a_worker_of_a_far_version_is_told_which_to_upgrade(url, version):
    response = post(url, Tradewind_Talk=version.encode("utf-8").decode("latin-1"))

    assert response.status == 400
    assert "upgrade the web servers first" in why(response)


def test_what_is_no_message_is_refused_in_words(url):
    assert "cannot be read: " in why(post(url, b"\xc1"))
    assert "`$.type`" in why(post(url, b"\x81\xa4type\xa4nope"))
    assert "`$.worker_id`" in why(post(url, b"\x82\xa4type\xa5leave\xa9worker_id\x01"))
    assert post(url, b"{}", Content_Type="application/json").status == 415
    with urllib3.PoolManager() as pool:
        assert pool.request("GET", url + http_wire.PATH).status == 405


def test_a_message_that_is_too_large_is_not_taken_in(url, monkeypatch):
    monkeypatch.setattr(http_wire, "MAX_REQUEST_BYTES", 1000)

    response = post(url, b"x" * 1001)

    assert response.status == 413


# --- the worker's side ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TRADEWIND__WORKERS__TOKEN": ""}, r"\[workers\] token is empty"),
        ({"TRADEWIND__WORKERS__CONTROL_PLANE": ""}, r"control_plane is empty"),
        ({"TRADEWIND__WORKERS__CA_FILE": "/nowhere/ca.pem"}, r"ca_file is /nowhere/ca.pem, which cannot be read"),
    ],
)
def test_a_worker_that_cannot_work_says_so_before_it_begins(tmp_path, settings, said):
    with pytest.raises(UsageError, match=said):
        HttpLink(far(tmp_path, "https://127.0.0.1:1", **settings))


def test_an_address_that_is_no_web_server_of_ours_is_told_from_one_that_is_away(url, tmp_path):
    with pytest.raises(UsageError, match=r"answers 302.*Check the address"):
        HttpLink(far(tmp_path, f"{url}/somewhere")).register(uuid4(), facts())
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=_answer_plainly, args=(plain,), daemon=True).start()
        with pytest.raises(UsageError, match=r"does not speak HTTPS. Correct the port"):
            HttpLink(far(tmp_path, f"https://127.0.0.1:{plain.getsockname()[1]}")).register(uuid4(), facts())
    with pytest.raises(LinkLost, match=r"http://127.0.0.1:1 cannot be reached: Connection refused"):
        HttpLink(far(tmp_path, "http://127.0.0.1:1")).register(uuid4(), facts())
    with pytest.raises(LinkLost, match=r"http://nowhere.invalid cannot be reached: .*not known"):
        HttpLink(far(tmp_path, "http://nowhere.invalid")).register(uuid4(), facts())


def _answer_plainly(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(1000)


def test_a_task_of_a_worker_that_was_not_let_in_gets_no_answer(url, tmp_path):
    link = HttpLink(far(tmp_path, url))
    order = AttemptOrder(uuid4(), 1, 1, "d", "r", "a", -1, 1, 1, "f.py", 1, "", "manual", now())

    assert "not been let in" in _refused(link.desk.answer(order, GetVariable("v")))


# --- what is a worker's own -------------------------------------------------------------------------------------------


@pytest.fixture
def running(door: HttpDoor, url: str, tmp_path: Path, database: Database, config: Config) -> Iterator[Any]:
    """A worker that runs task ``a`` of DAG ``d``, beside DAG ``other`` that it has nothing to do with."""
    put_variable(database, config, "v", "secret")
    link, worker = HttpLink(far(tmp_path, url)), uuid4()
    link.register(worker, facts())
    version, other = store(database, dag("d", task("a"))), store(database, dag("other", task("x")))
    with scheduler_for_workers(database):
        run_pk = add_run(database, version, "d")
        waiting(database, 1)
    (order,) = link.look(worker, facts(), free=1, running=(), is_beat=False).orders
    yield _Running(link, worker, order, run_pk, version, other)
    link.close()


class _Running:
    def __init__(self, link: HttpLink, worker: UUID, order: AttemptOrder, run_pk: int, version: int, other: int):
        self.link, self.worker, self.order, self.run_pk = link, worker, order, run_pk
        self.version, self.other = version, other


def _refused(answer: object) -> str:
    assert isinstance(answer, Refused), answer
    return answer.error


def test_only_the_worker_that_runs_an_attempt_may_ask_for_it(running, door, url, tmp_path):
    stranger = uuid4()
    HttpLink(far(tmp_path, url)).register(stranger, facts())
    own = Ask(running.worker, running.order.attempt_id, 1, GetVariable("v"))

    def ask(**changes: Any) -> object:
        given: dict[str, Any] = {"worker_id": own.worker_id, "attempt_id": own.attempt_id, "fence": 1} | changes
        answer = door.say(Ask(**given, request=own.request))
        assert isinstance(answer, Answered)
        return answer.answer

    assert "over" not in str(ask())
    for changes in (
        {"worker_id": stranger},
        {"worker_id": uuid4()},
        {"attempt_id": uuid4()},
        {"fence": 0},
        {"fence": 2},
    ):
        assert "This attempt is over" in _refused(ask(**changes))


def test_an_attempt_that_is_over_sees_and_changes_nothing(running, database):
    with database.write() as tx:
        tx.execute(update(Attempt).values(state=AttemptState.ENDED, ended_at=now(), outcome="failed"))

    for request in (GetVariable("v"), SetVariable("v", "changed"), PushXCom(XComValue("k", "1", size_bytes=1))):
        assert "This attempt is over" in _refused(running.link.desk.answer(running.order, request))


def test_a_worker_gets_the_files_of_what_it_runs_and_of_nothing_else(running, door):
    given = door.say(GetSource(running.worker, running.version))

    assert isinstance(given, SourceText)
    assert given.text == b"# d"
    for worker, version in ((running.worker, running.other), (uuid4(), running.version)):
        with pytest.raises(TradewindError, match="is of no DAG that this worker runs a task of now"):
            door.say(GetSource(worker, version))


# --- what is too much for one message ---------------------------------------------------------------------------------


def _small_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("executors.worker.http_door.MAX_REQUEST_BYTES", 3000)


def test_reports_that_are_too_large_together_go_in_parts(running, database, monkeypatch):
    _small_messages(monkeypatch)
    order = running.order
    many = [AttemptEnded(uuid4(), 1, 1, Outcome.SUCCESS, now()) for _ in range(30)]
    mine = AttemptEnded(
        order.attempt_id, 1, order.run_pk, Outcome.SUCCESS, now(), now(), xcoms=(XComValue("k", "1" * 2000),)
    )

    running.link.report(running.worker, [*many, mine, *many])

    with scheduler_for_workers(database):
        wait_until(is_over(database, running.run_pk), timeout=30, what="the end of the run")
    assert run_state(database, running.run_pk) == "success"


def test_a_task_that_leaves_more_than_can_be_sent_has_failed_and_says_the_mend(running, database, monkeypatch):
    _small_messages(monkeypatch)
    order = running.order
    heavy = AttemptEnded(
        order.attempt_id, 1, order.run_pk, Outcome.SUCCESS, now(), now(), xcoms=(XComValue("k", "1" * 9000),)
    )

    running.link.report(running.worker, [heavy])
    refused = _refused(running.link.desk.answer(order, PushXCom(XComValue("k", "1" * 9000))))

    with scheduler_for_workers(database):
        wait_until(is_over(database, running.run_pk), timeout=30, what="the end of the run")
    with database.read() as tx:
        (record,) = attempts.list_attempts(tx, running.run_pk)
    assert states(database, running.run_pk) == {"a": "failed"}
    assert "What it leaves behind cannot be sent: A message of" in (record.error or "")
    assert "[core] xcom_object_store" in (record.error or "")
    assert "is more than the 3000 bytes that can be sent" in refused


def test_rendered_fields_that_are_too_large_are_left_out(running, database, monkeypatch):
    _small_messages(monkeypatch)
    order = running.order
    fact = AttemptEnded(
        order.attempt_id, 1, order.run_pk, Outcome.SUCCESS, now(), now(), rendered={"sql": "SELECT " + "1" * 9000}
    )

    running.link.report(running.worker, [fact])

    with scheduler_for_workers(database):
        wait_until(is_over(database, running.run_pk), timeout=30, what="the end of the run")
    assert run_state(database, running.run_pk) == "success"


def test_a_proxy_that_takes_less_is_named(door, monkeypatch):
    """The web server answers 413 itself here, as a proxy would."""
    monkeypatch.setattr(http_wire, "MAX_REQUEST_BYTES", 10)

    with pytest.raises(TooLarge, match=r"more than http://127.0.0.1:\d+ takes at once.*client_max_body_size"):
        door.say(Leave(uuid4()))


def test_an_order_that_no_message_can_carry_fails_its_task_and_holds_nobody_up(url, tmp_path, database):
    link, worker = HttpLink(far(tmp_path, url)), uuid4()
    link.register(worker, facts())
    version = store(database, dag("d", task("a")))
    with scheduler_for_workers(database):
        bad = add_run(database, version, "d", 1, conf={"n": 10**30})
        good = add_run(database, version, "d", 2, conf={"n": 1})
        wait_until(lambda: _active(database) == 2, what="two attempts")

        orders = link.look(worker, facts(), free=5, running=(), is_beat=True).orders
        wait_until(is_over(database, bad), timeout=30, what="the end of the run")

    assert [order.run_pk for order in orders] == [good]
    with database.read() as tx:
        (record,) = attempts.list_attempts(tx, bad)
    assert "Look at the conf of the run" in (record.error or "")
    assert attempt_state(database, orders[0].attempt_id) == "running"
    link.close()


def _active(database: Database) -> int:
    with database.read() as tx:
        return len(attempts.list_active(tx))
