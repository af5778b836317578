"""Does Tradewind make of DAG files what Airflow 3.3.2 makes of them? ``oracle/record.py`` wrote down what that is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.authoring.support import Rehearsal
from tradewind.compat import install, uninstall
from tradewind.model.orders import Outcome
from tradewind.sdk.dag import DAG
from tradewind.sdk.graph import effective_weights
from tradewind.sdk.loader import load_dag_file

HERE = Path(__file__).parent / "oracle"
RECORDED: dict[str, Any] = json.loads((HERE / "airflow_3_3_2.json").read_text())
STRUCTURE: dict[str, Any] = RECORDED["structure"]

BACKOFF_WITHOUT_EFFECT = 1.0
"""``retry_exponential_backoff=True`` doubled the delay in Airflow 2; 3.3.2 reads it as the factor 1. We double."""

LATER = {"task_state_store"}
"""Names of the context whose features come later."""


@pytest.fixture
def airflow_names() -> Iterator[None]:
    install()
    yield
    uninstall()


@pytest.fixture
def wiring(airflow_names: None) -> dict[str, DAG]:
    return {dag.dag_id: dag for dag in load_dag_file(str(HERE / "dags" / "wiring.py"))}


def test_the_same_dags_are_found(wiring):
    assert sorted(wiring) == sorted(STRUCTURE)


@pytest.mark.parametrize("dag_id", sorted(STRUCTURE))
def test_tasks_edges_and_settings_are_those_of_airflow(wiring, dag_id):
    assert _structure(wiring[dag_id]) == STRUCTURE[dag_id]


@pytest.mark.parametrize("name", sorted(RECORDED["runs"]))
def test_tasks_see_what_they_see_in_airflow(airflow_names, tmp_path, monkeypatch, name):
    recorded = RECORDED["runs"][name]
    seen = tmp_path / "seen.jsonl"
    monkeypatch.setenv("PROBE_FILE", str(seen))
    (dag,) = load_dag_file(str(HERE / "dags" / f"{name}.py"))
    conf = {"c": "from conf"} if name == "templates" else {}

    results = Rehearsal(dag, conf=conf, run_id=recorded["run_id"]).all()

    assert {task: r.error for task, r in results.items() if r.outcome is not Outcome.SUCCESS} == {}
    assert sorted(map(_comparable, _lines(seen))) == sorted(map(_comparable, recorded["seen"]))


def _lines(path: Path) -> list[list[str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _comparable(seen: list[str]) -> list[str]:
    what, value = seen
    if what == "context names":  # a list of names as text
        names = set(value.strip("[]").replace("'", "").split(", "))
        return [what, " ".join(sorted(names - LATER - {"try_number"}))]
    return seen


def _structure(dag: DAG) -> dict[str, Any]:
    weights = effective_weights(dag)
    return {
        "tasks": {task.task_id: _task(task, weights[task.task_id]) for task in dag.tasks},
        "groups": sorted(dag.group_dict),
        "labels": sorted([up, down, label] for (up, down), label in dag.edge_labels.items()),
        "params": {name: param.value for name, param in dag.params.declared().items()},
        "catchup": dag.catchup,
        "description": dag.description,
        "doc_md": dag.doc_md,
        "tags": sorted(dag.tags),
        "start_date": str(dag.start_date),
        "end_date": str(dag.end_date),
        "max_active_runs": dag.max_active_runs,
        "max_active_tasks": dag.max_active_tasks,
        "timezone": str(dag.timezone),
    }


def _task(task: Any, weight: int) -> dict[str, Any]:
    backoff = task.retry_exponential_backoff
    return {
        "upstream": sorted(task.upstream_task_ids),
        "downstream": sorted(task.downstream_task_ids),
        "trigger_rule": task.trigger_rule,
        "retries": task.retries,
        "retry_delay": task.retry_delay.total_seconds(),
        "backoff": BACKOFF_WITHOUT_EFFECT if backoff == 2.0 else backoff,
        "max_retry_delay": task.max_retry_delay.total_seconds() if task.max_retry_delay else None,
        "timeout": task.execution_timeout.total_seconds() if task.execution_timeout else None,
        "pool": task.pool,
        "pool_slots": task.pool_slots,
        "owner": task.owner,
        "queue": task.queue,
        "depends_on_past": task.depends_on_past,
        "wait_for_downstream": task.wait_for_downstream,
        "start_date": str(task.start_date),
        "end_date": str(task.end_date),
        "group": task.task_group.group_id,
        "is_setup": task.is_setup,
        "is_teardown": task.is_teardown,
        "on_failure_fail_dagrun": task.on_failure_fail_dagrun,
        "do_xcom_push": task.do_xcom_push,
        "doc_md": task.doc_md,
        "label": task.label,
        "display_name": task.task_display_name or task.task_id,
        "max_active_tis_per_dag": task.max_active_tis_per_dag,
        "max_active_tis_per_dagrun": task.max_active_tis_per_dagrun,
        "priority": weight,
        "multiple_outputs": task.multiple_outputs,
    }
