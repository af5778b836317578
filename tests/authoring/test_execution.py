"""Does every way for a task to end become the right result, with the right callbacks and XComs?"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.authoring.support import Rehearsal
from tradewind import DAG, BaseOperator, BashOperator, EmptyOperator, PythonOperator, get_current_context, task
from tradewind.model.orders import Outcome
from tradewind.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from tradewind.xcom import XComPolicy


def ending(function, **settings):
    """Return a rehearsal of a DAG with one task, ``it``, that calls ``function``, and the callbacks it makes."""
    called = []

    def note(kind):
        return lambda context: called.append((kind, type(context.get("exception")).__name__))

    with DAG("etl", start_date=datetime(2024, 1, 1), **settings.pop("dag", {})) as made:
        PythonOperator(
            task_id="it",
            python_callable=function,
            on_execute_callback=note("execute"),
            on_success_callback=[note("success"), note("success too")],
            on_failure_callback=note("failure"),
            on_retry_callback=note("retry"),
            on_skipped_callback=note("skipped"),
            **settings,
        )
    return Rehearsal(made), called


def raising(error):
    def function():
        raise error

    return function


def test_success_keeps_the_returned_value_and_calls_back():
    run, called = ending(lambda: {"rows": 3})

    result = run.attempt("it")

    assert (result.outcome, result.error, result.may_retry) == (Outcome.SUCCESS, None, True)
    assert [(x.key, x.value) for x in result.xcoms] == [("return_value", '{"rows":3}')]
    assert called == [("execute", "NoneType"), ("success", "NoneType"), ("success too", "NoneType")]


@pytest.mark.parametrize(
    ("error", "outcome", "may_retry", "line", "calls"),
    [
        (ValueError("bad\nrows"), "failed", True, "ValueError: bad rows", "retry"),
        (AirflowException("no"), "failed", True, "AirflowException: no", "retry"),
        (AirflowFailException("never"), "failed", False, "AirflowFailException: never", "failure"),
        (AirflowSkipException("not today"), "skipped", False, "AirflowSkipException: not today", "skipped"),
        (SystemExit(0), "failed", True, "SystemExit: 0", "retry"),
        (KeyboardInterrupt(), "failed", True, "KeyboardInterrupt", "retry"),
        (AirflowTaskTimeout("slow"), "failed", True, "AirflowTaskTimeout: slow", "retry"),
    ],
)
def test_every_raise_is_an_end(error, outcome, may_retry, line, calls):
    run, called = ending(raising(error), retries=2)

    result = run.attempt("it")

    assert (result.outcome, result.may_retry, result.error) == (outcome, may_retry, line)
    assert called[1:] == [(calls, type(error).__name__)]


def test_the_last_try_calls_the_failure_callback():
    run, called = ending(raising(ValueError("x")), retries=1)

    run.attempt("it", 1)
    run.attempt("it", 2)

    assert [kind for kind, _ in called] == ["execute", "retry", "execute", "failure"]


def test_a_callback_that_fails_changes_nothing_and_is_logged(caplog):
    def broken(context):
        raise RuntimeError("callback is broken")

    with DAG("etl") as made:
        PythonOperator(task_id="it", python_callable=lambda: 1, on_success_callback=broken)

    assert Rehearsal(made).attempt("it").outcome is Outcome.SUCCESS
    assert "on_success_callback broken failed" in caplog.text and "callback is broken" in caplog.text


def test_callbacks_see_what_the_task_returned():
    seen = []
    with DAG("etl") as made:
        PythonOperator(
            task_id="it",
            python_callable=lambda: [1, 2],
            on_success_callback=lambda context: seen.append(
                (context["ti"].xcom_pull(task_ids="it"), context["ti"].state)
            ),
        )

    Rehearsal(made).attempt("it")

    assert seen == [([1, 2], "success")]


def test_the_traceback_in_the_log_begins_in_the_users_code(caplog):
    run, _ = ending(raising(ValueError("bad")))
    run.attempt("it")

    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    lines = record.getMessage().splitlines()
    assert lines[0] == "Task failed with exception"
    assert __file__ in lines[2]
    assert "tradewind/sdk" not in record.getMessage()


def test_a_value_that_cannot_be_stored_fails_the_task_for_good():
    run, called = ending(object, retries=3)

    result = run.attempt("it")

    assert (result.outcome, result.may_retry) == (Outcome.FAILED, False)
    assert "The return value of task 'it' is of type builtins.object, which cannot be stored" in str(result.error)
    assert called[-1] == ("failure", "XComEncodeError")


def test_a_value_that_is_too_large_says_its_size_and_the_limit():
    run, _ = ending(lambda: "x" * 200)
    run.policy = XComPolicy(max_inline_bytes=100)

    result = run.attempt("it")

    assert "The return value of task 'it' is 202 bytes as JSON; at most 100" in str(result.error)
    assert result.may_retry is False


def test_a_pushed_value_that_cannot_be_stored_names_its_key():
    run, _ = ending(lambda ti: ti.xcom_push("k", {"a": object()}))

    assert "The XCom 'k' of task 'it' at ['a'] is of type" in str(run.attempt("it").error)


@pytest.mark.parametrize("key", ["", 5, None])
def test_a_key_must_be_a_text(key):
    run, _ = ending(lambda ti: ti.xcom_push(key, 1))

    assert "The key of an XCom must be a text" in str(run.attempt("it").error)


def test_nothing_returned_and_nothing_wanted_leave_no_xcom():
    assert ending(lambda: None)[0].attempt("it").xcoms == ()
    assert ending(lambda: 5, do_xcom_push=False)[0].attempt("it").xcoms == ()


def test_what_was_pushed_before_a_failure_stays():
    def push_and_fail(ti):
        ti.xcom_push("k", 1)
        raise ValueError

    run, _ = ending(push_and_fail)
    assert run.attempt("it").xcoms == ()
    assert run.xcoms("it") == {"k": 1}


def test_execution_timeout_stops_the_task_and_lets_it_clean_up():
    killed = []

    class Waits(BaseOperator):
        def execute(self, context):
            try:
                threading.Event().wait(60)
            except Exception:  # what user code often does; the timeout goes through it
                return "swallowed"

        def on_kill(self):
            killed.append(self.task_id)

    with DAG("etl") as made:
        Waits(task_id="it", execution_timeout=timedelta(milliseconds=50))

    before = time.monotonic()
    result = Rehearsal(made).attempt("it")

    assert result.error == "AirflowTaskTimeout: Waits 'it' ran longer than its execution_timeout of 0.05 s"
    assert (result.may_retry, killed) == (True, ["it"])
    assert time.monotonic() - before < 10
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_sigterm_ends_the_task_and_lets_it_clean_up():
    killed = []

    class Waits(BaseOperator):
        def execute(self, context):
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(60)

        def on_kill(self):
            killed.append(self.task_id)

    with DAG("etl") as made:
        Waits(task_id="it")
    before = signal.getsignal(signal.SIGTERM)

    result = Rehearsal(made).attempt("it")

    assert (result.outcome, killed) == (Outcome.FAILED, ["it"])
    assert result.error == "TaskTerminated: Task was told to end (SIGTERM)"
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_process_ctrl_c_goes_to_the_caller_and_sigterm_is_left_alone():
    run, called = ending(raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run.attempt("it", in_process=True)
    assert called == [("execute", "NoneType")]

    before = signal.getsignal(signal.SIGTERM)
    run, _ = ending(lambda: signal.getsignal(signal.SIGTERM) is before)
    run.attempt("it", in_process=True)
    assert run.xcoms("it") == {"return_value": True}


def test_hooks_run_around_execute_in_order():
    order = []

    class Hooked(EmptyOperator):
        def pre_execute(self, context):
            order.append("pre_execute")

        def execute(self, context):
            order.append("execute")

        def post_execute(self, context, result=None):
            order.append("post_execute")

    with DAG("etl") as made:
        Hooked(
            task_id="it",
            pre_execute=lambda context: order.append("given pre"),
            post_execute=lambda context, result: order.append("given post"),
        )

    Rehearsal(made).attempt("it")

    assert order == ["given pre", "pre_execute", "execute", "given post", "post_execute"]


def test_a_skip_before_execute_skips():
    def skip(context):
        raise AirflowSkipException("holiday")

    with DAG("etl") as made:
        EmptyOperator(task_id="it", pre_execute=skip)

    assert Rehearsal(made).attempt("it").outcome is Outcome.SKIPPED


def test_conf_that_does_not_fit_the_params_fails_the_task_with_the_schema():
    from tradewind import Param

    run, _ = ending(lambda: 1, dag={"params": {"n": Param(1, type="integer")}})
    run.conf = {"n": "many"}

    assert "Param 'n': 'many' is not of type 'integer'" in str(run.attempt("it").error)


def test_the_current_context_is_that_of_the_running_task_only():
    with DAG("etl") as made:

        @task
        def it():
            return get_current_context()["ti"].task_id

        it()
    run = Rehearsal(made)
    run.attempt("it")

    assert run.xcoms("it") == {"return_value": "it"}
    with pytest.raises(AirflowException, match="was called while no task runs"):
        get_current_context()


def test_ti_knows_its_try():
    seen = []

    def look(ti):
        seen.append((ti.try_number, ti.max_tries, ti.is_last_try, ti.map_index, ti.run_id))
        assert ti.log_url == "/dags/etl/runs/manual__1/tasks/it?try=2"

    run, _ = ending(look, retries=2)
    assert run.attempt("it", 2).error is None

    assert seen == [(2, 2, False, -1, "manual__1")]


def test_rendered_fields_are_told_as_plain_json():
    with DAG("etl") as made:
        PythonOperator(
            task_id="it",
            python_callable=lambda *a, **k: None,
            op_args=["{{ ds }}", datetime(2024, 1, 1), len, {1: {2}}, "x" * 5000, list(range(200))],
        )
    run = Rehearsal(made)
    run.attempt("it")
    assert run.channel is not None
    args = run.channel.rendered["op_args"]

    assert args[:4] == ["2024-03-05", "2024-01-01 00:00:00", "<function len>", {"1": [2]}]
    assert args[4].endswith("(904 more characters)") and args[5][-1] == "... and 100 more"


@pytest.mark.parametrize(
    ("command", "settings", "outcome", "says"),
    [
        ("echo one; echo two", {}, Outcome.SUCCESS, None),
        ("exit 3", {}, Outcome.FAILED, "the command returned the exit code 3"),
        ("kill -9 $$", {}, Outcome.FAILED, "the command was killed by signal 9"),
        ("exit 99", {}, Outcome.SKIPPED, "returned exit code 99"),
        ("exit 99", {"skip_on_exit_code": None}, Outcome.FAILED, "exit code 99"),
        ("exit 5", {"skip_on_exit_code": [4, 5]}, Outcome.SKIPPED, "exit code 5"),
        ("true", {"cwd": "/no/such"}, Outcome.FAILED, "the folder cwd='/no/such' does not exist"),
        ("true", {"cwd": "/etc/passwd"}, Outcome.FAILED, "is not a folder"),
    ],
)
def test_a_bash_command_ends_as_its_exit_code_says(command, settings, outcome, says):
    with DAG("etl") as made:
        BashOperator(task_id="it", bash_command=command, **settings)

    result = Rehearsal(made).attempt("it")

    assert result.outcome is outcome
    assert says is None or says in str(result.error)


def test_bash_output_environment_and_result(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("OUTER", "seen")
    with DAG("etl") as made:
        BashOperator(task_id="only", bash_command='echo "[$OUTER][$A]"', env={"A": "{{ ds }}"})
        BashOperator(task_id="both", bash_command='echo "[$OUTER][$A]"', env={"A": "x"}, append_env=True)
        BashOperator(
            task_id="context", bash_command="echo $AIRFLOW_CTX_DAG_ID/$AIRFLOW_CTX_TASK_ID/$AIRFLOW_CTX_DAG_RUN_ID"
        )
        BashOperator(
            task_id="json", bash_command="echo noise >&2; echo '{\"a\": 1}'", output_processor=__import__("json").loads
        )
        BashOperator(task_id="bytes", bash_command="printf 'a\\xffb'")
        BashOperator(task_id="where", bash_command="pwd")
    run = Rehearsal(made)
    run.all()

    results = {name: run.xcoms(name)["return_value"] for name in made.task_ids}
    assert results.pop("where").startswith("/")
    assert results == {
        "only": "[][2024-03-05]",
        "both": "[seen][x]",
        "context": "etl/context/manual__1",
        "json": {"a": 1},
        "bytes": "a\\xffb",
    }
    assert "noise" in caplog.messages


def test_a_bash_command_that_takes_too_long_is_killed_with_its_children(tmp_path, wait_until):
    with DAG("etl") as made:
        BashOperator(
            task_id="it",
            bash_command=f"(trap '' TERM; sleep 300 & echo $! > {tmp_path}/pid; wait) & wait",
            execution_timeout=timedelta(seconds=1),
        )

    result = Rehearsal(made).attempt("it")

    child = int((tmp_path / "pid").read_text())
    assert "AirflowTaskTimeout" in str(result.error)
    wait_until(lambda: has_ended(child), timeout=10)


def has_ended(pid):
    """Whether a process is gone, or a zombie that nobody has reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


OWN_PROCESS = """
import os, sys
from datetime import timedelta
from tests.authoring.support import Rehearsal
from tradewind import DAG, BashOperator

os.setsid()
command = "cut -d' ' -f5 /proc/self/stat > group; sleep 300 & echo $! > pid; wait"
with DAG("etl") as dag:
    BashOperator(task_id="it", bash_command=command, cwd=os.getcwd(), execution_timeout=timedelta(seconds=1))
print(Rehearsal(dag).attempt("it").error)
print(int(open("group").read()) == os.getpid())
"""


def test_in_a_process_of_its_own_a_bash_command_shares_its_group_and_ends_with_it(tmp_path, wait_until):
    done = subprocess.run(
        [sys.executable, "-c", OWN_PROCESS],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ":".join([os.getcwd(), *sys.path])},
    )

    error, shared = done.stdout.splitlines()
    assert "AirflowTaskTimeout" in error and shared == "True", done.stderr
    wait_until(lambda: has_ended(int((tmp_path / "pid").read_text())), timeout=10)


def test_a_failing_task_with_a_very_long_message_has_a_short_line():
    run, _ = ending(raising(ValueError("x" * 5000)))

    assert len(str(run.attempt("it").error)) == 1000


def test_running_a_task_leaves_the_interpreter_as_it_was():
    run, _ = ending(lambda: 1)
    before = (list(sys.path), signal.getsignal(signal.SIGALRM), logging.root.handlers[:])
    run.attempt("it")

    assert (list(sys.path), signal.getsignal(signal.SIGALRM), logging.root.handlers[:]) == before


def test_a_function_gets_only_the_arguments_that_it_has_parameters_for(caplog):
    with DAG("etl") as made:
        PythonOperator(task_id="it", python_callable=lambda a, ds: [a, ds], op_kwargs={"a": 1, "more": 2})
    run = Rehearsal(made)
    run.attempt("it")

    assert run.xcoms("it") == {"return_value": [1, "2024-03-05"]}
    assert "no such parameter: more" in caplog.text


def test_a_function_finds_its_run_in_the_environment(monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with DAG("etl", default_args={"owner": "ada"}) as made:
        PythonOperator(
            task_id="it", python_callable=lambda: {k: v for k, v in os.environ.items() if "AIRFLOW_CTX" in k}
        )
    run = Rehearsal(made)
    run.attempt("it", 2)

    assert run.xcoms("it")["return_value"] == {
        "AIRFLOW_CTX_DAG_OWNER": "ada",
        "AIRFLOW_CTX_DAG_ID": "etl",
        "AIRFLOW_CTX_TASK_ID": "it",
        "AIRFLOW_CTX_LOGICAL_DATE": "2024-03-05T02:00:00+00:00",
        "AIRFLOW_CTX_TRY_NUMBER": "2",
        "AIRFLOW_CTX_DAG_RUN_ID": "manual__1",
    }
