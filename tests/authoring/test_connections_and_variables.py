"""Do connections survive their URI and JSON forms, and are variables found where they should be?"""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.authoring.support import Rehearsal
from tradewind import DAG, Connection, PythonOperator, Variable
from tradewind.sdk.channel import ConnectionData
from tradewind.sdk.connection import BaseHook
from tradewind.sdk.exceptions import AirflowException, AirflowNotFoundException

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("postgres://u:p@host:5432/db", ("postgres", "u", "p", "host", 5432, "db", {})),
        ("postgresql://h/db?sslmode=require", ("postgres", None, None, "h", None, "db", {"sslmode": "require"})),
        ("google-cloud-platform://", ("google_cloud_platform", None, None, None, None, None, {})),
        ("http://u%40x:p%2F%3A@h%2Fx", ("http", "u@x", "p/:", "h/x", None, None, {})),
        ("aws://?__extra__=%7B%22a%22%3A+%5B1%5D%7D", ("aws", None, None, None, None, None, {"a": [1]})),
        ("mysql://CaseKept.Example/s%2Fx", ("mysql", None, None, "CaseKept.Example", None, "s/x", {})),
        ("ssh://:secret@h", ("ssh", "", "secret", "h", None, None, {})),
        ("x://[::1]:80/", ("x", None, None, "::1", 80, None, {})),
        ("x://%3A%3A1:80", ("x", None, None, "::1", 80, None, {})),
        ("http://https://x.org", ("http", None, None, "https://x.org", None, None, {})),
        ("http://https://x.org/y/z", ("http", None, None, "https://x.org", None, "y/z", {})),
        ("http://https%3A%2F%2Fx.org%2Fy", ("http", None, None, "https://x.org/y", None, None, {})),
        ("http://https://u:p@x.org:80/s?a=b", ("http", "u", "p", "https://x.org", 80, "s", {"a": "b"})),
        ("http://x.org/?back=https://y.org", ("http", None, None, "x.org", None, None, {"back": "https://y.org"})),
    ],
)
def test_a_uri_is_read(uri, parts):
    conn = Connection(conn_id="c", uri=uri)

    assert (conn.conn_type, conn.login, conn.password, conn.host, conn.port, conn.schema, conn.extra_dejson) == parts


@pytest.mark.parametrize(
    ("parts", "uri"),  # as Airflow 3.3.2 writes them
    [
        ({"conn_type": "http", "host": "https://x.org"}, "http://https://x.org"),
        ({"conn_type": "http", "host": "https://x.org/y"}, "http://https://x.org%2Fy"),
        ({"conn_type": "http", "host": "https://x.org:8443/y"}, "http://https://x.org%3A8443%2Fy"),
        (
            {"conn_type": "x", "host": "https://x.org/y", "login": "a@b", "password": "c/d", "port": 80, "schema": "s"},
            "x://https://a%40b:c%2Fd@x.org%2Fy:80/s",
        ),
        ({"conn_type": "http", "host": "https://x.org/y", "extra": '{"a":"b"}'}, "http://https://x.org%2Fy/?a=b"),
        ({"conn_type": "https", "host": "https://x.org"}, "https://https%3A%2F%2Fx.org"),
        (
            {"conn_type": "spark", "host": "spark://a:7077", "port": 7077, "login": "u"},
            "spark://u@spark%3A%2F%2Fa%3A7077:7077",
        ),
        ({"conn_type": "x_y", "host": "a://b://c"}, "x-y://a://b%3A%2F%2Fc"),
        ({"conn_type": "x", "host": "http://[::1]:80/"}, "x://http://%5B%3A%3A1%5D%3A80%2F"),
        ({"conn_type": "http", "host": "h/x"}, "http://h%2Fx"),
    ],
)
def test_a_host_with_a_protocol_is_written_as_airflow_does_and_read_back(parts, uri):
    made = Connection(conn_id="c", **parts)
    again = Connection(conn_id="c", uri=uri)

    assert made.get_uri() == uri
    assert vars(again) | {"extra": again.extra_dejson} == vars(made) | {"extra": made.extra_dejson}


schemes = st.from_regex(r"[A-Za-z][A-Za-z0-9+.\-]{0,8}", fullmatch=True)
hosts = (
    st.sampled_from(["h", "a.b-c.example", "::1", "UPPER", "https://", "://", "a:b", "[::1]", "fe80::1%eth0", "h:80"])
    | words
    | st.builds("{}://{}".format, schemes | st.sampled_from(["http", "postgres"]), words)
    | st.builds("https://{}/{}".format, words, words)
)


@settings(deadline=None)  # the first example pays for imports
@given(
    st.builds(
        Connection,
        conn_id=st.just("c"),
        conn_type=st.sampled_from(["postgres", "http", "google_cloud_platform"]),
        host=st.none() | hosts,
        login=st.none() | words,
        password=st.none() | words,
        schema=st.none() | words,
        port=st.none() | st.integers(1, 65535),
        extra=st.none()
        | st.dictionaries(words, words, min_size=1)
        | st.dictionaries(words, st.integers() | st.booleans(), min_size=1),
    ).filter(lambda c: c.host is not None or (c.port is None and c.login is None and c.password is None))
)
def test_what_is_written_as_a_uri_or_json_is_read_back(conn):
    again = Connection(conn_id="c", uri=conn.get_uri())
    if conn.login is None and conn.password is not None:
        again.login = None  # a URI cannot tell no login from an empty one

    assert vars(again) | {"extra": again.extra_dejson} == vars(conn) | {"extra": conn.extra_dejson}
    assert Connection.from_json(conn.as_json(), "c") == conn


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Connection(conn_id="c", uri="postgres://h", host="x"), "give uri or the parts, not both"),
        (lambda: Connection(conn_id="c", uri="host"), "is not a URI"),
        (lambda: Connection(conn_id="c", uri="x://h:port/"), "The port must be a number"),
        (lambda: Connection(conn_id="c", uri="http://u:p@https://x.org/s"), "A host with a protocol is written"),
        (lambda: Connection(conn_id="c", uri="a://b://c://d"), "A host with a protocol is written"),
        (lambda: Connection(conn_id="c", uri="x://[h/"), "Quote each of its parts"),
        (lambda: Connection(conn_id="c", extra="{"), "extra is not JSON"),
        (lambda: Connection.from_json("{", "c"), "Connection 'c' is not JSON"),
        (lambda: Connection.from_json("[]", "c"), "must be an object"),
        (lambda: Connection.from_json('{"hots": 1}', "c"), "hots"),
    ],
)
def test_a_wrong_connection_says_what_is_wrong(make, says):
    with pytest.raises(AirflowException, match=says):
        make()


@pytest.mark.parametrize("uri", ["secret", "x://u:secret/@h", "x://u:secret@https://h", "x://u:secret@[h"])
def test_a_uri_that_cannot_be_read_is_not_shown(uri):
    with pytest.raises(AirflowException) as caught:
        Connection(conn_id="c", uri=uri)

    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_extra_can_be_read_deep():
    conn = Connection(conn_id="c", extra={"a": '{"b": 1}', "t": "x"})

    assert conn.get_extra_dejson(nested=True) == {"a": {"b": 1}, "t": "x"}


def in_a_task(function, run=None):
    """Return what ``function`` returns inside of a running task; its error line when it fails."""
    with DAG("etl") as made:
        PythonOperator(task_id="it", python_callable=function)
    run = run or Rehearsal(made)
    run.dag = made
    result = run.attempt("it")
    return run.xcoms("it").get("return_value", result.error)


def test_a_task_gets_its_connection_and_the_password_is_masked():
    run = Rehearsal(DAG("x"))
    run.memory.connections["db"] = ConnectionData("db", "postgres", host="h", login="u", password="pw", port=5)

    assert in_a_task(lambda: BaseHook.get_connection("db").get_uri(), run) == "postgres://u:pw@h:5"
    assert run.channel is not None and run.channel.secrets == {"pw"}


@pytest.mark.parametrize(
    "value", ["postgres://env/db", json.dumps({"conn_type": "postgres", "host": "env", "schema": "db"})]
)
def test_a_connection_in_the_environment_comes_first(monkeypatch, value):
    monkeypatch.setenv("AIRFLOW_CONN_DB", value)

    assert Connection.get("db").get_uri() == "postgres://env/db"


def test_a_missing_connection_says_how_to_make_it():
    assert "`tradewind connections add db --conn-uri URI`" in in_a_task(lambda: Connection.get("db").host)
    with pytest.raises(AirflowException, match="was called while no task runs"):
        Connection.get("db")
    assert issubclass(AirflowNotFoundException, AirflowException)


def test_variables_are_read_written_and_removed():
    def work():
        Variable.set("n", {"a": 1}, serialize_json=True)
        seen = [
            Variable.get("n", deserialize_json=True),
            Variable.get("none", default=5),
            Variable.get("none", default_var=None),
        ]
        seen += [Variable.setdefault("d", "first"), Variable.setdefault("d", "second")]
        return [*seen, Variable.delete("d"), Variable.delete("d")]

    assert in_a_task(work) == [{"a": 1}, 5, None, "first", "first", 1, 0]


def test_a_missing_variable_is_a_key_error_that_says_how_to_make_it():
    line = in_a_task(lambda: Variable.get("day"))

    assert line == (
        "VariableNotFound: Variable 'day' does not exist. "
        "Create it with `tradewind variables set day VALUE`, or pass a default."
    )
    with pytest.raises(KeyError):
        Variable.get("day")


def test_at_parse_time_only_the_environment_is_asked(monkeypatch):
    monkeypatch.setenv("TRADEWIND_VAR_REGION", "eu")

    assert Variable.get("region") == "eu"
    assert Variable.get("other", default="x") == "x"
    with pytest.raises(AirflowException, match=r"Variable.set\('a'\) was called while no task runs"):
        Variable.set("a", 1)


def test_a_thread_of_a_task_reaches_outside_as_well():
    run = Rehearsal(DAG("x"))
    run.memory.variables["a"] = "seen"

    def work():
        seen = []
        thread = threading.Thread(target=lambda: seen.append(Variable.get("a")))
        thread.start()
        thread.join()
        return seen

    assert in_a_task(work, run) == ["seen"]
