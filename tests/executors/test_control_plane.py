"""What does the metadata DB answer a task? The same questions on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from executors.control_plane import SqlControlPlane
from tests.executors.stores import AT, put_attempt, put_connection, put_run, put_variable, put_version
from tradewind.errors import Conflict, MetadataError, NotFound
from tradewind.metadata.database import Database
from tradewind.model.orders import AttemptOrder, XComValue
from tradewind.model.states import AttemptState, RunState

DAY = timedelta(days=1)


@pytest.fixture
def plane(database: Database, make_config) -> SqlControlPlane:
    put_version(database, 1, b"# coding: latin-1\n'\xfc'\n")
    for pk, (days, state) in enumerate([(-2, "success"), (-1, "failed"), (0, "running"), (1, "success")], 1):
        put_run(database, pk, f"run{pk}", AT + days * DAY, RunState(state))
    put_run(database, 9, "by hand", None)
    return SqlControlPlane(
        database,
        make_config(),
        {"TRADEWIND_VAR_GIVEN": "here", "AIRFLOW_CONN_C_JSON": '{"conn_type": "http", "port": 8}'},
    )


def order(run_pk: int = 3, task_id: str = "t", map_index: int = -1, **changes) -> AttemptOrder:
    values = {"attempt_id": uuid4(), "fence": 1, "run_pk": run_pk, "dag_id": "d", "run_id": f"run{run_pk}"}
    values |= {"task_id": task_id, "map_index": map_index, "try_number": 1, "max_tries": 1, "file_path": "f.py"}
    values |= {"version_id": 1, "source_digest": "", "run_type": "scheduled", "run_after": AT, "logical_date": AT}
    return AttemptOrder(**(values | changes))  # type: ignore[arg-type]


def push(plane: SqlControlPlane, database: Database, key: str, value: str, **of_order) -> None:
    by = order(**of_order)
    put_attempt(database, by)
    plane.push_xcom(by, XComValue(key, value, size_bytes=len(value)))


def pull(plane: SqlControlPlane, *task_ids: str, **changes):
    asked = {"dag_id": None, "run_id": None, "key": "k", "map_index": None, "include_prior_dates": False} | changes
    return [(x.run_id, x.task_id, x.map_index, x.value) for x in plane.get_xcom(order(), task_ids=task_ids, **asked)]


def test_xcoms_are_found_by_run_task_key_and_index(plane, database):
    push(plane, database, "k", "1", task_id="a")
    push(plane, database, "other", "2", task_id="a", attempt_id=uuid4())
    push(plane, database, "k", "3", task_id="b", map_index=0)
    push(plane, database, "k", "4", task_id="b", map_index=1)
    push(plane, database, "k", "5", task_id="a", run_pk=1)

    assert pull(plane, "a") == [("run3", "a", -1, "1")]
    assert pull(plane, "a", "b") == [("run3", "a", -1, "1"), ("run3", "b", 0, "3"), ("run3", "b", 1, "4")]
    assert pull(plane, "b", map_index=1) == [("run3", "b", 1, "4")]
    assert pull(plane, "a", run_id="run1", dag_id="d") == [("run1", "a", -1, "5")]
    assert pull(plane, "a", dag_id="unknown") == []
    assert pull(plane) == []


def test_what_the_indexes_of_a_task_left_is_counted_and_read_in_parts(plane, database):
    for index in (12, 0, 7, 3):  # others left nothing
        push(plane, database, "k", str(index), task_id="m", map_index=index)
    push(plane, database, "other", "x", task_id="m", map_index=5, attempt_id=uuid4())
    push(plane, database, "k", "x", task_id="m", map_index=1, run_pk=1)
    push(plane, database, "k", "x", task_id="n", map_index=2)

    def part(start: int, stop: int) -> list[tuple[int, str | None]]:
        return [(x.map_index, x.value) for x in plane.get_xcom_range(order(), "m", "k", start, stop)]

    assert [plane.count_xcoms(order(), task_id, "k") for task_id in ("m", "n", "none")] == [4, 1, 0]
    assert part(0, 10) == [(0, "0"), (3, "3"), (7, "7"), (12, "12")]
    assert (part(1, 3), part(3, 4), part(4, 9), part(2, 2)) == ([(3, "3"), (7, "7")], [(12, "12")], [], [])


def test_xcoms_of_earlier_dates_come_newest_first_and_later_ones_do_not(plane, database):
    for run_pk, value in ((1, "1"), (2, "2"), (3, "3"), (4, "4")):
        push(plane, database, "k", value, task_id="a", run_pk=run_pk)

    assert [value for *_, value in pull(plane, "a", include_prior_dates=True)] == ["3", "2", "1"]
    assert [value for *_, value in pull(plane, "a", run_id="by hand", include_prior_dates=True)] == []


def test_an_xcom_pushed_again_is_replaced(plane, database):
    by = order(task_id="a")
    put_attempt(database, by)

    plane.push_xcom(by, XComValue("k", "1", size_bytes=1))
    plane.push_xcom(by, XComValue("k", None, "s3://b/k", 10))

    (found,) = plane.get_xcom(
        by, dag_id=None, run_id=None, task_ids=["a"], key="k", map_index=None, include_prior_dates=False
    )
    assert (found.value, found.location) == (None, "s3://b/k")


@pytest.mark.parametrize(
    ("state", "fence", "is_kept"),
    [
        (AttemptState.RUNNING, 1, True),
        (AttemptState.CANCELLING, 1, True),
        (AttemptState.QUEUED, 1, False),
        (AttemptState.ENDED, 1, False),
        (AttemptState.RUNNING, 2, False),
    ],
)
def test_only_the_attempt_that_counts_may_push(plane, database, state, fence, is_kept):
    by = order(task_id="a")
    put_attempt(database, by, state, fence)

    if is_kept:
        plane.push_xcom(by, XComValue("k", "1"))
    else:
        with pytest.raises(Conflict, match="over"):
            plane.push_xcom(by, XComValue("k", "1"))
    assert bool(pull(plane, "a")) == is_kept


def test_variables_are_kept_encrypted_and_the_environment_goes_first(plane, database, make_config):
    by = order()
    put_variable(database, make_config(), "given", "in the database")

    plane.set_variable(by, "v", "open", "why")

    assert plane.get_variable(by, "v") == "open"
    assert plane.get_variable(by, "given") == "here"
    assert plane.get_variable(by, "nothing") is None
    assert plane.delete_variable(by, "v")
    assert not plane.delete_variable(by, "v")


def test_a_variable_encrypted_with_an_unknown_key_says_the_mend(plane, database, make_config):
    other = make_config(CORE__FERNET_KEY="A" * 43 + "=")
    put_variable(database, other, "v", "x")

    with pytest.raises(MetadataError, match="fernet_key"):
        plane.get_variable(order(), "v")


def test_connections_come_open_and_the_environment_goes_first(plane, database, make_config):
    put_connection(database, make_config(), "c", host="h", password="p", extra='{"a": 1}')
    put_connection(database, make_config(), "bare")
    put_connection(database, make_config(), "c_json", host="other")
    by = order()

    found = plane.get_connection(by, "c")
    assert (found.conn_type, found.host, found.password, found.extra) == ("postgres", "h", "p", '{"a": 1}')
    assert plane.get_connection(by, "bare").password is None
    assert plane.get_connection(by, "c_json").port == 8
    assert plane.get_connection(by, "nothing") is None


def test_the_previous_success_is_the_latest_of_an_earlier_date(plane):
    found = plane.get_previous_success(order())

    assert (found.run_id, found.data_interval_start) == ("run1", AT - 2 * DAY)
    assert plane.get_previous_success(order(logical_date=AT - 2 * DAY)) is None
    assert plane.get_previous_success(order(logical_date=None)) is None


def test_the_source_of_a_version_comes_byte_for_byte(plane):
    assert plane.load_source(1) == b"# coding: latin-1\n'\xfc'\n"
    with pytest.raises(NotFound):
        plane.load_source(99)


def test_instants_come_back_aware(plane):
    found = plane.get_previous_success(order())

    assert found.started_at == datetime(2026, 1, 5, 2, tzinfo=UTC)
