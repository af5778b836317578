# mypy: ignore-errors
"""DAGs that start each other and wait for each other."""

import os
from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskMarker, ExternalTaskSensor
from airflow.sdk import DAG, TaskGroup, task
from airflow.sdk.exceptions import AirflowSkipException

PACE = float(os.environ.get("PROBE_PACE", "1"))  # what comes back too soon confuses a slow scheduler


class Nop(EmptyOperator):
    """An empty operator that can be mapped."""

    def __init__(self, *, x=None, **fields):
        super().__init__(**fields)


with DAG("target", max_active_runs=30):

    @task
    def told(dag_run=None, **context):
        if (dag_run.conf or {}).get("fail"):
            raise ValueError("as asked")
        date = str(dag_run.logical_date)[:10]  # a run that is given none has that of now
        return [
            dag_run.run_id,
            dag_run.conf,
            str(dag_run.run_type),
            date if date.startswith("2024") else "none" if date == "None" else "now",
        ]

    told()

with DAG("target_fails"):
    Nop(task_id="a") >> task(task_id="b")(lambda: 1 / 0)()

with DAG("target_paused_never", is_paused_upon_creation=True):
    Nop(task_id="a")

with DAG("controller"):
    QUICK = {"poke_interval": 1}

    def start(name, dag_id="target", **fields):
        return TriggerDagRunOperator(task_id=name, trigger_dag_id=dag_id, trigger_run_id=f"by_{name}", **fields)

    start("plain", conf={"a": 1, "t": "{{ ds }}"})
    start("dated", logical_date="2024-05-05T00:00:00+00:00", conf={"a": "{{ params.p }}"}, params={"p": "from params"})
    start("no_date", logical_date=None)
    start("own_date", logical_date="{{ logical_date.add(days=3) }}")
    start("waits", wait_for_completion=True, **QUICK) >> Nop(task_id="below")
    start("waits_failed", wait_for_completion=True, conf={"fail": True}, **QUICK) >> Nop(task_id="below_failed")
    start(
        "allows_failed",
        wait_for_completion=True,
        conf={"fail": True},
        allowed_states=["failed"],
        failed_states=["success"],
        **QUICK,
    )
    start("deferred", wait_for_completion=True, deferrable=True, **QUICK) >> Nop(task_id="below_deferred")
    start("deferred_failed", wait_for_completion=True, deferrable=True, conf={"fail": True}, **QUICK)
    start("unknown", dag_id="no_such_dag")
    first = start("first", logical_date="2024-06-01T00:00:00+00:00")
    again = {"trigger_dag_id": "target", "trigger_run_id": "by_first", "logical_date": "2024-06-01T00:00:00+00:00"}
    first >> TriggerDagRunOperator(task_id="again", **again)
    first >> TriggerDagRunOperator(task_id="again_skips", skip_when_already_exists=True, **again)
    start("bad_conf", conf={"x": {1, 2}})
    start(
        "other",
        dag_id="target_fails",
        wait_for_completion=True,
        failed_states=[],
        allowed_states=["success", "failed"],
        **QUICK,
    )
    TriggerDagRunOperator.partial(task_id="mapped", trigger_dag_id="target").expand_kwargs(
        [
            {"trigger_run_id": f"by_mapped_{n}", "conf": {"n": n}, "logical_date": f"2024-07-0{n}T00:00:00+00:00"}
            for n in (1, 2)
        ]
    )

with DAG("awaited"):

    @task
    def act(word):
        if word == "f":
            raise ValueError("as asked")
        if word == "k":
            raise AirflowSkipException("as asked")

    act.override(task_id="good")("s")
    act.override(task_id="bad")("f")
    act.override(task_id="gone")("k")
    with TaskGroup("g"):
        Nop(task_id="x") >> Nop(task_id="y")
    with TaskGroup("h"):
        act.override(task_id="p")("f")
        Nop(task_id="q")
    Nop(task_id="end", trigger_rule="all_done") << [Nop(task_id="one")]

for how in ("poke", "reschedule", "deferred"):
    with DAG(f"awaiting_{how}"):
        mode = {"deferrable": True} if how == "deferred" else {"mode": how}

        def wait(name, how=how, mode=mode, **fields):
            fields = {
                "external_dag_id": "awaited",
                "poke_interval": 0.4 * PACE if how == "reschedule" else 0.5,
                "timeout": 900,
                **mode,
                **fields,
            }
            return ExternalTaskSensor(task_id=name, **fields)

        wait("good", external_task_id="good") >> Nop(task_id="below")
        wait("bad", external_task_id="bad", failed_states=["failed"]) >> Nop(task_id="below_bad")
        wait("bad_allowed", external_task_id="bad", allowed_states=["failed"])
        wait("bad_soft", external_task_id="bad", failed_states=["failed"], soft_fail=True)
        wait("gone", external_task_id="gone", skipped_states=["skipped"]) >> Nop(task_id="below_gone")
        wait("several", external_task_ids=["good", "gone"], allowed_states=["success", "skipped"])
        wait("several_one_bad", timeout=5, external_task_ids=["good", "bad"], failed_states=["failed"])
        wait("group", external_task_group_id="g")
        wait("group_bad", timeout=5, external_task_group_id="h", failed_states=["failed"])
        wait("whole", external_task_id=None, allowed_states=["failed"])
        wait("whole_failed", failed_states=["failed"])
        wait("other_date", external_task_id="good", execution_delta=timedelta(days=1), timeout=1.5)
        wait("by_function", external_task_id="good", execution_date_fn=lambda date: date)
        wait("templated", external_dag_id="{{ 'awaited' }}", external_task_id="{{ 'go' }}od")
        if how != "deferred":
            wait("no_dag", timeout=5, external_dag_id="no_such_dag", external_task_id="x", check_existence=True)
            wait("no_task", timeout=5, external_task_id="no_such_task", check_existence=True)
            wait("no_group", timeout=5, external_task_group_id="no_such_group", check_existence=True)
        wait("never", external_task_id="no_such_task", timeout=1.5)
        wait("never_soft", external_task_id="no_such_task", timeout=1.5, soft_fail=True)

with DAG("marking"):
    ExternalTaskMarker(task_id="marker", external_dag_id="awaited", external_task_id="good") >> Nop(task_id="below")
