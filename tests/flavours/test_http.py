"""Do tasks call a real web server as they are told, and say what it answered?"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.authoring.support import Rehearsal
from tradewind.model.orders import Outcome
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import AirflowException, IgnoredArgumentWarning
from tradewind.sdk.hooks.http import HttpHook
from tradewind.sdk.operators.http import HttpOperator
from tradewind.sdk.sensors.http import HttpSensor


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; the path says how."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        path = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        place = path.path.strip("/")
        if place == "moved":
            self._send(302, b"", Location="/elsewhere")
        elif place.isdigit():
            self._send(int(place), b"no such thing")
        elif place == "latin":
            self._send(200, "é".encode("latin-1"), **{"Content-Type": "text/plain; charset=latin-1"})
        else:
            asked = {
                "method": self.command, "path": path.path, "query": parse_qs(path.query), "body": body,
                "headers": {name.lower(): value for name, value in self.headers.items()},
            }  # fmt: skip
            self._send(200, json.dumps(asked).encode(), **{"Content-Type": "application/json"})

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _answer

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Be quiet."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server, and the connection ``http_default`` that leads there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    port = server.server_address[1]
    monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", f"http://me:p%40ss@127.0.0.1:{port}/?X-Team=blue")
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()
    thread.join()


def run(operator: Any, **settings: Any) -> tuple[Any, Any]:
    """Run one task; return how it ended and its output."""
    dag = DAG("calls")
    operator(task_id="t", dag=dag, **settings)
    rehearsal = Rehearsal(dag)
    result = rehearsal.attempt("t")
    return result, rehearsal.xcoms("t").get("return_value")


def asked(**settings: Any) -> dict[str, Any]:
    """What the server was asked by an operator with these settings."""
    result, output = run(HttpOperator, **settings)
    assert result.error is None
    found: dict[str, Any] = json.loads(output)
    return found


@pytest.mark.parametrize(
    ("settings", "method", "query", "body", "kind"),
    [
        ({"data": {"a": 1, "b": [2, 3]}}, "POST", {}, "a=1&b=2&b=3", "application/x-www-form-urlencoded"),
        ({"data": '{"a": 1}'}, "PUT", {}, '{"a": 1}', None),
        ({"data": {"a": 1}}, "GET", {"a": ["1"]}, "", None),
        ({"data": {"a": 1}}, "DELETE", {"a": ["1"]}, "", None),
        ({"request_kwargs": {"json": {"a": [1]}}}, "POST", {}, '{"a": [1]}', "application/json"),
        ({"request_kwargs": {"params": {"p": 1}}, "data": "x"}, "PATCH", {"p": ["1"]}, "x", None),
        ({"endpoint": "a?x=1", "data": {"y": 2}}, "GET", {"x": ["1"], "y": ["2"]}, "", None),
    ],
)
def test_the_request_is_the_one_that_was_meant(address, settings, method, query, body, kind):
    found = asked(**{"endpoint": "a", "method": method, **settings})

    assert (found["method"], found["path"], found["query"], found["body"]) == (method, "/a", query, body)
    if kind is not None:
        assert found["headers"]["content-type"] == kind


def test_login_and_headers_come_from_the_connection_and_the_task(address):
    headers = asked(endpoint="a", headers={"X-Run": "{{ run_id }}", "X-Team": "red"})["headers"]

    assert headers["authorization"] == "Basic bWU6cEBzcw=="
    assert headers["x-run"] == "manual__1"
    assert headers["x-team"] == "red"


def test_redirects_are_followed_unless_told_otherwise(address):
    assert asked(endpoint="moved", method="GET")["path"] == "/elsewhere"

    result, output = run(HttpOperator, endpoint="moved", method="GET", extra_options={"allow_redirects": False})

    assert result.error is None
    assert output == ""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"endpoint": "503"}, "503:Service Unavailable"),
        ({"endpoint": "a", "response_check": lambda response: "nothing" in response.text}, "answer is not good"),
        ({"endpoint": "a", "extra_options": {"timout": 3}}, "know 'timout' of extra_options. Did you mean 'timeout'?"),
        ({"endpoint": "a", "request_kwargs": {"files": {}}}, "does not know 'files' of request_kwargs"),
        ({"endpoint": "a", "auth_type": object}, "has only the basic way to log in"),
        ({"endpoint": "http://127.0.0.1:1/x?token=secret"}, "POST http://127.0.0.1:1/x: no answer: [Errno 111]"),
        ({"endpoint": "a", "http_conn_id": "nobody"}, "'nobody' does not exist"),
        ({"endpoint": "a", "retry_args": {"stop": 1}}, "need the package tenacity"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told(address, settings, message):
    result, _ = run(HttpOperator, **settings)

    assert result.outcome is Outcome.FAILED
    assert message in result.error
    assert "secret" not in result.error


def test_the_answer_is_checked_and_filtered_with_the_context_at_hand(address):
    seen: list[Any] = []

    def check(response, ds, run_id):
        seen.append((response.status_code, response.headers["content-type"], ds, run_id))
        return response.ok

    result, output = run(
        HttpOperator, endpoint="b", method="GET", response_check=check, response_filter=lambda r, **_: r.json()["path"]
    )

    assert result.error is None
    assert output == "/b"
    assert seen == [(200, "application/json", "2024-03-05", "manual__1")]


def test_pages_are_fetched_until_there_are_no_more(address):
    def following(response):
        page = int(response.json()["query"]["page"][0])
        return {"data": {"page": page + 1}, "headers": {"X-Page": str(page)}} if page < 3 else None

    result, output = run(
        HttpOperator,
        endpoint="list",
        method="GET",
        data={"page": 1, "size": 9},
        pagination_function=following,
        response_filter=lambda pages: [(r.json()["query"], r.json()["headers"].get("x-page")) for r in pages],
    )

    assert result.error is None
    assert output == [({"page": [str(n)], "size": ["9"]}, None if n == 1 else str(n - 1)) for n in (1, 2, 3)]


def test_the_text_is_read_as_the_server_says(address):
    assert run(HttpOperator, endpoint="latin", method="GET")[1] == "é"


def test_a_status_may_be_taken_as_it_is(address):
    hook = HttpHook("GET")

    answer = hook.run("404", extra_options={"check_response": False})

    assert (answer.status_code, answer.ok, answer.text) == (404, False, "no such thing")
    with pytest.raises(AirflowException, match="404:Not Found"):
        answer.raise_for_status()
    assert hook.test_connection() == (True, "The address answers.")


def test_waiting_is_over_when_the_server_answers_well(address):
    assert run(HttpSensor, endpoint="a")[0].outcome is Outcome.SUCCESS
    late, _ = run(HttpSensor, endpoint="404", timeout=0, poke_interval=0.01, soft_fail=True)
    assert late.outcome is Outcome.SKIPPED
    failed, _ = run(HttpSensor, endpoint="500")
    assert failed.error is not None
    assert "500:" in failed.error
    answers = iter([False, True])
    checked, _ = run(HttpSensor, endpoint="a", response_check=lambda _r: next(answers), poke_interval=0.01)
    assert checked.outcome is Outcome.SUCCESS
    assert next(answers, None) is None


def test_what_cannot_be_honoured_is_warned_about():
    with pytest.warns(IgnoredArgumentWarning, match="deferrable has no effect here"):
        HttpOperator(task_id="t", endpoint="a", deferrable=True)
