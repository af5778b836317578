"""What happens to a DAG file that asks for variables while it is imported? Its tasks get what holds at their time."""

from __future__ import annotations

from tests.executors.stores import put_connection, put_variable
from tradewind.metadata.database import Database
from tradewind.model.orders import AttemptEnded, Outcome

ASKS = """
    from tradewind import DAG, Connection, Variable, task

    try:
        size = Variable.get("size", default_var="the default")
    except Exception:
        size = "caught"

    with DAG("d"):
        @task
        def told():
            return size

        told()
"""


def value_of(ended: AttemptEnded) -> str:
    assert ended.outcome == Outcome.SUCCESS, ended.error
    return str(ended.xcoms[0].value)


def test_each_task_sees_the_value_of_its_time(bench):
    database = Database(bench.config.database.sql_alchemy_conn)
    put_variable(database, bench.config, "size", "small")
    bench.write(ASKS)
    first = value_of(bench.run_task("told"))
    put_variable(database, bench.config, "size", "large")
    database.close()

    assert (first, value_of(bench.run_task("told"))) == ('"small"', '"large"')


def test_the_default_holds_only_where_there_is_no_value(bench):
    bench.write(ASKS)

    assert value_of(bench.run_task("told")) == '"the default"'


def test_a_password_asked_for_at_the_top_is_masked_in_the_log(bench):
    database = Database(bench.config.database.sql_alchemy_conn)
    put_connection(database, bench.config, "db", host="h", password="s3cr3t")
    database.close()
    bench.write(
        """
        from tradewind import DAG, Connection, task

        password = Connection.get("db").password
        print("at the top", password)
        with DAG("d"):
            @task
            def shows():
                print("in the task", password)
                return len(password)

            shows()
        """
    )
    order = bench.order("shows")
    (ended,) = bench.run(order)

    assert value_of(ended) == "6"
    log = bench.log_of(order)
    assert "at the top ***" in log and "in the task ***" in log
    assert "s3cr3t" not in log


def test_an_import_that_fails_with_a_secret_does_not_tell_it(bench):
    database = Database(bench.config.database.sql_alchemy_conn)
    put_connection(database, bench.config, "db", host="h", password="s3cr3t")
    database.close()
    bench.write("from tradewind import Connection\nraise ValueError(Connection.get('db').password)\n")
    order = bench.order("any")
    (ended,) = bench.run(order)

    assert (ended.outcome, ended.error) == (Outcome.FAILED, "ValueError: ***")
    assert "s3cr3t" not in bench.log_of(order)
    assert "ValueError: ***" in bench.log_of(order)


def test_a_variable_that_does_not_exist_fails_the_task_with_the_mend(bench):
    bench.write("from tradewind import Variable\nVariable.get('none')\n")

    ended = bench.run_task("any")

    assert ended.error is not None and "`tradewind variables set none VALUE`" in ended.error
