# mypy: ignore-errors
"""What spans tasks and runs: retries, the past, failing fast, timeouts, dates of tasks, callbacks, states of runs."""

import os
from datetime import datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, TaskGroup, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout


class Nop(EmptyOperator):
    """An empty operator that can be mapped."""

    def __init__(self, *, x=None, **fields):
        super().__init__(**fields)


@task
def act(word, ti=None):
    if word == "f" or (word == "f1" and ti.try_number == 1):
        raise ValueError("as asked")
    if word == "k":
        raise AirflowSkipException("as asked")
    return word


KINDS = {"value": ValueError, "fail": AirflowFailException, "skip": AirflowSkipException, "timeout": AirflowTaskTimeout}

with DAG("retries"):

    @task
    def until(n, kind="value", ti=None):
        ti.xcom_push(key=f"try{ti.try_number}", value=[ti.try_number, ti.max_tries])
        if ti.try_number <= n:
            raise KINDS[kind]("as asked")
        return ti.try_number

    for n, retries in ((0, 0), (0, 2), (1, 0), (1, 1), (2, 1), (2, 2), (2, 3)):
        until.override(task_id=f"fails{n}.retries{retries}", retries=retries, retry_delay=0)(n)
    until.override(task_id="fail_exception", retries=3, retry_delay=0)(5, "fail")
    until.override(task_id="skip_exception", retries=3, retry_delay=0)(5, "skip")
    until.override(task_id="timeout_exception", retries=1, retry_delay=0)(1, "timeout")
    until.override(task_id="delta", retries=1, retry_delay=timedelta(milliseconds=10))(1)
    until.override(task_id="backoff", retries=2, retry_delay=0.01, retry_exponential_backoff=True)(2)

    @task(execution_timeout=timedelta(seconds=2), retries=1, retry_delay=0)
    def too_long(ti=None):
        ti.xcom_push(key="try", value=ti.try_number)
        import time

        if ti.try_number == 1:
            time.sleep(30)

    too_long()

with DAG("retry_default_args", default_args={"retries": 2, "retry_delay": timedelta(0)}):
    act.override(task_id="default")("f1")
    act.override(task_id="own", retries=0)("f1")
    with TaskGroup("g", default_args={"retries": 1, "retry_delay": 0}):
        act.override(task_id="of_group")("f")

with DAG("depends_on_past", max_active_runs=1):

    @task(depends_on_past=True)
    def first(ti=None, dag_run=None):
        if dag_run.run_id == "r2":
            raise AirflowSkipException("as asked")
        return dag_run.run_id

    @task(depends_on_past=True, trigger_rule="all_done")
    def second(dag_run=None):
        return dag_run.run_id

    first() >> second() >> Nop(task_id="third", depends_on_past=True)

with DAG("depends_on_past_failed", max_active_runs=5):

    @task(depends_on_past=True)
    def sometimes(dag_run=None):
        if dag_run.run_id == "r2":
            raise ValueError("as asked")

    sometimes() >> Nop(task_id="below")
    Nop(task_id="free")

with DAG("wait_for_downstream", max_active_runs=1):

    @task(wait_for_downstream=True)
    def top(dag_run=None):
        return dag_run.run_id

    @task
    def below(dag_run=None):
        if dag_run.run_id == "r2":
            raise AirflowSkipException("as asked")

    top() >> below()

with DAG("wait_for_downstream_failed", max_active_runs=5):

    @task(wait_for_downstream=True)
    def top():
        return None

    @task
    def below(dag_run=None):
        if dag_run.run_id == "r1":
            raise ValueError("as asked")

    top() >> below()

with DAG("depends_on_past_mapped", max_active_runs=1):

    @task(depends_on_past=True)
    def each(x, dag_run=None):
        if dag_run.run_id == "r2" and x == 2:
            raise AirflowSkipException("as asked")
        return x

    each.expand(x=[1, 2, 3])

with DAG("depends_on_past_skip", max_active_runs=1):
    # Skipped by a branch; with wait_for_past_depends_before_skipping it waits first.
    cut = task.short_circuit(task_id="cut", ignore_downstream_trigger_rules=False)(
        lambda dag_run: dag_run.run_id != "r1"
    )()
    cut >> Nop(task_id="plain", depends_on_past=True)
    cut >> Nop(task_id="waits", depends_on_past=True, wait_for_past_depends_before_skipping=True)

with DAG("fail_fast_two", fail_fast=True):
    a = act.override(task_id="a")("s")
    bad = act.override(task_id="bad")("f")
    a >> bad >> Nop(task_id="below")
    late = act.override(task_id="late")("s")
    bad >> late >> Nop(task_id="latest")

with DAG("fail_fast_retry", fail_fast=True):
    act.override(task_id="bad", retries=1, retry_delay=0)("f1") >> Nop(task_id="below")

with DAG("fail_fast_skip", fail_fast=True):
    act.override(task_id="gone")("k") >> Nop(task_id="below")
    act.override(task_id="fine")("s") >> Nop(task_id="end")

with DAG("fail_fast_mapped", fail_fast=True):
    act.override(task_id="each", max_active_tis_per_dagrun=1).expand(word=["s", "f", "s"]) >> Nop(task_id="below")

with DAG("fail_fast_teardown", fail_fast=True):
    s = Nop(task_id="make").as_setup()
    t = Nop(task_id="drop").as_teardown(setups=s)
    with t:
        act.override(task_id="bad")("f") >> Nop(task_id="more")

with DAG("run_timeout", dagrun_timeout=timedelta(seconds=3)):

    @task
    def sleeps():
        import time

        time.sleep(600)

    Nop(task_id="before") >> sleeps() >> Nop(task_id="after")
    Nop(task_id="after_done", trigger_rule="all_done") << sleeps.override(task_id="other")()

with DAG("task_dates", start_date=datetime(2024, 1, 1)):
    Nop(task_id="plain") >> Nop(task_id="later", start_date=datetime(2024, 6, 1)) >> Nop(task_id="below_later")
    Nop(task_id="over", end_date=datetime(2024, 2, 1)) >> Nop(task_id="below_over")
    Nop(task_id="within", start_date=datetime(2024, 2, 1), end_date=datetime(2024, 4, 1))

for name, words in {
    "good": "ss",
    "failed_leaf": "sf",
    "failed_inner": "fs",
    "skipped": "kk",
    "skip_and_good": "ks",
    "empty": "",
}.items():
    with DAG(f"run_state_{name}"):
        if words:
            act.override(task_id="inner")(words[0]) >> act.override(task_id="leaf", trigger_rule="all_done")(words[1])
        if name == "skip_and_good":
            Nop(task_id="other")

with DAG("run_state_upstream_failed"):
    act.override(task_id="bad")("f") >> Nop(task_id="below")
    Nop(task_id="good")

with DAG("run_state_two_leaves"):
    act.override(task_id="bad")("f") >> Nop(task_id="rescued", trigger_rule="all_failed")
    act.override(task_id="gone")("k")

TOLD = os.environ.get("PROBE_FOLDER", "/nowhere")


def note(what):
    def callback(context):
        ti = context["ti"]
        error = type(context.get("exception")).__name__ if what in ("failure", "retry", "skipped") else ""
        with open(f"{TOLD}/callbacks.txt", "a") as told:
            told.write(f"{ti.task_id}[{ti.map_index}] {ti.try_number} {what} {error}\n".replace(" \n", "\n"))

    return callback


NOTES = {f"on_{kind}_callback": note(kind) for kind in ("execute", "success", "failure", "retry", "skipped")}

with DAG("callbacks", default_args=NOTES):

    @task
    def told(word, ti=None):
        if word == "f" or (word == "f1" and ti.try_number == 1):
            raise ValueError("as asked")
        if word == "k":
            raise AirflowSkipException("as asked")
        if word == "ff":
            raise AirflowFailException("as asked")

    told.override(task_id="good")("s")
    told.override(task_id="bad")("f") >> Nop(task_id="below")
    told.override(task_id="retried", retries=1, retry_delay=0)("f1")
    told.override(task_id="gave_up", retries=1, retry_delay=0)("f")
    told.override(task_id="gone", retries=1)("k") >> Nop(task_id="below_gone")
    told.override(task_id="at_once", retries=3)("ff")
    told.override(task_id="each").expand(word=["s", "f"])
    told.override(task_id="two", on_success_callback=[note("success one"), note("success two")])("s")

    def broken(context):
        raise ValueError("in a callback")

    told.override(task_id="broken", on_success_callback=broken, on_execute_callback=None)("s") >> Nop(
        task_id="after_broken"
    )
    told.override(task_id="broken_first", on_execute_callback=broken)("s")
    PythonOperator(
        task_id="hooks",
        python_callable=lambda: None,
        pre_execute=note("pre"),
        post_execute=lambda context, result: note("post")(context),
    )
