"""Do tasks run SQL on real databases as they are told, and keep nothing of what fails?"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from tests.authoring.support import Rehearsal
from tradewind.model.orders import Outcome
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import AirflowException, DagArgumentError
from tradewind.sdk.hooks.sql import DbApiHook, PostgresHook, SqliteHook, split_sql
from tradewind.sdk.operators.empty import EmptyOperator
from tradewind.sdk.operators.sql import BranchSQLOperator, SQLExecuteQueryOperator, SQLInsertRowsOperator
from tradewind.sdk.operators.sql_checks import (
    SQLCheckOperator,
    SQLIntervalCheckOperator,
    SQLThresholdCheckOperator,
    SQLValueCheckOperator,
)
from tradewind.sdk.sensors.sql import SqlSensor
from tradewind.sdk.taskflow import task

SETUP = """
CREATE TABLE sales (day VARCHAR(10), shop VARCHAR(20), amount NUMERIC(10, 2));
INSERT INTO sales VALUES ('2024-03-05', 'a;b', 10.5); -- a semicolon in a text
INSERT INTO sales VALUES ('2024-02-27', 'c', 8);
"""


@pytest.fixture(params=["sqlite", "postgres"])
def mark(request: pytest.FixtureRequest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with a table, as connection ``db``; how its driver marks a parameter."""
    if request.param == "sqlite":
        monkeypatch.setenv("AIRFLOW_CONN_DB", f"sqlite:///{tmp_path}/shop.db")
        found = "?"
    else:
        url = make_url(request.getfixturevalue("empty_postgres_url"))
        parts = {"conn_type": "postgres", "host": url.host, "login": url.username, "schema": url.database}
        extra = {name: str(value) for name, value in url.query.items()}
        given = {**parts, "password": url.password, "port": url.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_DB", json.dumps({k: v for k, v in given.items() if v}))
        found = "%s"
    DbApiHook("db").run(SETUP)
    return found


def run(operator: Any, **settings: Any) -> tuple[Any, Any]:
    """Run one task; return how it ended and its output."""
    dag = DAG("etl")
    operator(task_id="t", dag=dag, **{"conn_id": "db", **settings})
    rehearsal = Rehearsal(dag)
    result = rehearsal.attempt("t")
    return result, rehearsal.xcoms("t").get("return_value")


def count() -> int:
    found: int = DbApiHook("db").get_first("SELECT COUNT(*) FROM sales")[0]
    return found


def test_the_rows_of_the_last_query_are_the_output(mark):
    result, output = run(
        SQLExecuteQueryOperator,
        sql=f"SELECT shop, amount FROM sales WHERE day = {mark}",
        parameters=["{{ ds }}"],
    )

    assert result.error is None
    assert [tuple(row) for row in output] == [("a;b", Decimal("10.5") if mark == "%s" else 10.5)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"sql": ["SELECT 1", "SELECT 2"]}, [[(1,)], [(2,)]]),
        ({"sql": "SELECT 1; SELECT 2", "split_statements": True}, [(2,)]),
        ({"sql": "SELECT 1; SELECT 2", "split_statements": True, "return_last": False}, [[(1,)], [(2,)]]),
        ({"sql": "SELECT 1", "handler": lambda cursor: cursor.fetchone()[0]}, 1),
        ({"sql": "SELECT 1", "handler": None}, None),
        ({"sql": "SELECT 1", "do_xcom_push": False}, None),
        ({"sql": "DELETE FROM sales WHERE shop = 'nobody'"}, None),
        ({"sql": "SELECT 1", "output_processor": lambda results, _d: [len(rows) for rows in results]}, 1),
        ({"sql": "SELECT '50%'"}, [("50%",)]),
    ],
)
def test_the_output_is_what_was_asked_for(mark, settings, expected):
    result, output = run(SQLExecuteQueryOperator, **settings)

    assert result.error is None
    assert output == expected


def test_all_statements_count_or_none(mark):
    insert = "INSERT INTO sales VALUES ('2024-03-06', 'd', 1)"

    failed, _ = run(SQLExecuteQueryOperator, sql=[insert, "INSERT INTO nowhere VALUES (1)"])
    assert failed.outcome is Outcome.FAILED
    assert count() == 2

    kept, _ = run(SQLExecuteQueryOperator, sql=[insert, "INSERT INTO nowhere VALUES (1)"], autocommit=True)
    assert kept.outcome is Outcome.FAILED
    assert count() == 3


def test_rows_are_inserted_in_batches(mark):
    hook = DbApiHook("db")

    hook.insert_rows("sales", ((f"2024-04-{n:02}", "e") for n in range(1, 26)), ["day", "shop"], commit_every=10)

    assert count() == 27
    assert hook.get_first(f"SELECT COUNT(*) FROM sales WHERE shop = {mark} AND amount IS NULL", ["e"]) == (25,)
    result, _ = run(
        SQLInsertRowsOperator,
        table_name="sales",
        rows=[["2025-01-01", "f", 1]],
        preoperator="DELETE FROM sales WHERE shop = 'e'",
        postoperator=["UPDATE sales SET amount = 2 WHERE shop = 'f'"],
    )
    assert result.error is None
    assert count() == 3
    assert hook.get_first("SELECT amount FROM sales WHERE shop = 'f'") == (2,)


def test_a_data_frame_has_the_names_of_the_columns(mark):
    frame = DbApiHook("db").get_df("SELECT day, shop FROM sales ORDER BY day")

    assert list(frame.columns) == ["day", "shop"]
    assert list(frame["shop"]) == ["c", "a;b"]


@pytest.mark.parametrize(
    ("operator", "settings", "error"),
    [
        (SQLCheckOperator, {"sql": "SELECT COUNT(*), 'x' FROM sales"}, None),
        (SQLCheckOperator, {"sql": "SELECT COUNT(*), 0 FROM sales"}, "a value is not true: (2, 0)"),
        (SQLCheckOperator, {"sql": "SELECT 1 FROM sales WHERE shop = 'z'"}, "gave no row"),
        (SQLValueCheckOperator, {"sql": "SELECT COUNT(*) FROM sales", "pass_value": 2}, None),
        (SQLValueCheckOperator, {"sql": "SELECT 9", "pass_value": 10, "tolerance": 0.1}, None),
        (SQLValueCheckOperator, {"sql": "SELECT -9", "pass_value": -10, "tolerance": 0.1}, None),
        (SQLValueCheckOperator, {"sql": "SELECT 8", "pass_value": 10, "tolerance": 0.1}, "expected 10 within 10%"),
        (SQLValueCheckOperator, {"sql": "SELECT MAX(shop) FROM sales", "pass_value": "c"}, None),
        (SQLValueCheckOperator, {"sql": "SELECT NULL", "pass_value": 1}, "expected 1, and the query gave (None,)"),
        (SQLThresholdCheckOperator, {"sql": "SELECT 5", "min_threshold": 5, "max_threshold": "SELECT 6"}, None),
        (SQLThresholdCheckOperator, {"sql": "SELECT 7", "min_threshold": 5, "max_threshold": 6}, "not between 5"),
        (SQLThresholdCheckOperator, {"sql": "SELECT 'x'", "min_threshold": 5, "max_threshold": 6}, "gave no number"),
        (SQLExecuteQueryOperator, {"sql": "  ;  "}, "There is no SQL statement"),
        (SQLExecuteQueryOperator, {"sql": "SELECT 1", "conn_id": None}, "conn_id is not given"),
    ],
)
def test_checks_fail_when_it_is_not_as_it_should_be(mark, operator, settings, error):
    if "SELECT" not in settings["sql"]:
        settings = {**settings, "split_statements": True}
    result, _ = run(operator, **settings)

    if error is None:
        assert result.error is None
    else:
        assert error in result.error


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"metrics_thresholds": {"SUM(amount)": 2}}, None),
        ({"metrics_thresholds": {"SUM(amount)": 1.1}}, "is 10.5"),
        ({"metrics_thresholds": {"SUM(amount)": 0.4}, "ratio_formula": "relative_diff"}, None),
        ({"metrics_thresholds": {"COUNT(*)": 2}, "days_back": 1, "ignore_zero": False}, "COUNT(*) is 1 and was 0"),
    ],
)
def test_figures_are_compared_with_those_of_another_day(mark, settings, error):
    result, _ = run(SQLIntervalCheckOperator, table="sales", date_filter_column="day", **settings)

    assert result.error is None if error is None else error in result.error


def test_a_check_may_forbid_another_try(mark):
    result, _ = run(SQLCheckOperator, sql="SELECT 0", retry_on_failure=False, retries=2)

    assert not result.may_retry


@pytest.mark.parametrize(
    ("sql", "skipped"),
    [
        ("SELECT 1", "right"),
        ("SELECT 'off'", "left"),
        ("SELECT COUNT(*) = 2 FROM sales", "right"),
        ("SELECT 0", "left"),
    ],
)
def test_a_query_decides_which_way_to_go(mark, sql, skipped):
    with DAG("etl") as dag:
        asked = BranchSQLOperator(
            task_id="t", conn_id="db", sql=sql, follow_task_ids_if_true="left", follow_task_ids_if_false=["right"]
        )
        asked >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]

    result = Rehearsal(dag).attempt("t")

    assert result.then is not None
    assert list(result.then.skip) == [skipped]


def test_waiting_is_over_when_the_row_is_there(mark):
    question = "SELECT COUNT(*) FROM sales WHERE shop = 'late'"
    late, _ = run(SqlSensor, sql=question, timeout=0, poke_interval=0.01, soft_fail=True)
    assert late.outcome is Outcome.SKIPPED
    empty, _ = run(SqlSensor, sql="SELECT shop FROM sales WHERE shop = 'late'", fail_on_empty=True)
    assert "gave no row" in (empty.error or "")
    wrong, _ = run(SqlSensor, sql=question, failure=lambda value: value == 0)
    assert "failure says that 0 is wrong" in (wrong.error or "")

    DbApiHook("db").run("INSERT INTO sales VALUES ('x', 'late', 1)")

    assert run(SqlSensor, sql=question)[0].outcome is Outcome.SUCCESS
    assert run(SqlSensor, sql=question, success=lambda value: value == 1)[0].outcome is Outcome.SUCCESS


def test_a_function_may_say_the_statement(mark):
    with DAG("etl") as dag:

        @task.sql(conn_id="db")
        def best(ds, shop):
            return f"SELECT COUNT(*) FROM sales WHERE day = '{ds}' AND shop = '{shop}' AND '{{{{ run_id }}}}' <> ''"

        best(shop="a;b")
    rehearsal = Rehearsal(dag)

    assert rehearsal.attempt("best").error is None
    assert rehearsal.xcoms("best")["return_value"] == [(1,)]


# --- without a database ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            "postgres://me:p%40ss@db:5433/shop?sslmode=require",
            "postgresql+psycopg://me:p%40ss@db:5433/shop?sslmode=require",
        ),
        ("sqlite:////var/shop.db", "sqlite:////var/shop.db"),
        ("sqlite:///shop.db", "sqlite:///shop.db"),
        ('{"conn_type": "sqlite", "host": "/var/shop.db"}', "sqlite:////var/shop.db"),
        ('{"conn_type": "sqlite", "schema": "shop.db"}', "sqlite:///shop.db"),
        (
            '{"conn_type": "mysql", "host": "h", "extra": {"sqlalchemy_scheme": "mysql+pymysql", "charset": "utf8"}}',
            "mysql+pymysql://h?charset=utf8",
        ),
        ('{"conn_type": "sql", "extra": {"sqlalchemy_url": "oracle+oracledb://u@h/x"}}', "oracle+oracledb://u@h/x"),
    ],
)
def test_a_connection_is_read_as_an_address(monkeypatch, uri, expected):
    monkeypatch.setenv("AIRFLOW_CONN_DB", uri)

    assert DbApiHook("db").get_uri() == expected


def test_hooks_have_airflows_names_and_another_database(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DB", "postgres://h/one")

    assert PostgresHook(postgres_conn_id="db", schema="two").sqlalchemy_url.database == "two"
    assert SqliteHook("db").conn_id == "db"
    with pytest.raises(AirflowException, match="DbApiHook has no argument 'port'"):
        DbApiHook("db", port=1)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ('{"conn_type": "nosuchdb", "host": "h"}', "SQLAlchemy knows no database 'nosuchdb'"),
        ('{"conn_type": "mysql", "host": "h"}', "the driver 'MySQLdb' of 'mysql' is not installed"),
        ('{"host": "h"}', "cannot be read as the address of a database: it has no type"),
        ('{"conn_type": "x", "extra": {"sqlalchemy_url": "nonsense"}}', "cannot be read as the address"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named(monkeypatch, uri, message):
    monkeypatch.setenv("AIRFLOW_CONN_DB", uri)

    with pytest.raises(AirflowException) as caught:
        DbApiHook("db").run("SELECT 1")

    assert message in str(caught.value)
    assert DbApiHook("db").test_connection()[0] is False


def test_a_formula_that_does_not_exist_is_refused():
    with pytest.raises(DagArgumentError, match="ratio_formula 'max' does not exist"):
        SQLIntervalCheckOperator(task_id="t", table="x", metrics_thresholds={}, ratio_formula="max")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;\nSELECT 2;\n", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';', \";\", `;` ; SELECT 2", ["SELECT ';', \";\", `;`", "SELECT 2"]),
        ("SELECT 'it''s;'; SELECT 2", ["SELECT 'it''s;'", "SELECT 2"]),
        ("-- a; comment\nSELECT 1; /* ; */ ; -- end;", ["-- a; comment\nSELECT 1"]),
        ("DO $$ BEGIN; END $$; SELECT $x$;$x$", ["DO $$ BEGIN; END $$", "SELECT $x$;$x$"]),
        ("SELECT $1; SELECT 2", ["SELECT $1", "SELECT 2"]),
        ("", []),
        ("SELECT 'never ends; ", ["SELECT 'never ends;"]),
    ],
)
def test_statements_are_parted_at_their_semicolons(text, expected):
    assert split_sql(text) == expected


@given(st.text(alphabet="ab'\"`;-/*$\n ", max_size=40))
def test_nothing_is_lost_when_statements_are_parted(text):
    kept = "".join("".join(split_sql(text)).split()).replace(";", "")
    letters = [sign for sign in text if sign in "ab"]

    assert [sign for sign in kept if sign in "ab"] == letters or "--" in text or "/*" in text
