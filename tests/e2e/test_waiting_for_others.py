"""Do runs wait for each other, for files and for their branches, with real processes and nobody's slot held?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.e2e.stack import EFFECTS, Stack
from tests.support.waiting import wait_until
from tradewind.metadata import runs
from tradewind.metadata.models import TaskInstance, XCom

PARENT = f"""
from datetime import datetime, timezone
from airflow.sdk import DAG, task, task_group
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.providers.standard.sensors.filesystem import FileSensor
{EFFECTS}
DATE = datetime(2026, 1, 1, tzinfo=timezone.utc)

with DAG("parent", schedule=None):
    file = FileSensor(task_id="file", filepath="go", mode="reschedule", poke_interval=0.2)
    start = TriggerDagRunOperator(
        task_id="start", trigger_dag_id="child", logical_date=DATE.isoformat(), conf={{"from": "{{{{ run_id }}}}"}}
    )
    sees = ExternalTaskSensor(
        task_id="sees", external_dag_id="child", external_task_id="work", execution_date_fn=lambda date: DATE,
        mode="reschedule", poke_interval=0.2, failed_states=["failed"],
    )
    again = TriggerDagRunOperator(
        task_id="again", trigger_dag_id="child", trigger_run_id="second", logical_date=None,
        wait_for_completion=True, poke_interval=0.1,
    )
    twin = TriggerDagRunOperator(
        task_id="twin", trigger_dag_id="child", trigger_run_id="second", skip_when_already_exists=True
    )

    @task.branch
    def choose(ti):
        return "left" if ti.get_dagrun_state("child", "second") == "success" else "right"

    @task.short_circuit
    def stop():
        return False

    @task_group
    def each(number):
        @task.branch
        def way(number):
            return "each.odd" if number % 2 else "each.even"

        way(number) >> [EmptyOperator(task_id="odd"), EmptyOperator(task_id="even")]

    left, right = EmptyOperator(task_id="left"), EmptyOperator(task_id="right")
    join = EmptyOperator(task_id="join", trigger_rule="none_failed_min_one_success")
    end = EmptyOperator(task_id="end", trigger_rule="all_done")
    chosen = choose()
    file >> start >> sees >> again >> [twin, chosen]
    chosen >> [left, right] >> join >> stop() >> end
    join >> each.expand(number=[1, 2])
"""
CHILD = f"""
from airflow.sdk import DAG, task
{EFFECTS}
with DAG("child", schedule=None):
    @task
    def work(dag_run=None, **context):
        effect(**context)
        return [dag_run.conf.get("from"), dag_run.run_type.value, str(dag_run.logical_date)]
    work()
"""


@pytest.fixture
def installation(database_url: str, home: Path) -> Iterator[Stack]:
    connection = json.dumps({"conn_type": "fs", "extra": {"path": str(home)}})
    made = Stack(home, database_url, settings={"AIRFLOW_CONN_FS_DEFAULT": connection})
    yield made
    made.tell()
    made.stop()


def states(stack: Stack, pk: int) -> dict[tuple[str, int], str]:
    with stack.db.read() as tx:
        columns = (TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state)
        return {(t, i): state.value for t, i, state in tx.execute(select(*columns).where(TaskInstance.run_pk == pk))}


def xcoms(stack: Stack, pk: int) -> dict[tuple[str, str], object]:
    with stack.db.read() as tx:
        rows = tx.execute(select(XCom.task_id, XCom.key, XCom.value).where(XCom.run_pk == pk, XCom.map_index == -1))
        return {(row.task_id, row.key): json.loads(row.value or "null") for row in rows}


@pytest.mark.timeout(120)
def test_a_run_waits_for_a_file_starts_another_run_and_goes_the_way_it_chose(installation: Stack, home: Path) -> None:
    stack = installation
    stack.write_dag("parent.py", PARENT)
    stack.write_dag("child.py", CHILD)
    stack.start()
    stack.wait_dag("parent")
    stack.wait_dag("child")
    pk = stack.trigger("parent", user="ada")
    wait_until(lambda: len(stack.attempts(pk, "file")) >= 3, timeout=30, every=0.05, what="three looks at the file")
    (home / "go").touch()
    stack.wait_over(pk)

    assert stack.run_state(pk) == "success"
    looks = stack.attempts(pk, "file")
    assert {look.try_number for look in looks} == {1}
    assert [look.outcome for look in looks] == [*["rescheduled"] * (len(looks) - 1), "success"]
    skipped = {"twin", "right", "end"}
    found = states(stack, pk)
    assert {task for (task, index), state in found.items() if state == "skipped" and index == -1} == skipped
    assert {key: state for key, state in found.items() if key[1] >= 0} == {
        ("each.way", 0): "success",
        ("each.odd", 0): "success",
        ("each.even", 0): "skipped",
        ("each.way", 1): "success",
        ("each.odd", 1): "skipped",
        ("each.even", 1): "success",
    }
    left = xcoms(stack, pk)
    assert left["choose", "skipmixin_key"] == {"followed": ["left"]}
    assert left["stop", "skipmixin_key"] == {"skipped": ["end"]}
    assert left["again", "trigger_run_id"] == "second"

    with stack.db.read() as tx:
        first = runs.find_run(tx, "child", str(left["start", "trigger_run_id"]))
        second = runs.find_run(tx, "child", "second")
    assert first is not None
    assert second is not None
    assert (first.triggering_user, first.triggered_by) == ("ada", "operator")
    assert xcoms(stack, first.pk)["work", "return_value"] == ["run1", "operator_triggered", "2026-01-01 00:00:00+00:00"]
    assert xcoms(stack, second.pk)["work", "return_value"] == [None, "operator_triggered", "None"]
    stack.assert_sound()
