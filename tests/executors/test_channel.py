"""What can a task ask for while it runs, and what can it not see?"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from executors.runner import attempts
from tests.executors.stores import put_attempt, put_connection, put_run, put_variable, put_version
from tests.executors.workbench import Workbench
from tradewind.metadata.database import Database
from tradewind.metadata.models import XCom
from tradewind.model.orders import AttemptEnded, AttemptStarted, Outcome
from tradewind.model.states import AttemptState

TASKS = """
    import os, signal, threading, time
    from tradewind import Variable
    from tradewind.sdk.connection import Connection
    from tradewind.sdk.operators.bash import BashOperator

    @task
    def environment():
        return dict(os.environ)

    @task
    def pushes(ti):
        ti.xcom_push("half", {"way": 1})

    @task
    def pulls(ti):
        return ti.xcom_pull(task_ids="pushes", key="half")

    @task
    def variables():
        Variable.set("colour", "red")
        seen = [Variable.get("colour"), Variable.get("missing", default=None)]
        Variable.delete("colour")
        return [*seen, Variable.get("colour", default="gone")]

    @task
    def connects():
        c = Connection.get("warehouse")
        return [c.conn_type, c.host, c.login, c.password, c.port, c.schema, c.extra_dejson]

    @task
    def asks_in_threads():
        values = []
        threads = [threading.Thread(target=lambda n=n: values.append(Variable.get(f"v{n}"))) for n in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        return sorted(values)

    @task
    def asks_in_a_fork():
        pid = os.fork()
        if pid == 0:
            try:
                Variable.get("v1")
            except Exception as error:
                os._exit(9 if "own process" in str(error) else 8)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    @task
    def asks_under_alarms():
        class Alarm(BaseException):
            pass
        def ring(*_):
            raise Alarm
        signal.signal(signal.SIGALRM, ring)
        wrong, cut = 0, 0
        for number in range(400):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00005 + (number % 40) * 0.00005)
                wrong += Variable.get(f"v{number % 8}") != f"value {number % 8}"
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Alarm:
                cut += 1
        return [wrong, cut > 0]

    environment(); pushes(); pulls(); variables(); connects(); asks_in_threads(); asks_in_a_fork(); asks_under_alarms()
    BashOperator(task_id="templated", bash_command="sleep {{ params.seconds }}; echo {{ ds }}", params={"seconds": 0})
    BashOperator(task_id="slow", bash_command="sleep 600; echo {{ ds }}")
"""


@pytest.fixture
def database(sqlite_url: str):
    database = Database(sqlite_url)
    put_version(database, 1, b"")
    put_run(database, 1, "scheduled__2026-01-05T02:00:00+00:00")
    yield database
    database.close()


@pytest.fixture
def bench(make_bench: Callable[..., Workbench], database: Database) -> Workbench:
    made = make_bench(environ={"PATH": "/usr/bin:/bin", "AIRFLOW_VAR_FROM_ENV": "seen"})
    made.write_dag(TASKS)
    for number in range(8):
        put_variable(database, made.config, f"v{number}", f"value {number}")
    return made


def value_of(ended: AttemptEnded) -> str:
    assert ended.outcome == Outcome.SUCCESS, ended.error
    return str(ended.xcoms[0].value)


def test_no_credential_is_in_the_environment_of_a_task(make_bench, database):
    secrets = {
        "TRADEWIND__CORE__FERNET_KEY": "a-fernet-key",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://u:pw@db/x",
        "AIRFLOW_CONN_WAREHOUSE": "postgres://u:hidden@h/x",
        "AIRFLOW_VAR_API_KEY": "hidden",
        "AIRFLOW_VAR_REGION": "eu-north",
        "MY_OWN": "kept",
    }
    bench = make_bench(environ=secrets)
    bench.write_dag(TASKS)

    seen = value_of(bench.run_task("environment"))

    assert '"MY_OWN":"kept"' in seen
    assert '"AIRFLOW_VAR_REGION":"eu-north"' in seen
    for hidden in ("FERNET", "SQL_ALCHEMY_CONN", "AIRFLOW_CONN", "API_KEY", "hidden", "a-fernet-key"):
        assert hidden not in seen


def test_an_xcom_pushed_while_the_task_runs_is_there_for_the_next(bench, database):
    order = bench.order("pushes")
    put_attempt(database, order)

    bench.run(order)

    assert value_of(bench.run_task("pulls")) == '{"way":1}'


@pytest.mark.parametrize(("state", "fence"), [(AttemptState.ENDED, 1), (AttemptState.RUNNING, 2)])
def test_an_attempt_of_the_past_pushes_nothing_and_is_told_why(bench, database, state, fence):
    order = bench.order("pushes")
    put_attempt(database, order, state, fence)

    (ended,) = bench.run(order)

    assert ended.outcome == Outcome.FAILED
    assert "this attempt of it is over" in ended.error
    with database.read() as tx:
        assert tx.execute(select(XCom.key)).all() == []


def test_variables_are_set_read_and_deleted(bench):
    assert value_of(bench.run_task("variables")) == '["red",null,"gone"]'


def test_a_connection_comes_with_its_secrets_open(bench, database):
    put_connection(
        database, bench.config, "warehouse", host="h", login="l", password="p", port=5, schema="s", extra='{"a": 1}'
    )

    assert value_of(bench.run_task("connects")) == '["postgres","h","l","p",5,"s",{"a":1}]'


def test_a_connection_of_the_hosts_environment_goes_first(make_bench, database):
    bench = make_bench(environ={"AIRFLOW_CONN_WAREHOUSE": "mysql://l:p@h:7/s?a=1"})
    bench.write_dag(TASKS)
    put_connection(database, bench.config, "warehouse", host="other")

    assert value_of(bench.run_task("connects")) == '["mysql","h","l","p",7,"s",{"a":"1"}]'


def test_threads_of_a_task_may_ask_at_the_same_time(bench):
    expected = ",".join(f'"value {n}"' for n in range(8))
    assert value_of(bench.run_task("asks_in_threads")) == f"[{expected}]"


def test_a_forked_child_of_a_task_is_refused_with_the_mend(bench):
    assert value_of(bench.run_task("asks_in_a_fork")) == "9"


def test_a_timeout_in_the_middle_of_a_question_does_not_mix_up_the_answers(bench):
    assert value_of(bench.run_task("asks_under_alarms")) == "[0,true]"


def test_rendered_fields_come_with_the_end_of_a_short_task(bench, monkeypatch):
    monkeypatch.setattr(attempts, "HOLD_BACK_SECONDS", 30.0)  # any task is short now
    ended = bench.run_task("templated")

    assert ended.rendered is not None
    assert ended.rendered["bash_command"] == "sleep 0; echo 2026-01-05"


def test_rendered_fields_come_with_the_start_of_a_long_task_and_once(bench, monkeypatch):
    monkeypatch.setattr(attempts, "HOLD_BACK_SECONDS", 1.0)  # time to render, on a busy machine too
    bench.run_task("templated")
    order = bench.order("slow")
    bench.executor.submit([order])

    started = bench.start_of(order)
    bench.executor.cancel([order.attempt_id])

    assert isinstance(started, AttemptStarted)
    assert started.rendered is not None
    assert started.rendered["bash_command"] == "sleep 600; echo 2026-01-05"
    assert bench.end_of(order).rendered is None
