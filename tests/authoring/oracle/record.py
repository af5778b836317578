# mypy: ignore-errors
"""What does real Apache Airflow make of the DAG files beside this one? Writes ``airflow_3_3_2.json``.

Not part of the tests: run it with the interpreter of an environment that has Apache Airflow 3.3.2, with a migrated
database in ``$AIRFLOW_HOME``, when the DAG files change. The tests compare what Tradewind makes of the same files.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
RUN_AT = datetime(2024, 3, 5, 2, tzinfo=UTC)
RUN = ("templates", "arguments", "xcoms")


def main():
    sys.path.insert(0, str(HERE / "dags"))
    recorded = {"runs": {}}
    wiring = {dag.dag_id: structure(dag) for dag in dags_of("wiring")}
    recorded["structure"] = wiring
    for name in RUN:
        with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as seen:
            os.environ["PROBE_FILE"] = seen.name
            run = dags_of(name)[0].test(
                logical_date=RUN_AT, run_conf={"c": "from conf"} if name == "templates" else None
            )
            recorded["runs"][name] = {
                "seen": sorted(json.loads(line) for line in seen.read().splitlines()),
                "run_id": run.run_id,
                "state": str(run.state),
            }
    (HERE / "airflow_3_3_2.json").write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


def dags_of(name):
    from airflow.sdk import DAG

    spec = importlib.util.spec_from_file_location(name, HERE / "dags" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    DagContext.current_autoregister_module_name = name
    spec.loader.exec_module(module)
    found = {value.dag_id: value for value in vars(module).values() if isinstance(value, DAG)}
    found.update({dag.dag_id: dag for dag, owner in DagContext.autoregistered_dags if owner is module})
    return list(found.values())


def structure(dag):
    return {
        "tasks": {task.task_id: task_facts(task) for task in dag.tasks},
        "groups": sorted(group for group in dag.task_group.get_task_group_dict() if group),
        "labels": sorted(
            [up, down, info["label"]] for up, edges in dag.edge_info.items() for down, info in edges.items()
        ),
        "params": {name: dag.params.get_param(name).value for name in dag.params},
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


def task_facts(task):
    return {
        "upstream": sorted(task.upstream_task_ids),
        "downstream": sorted(task.downstream_task_ids),
        "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
        "retries": task.retries,
        "retry_delay": task.retry_delay.total_seconds(),
        "backoff": float(task.retry_exponential_backoff),
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
        "group": task.task_group.group_id if task.task_group else None,
        "is_setup": task.is_setup,
        "is_teardown": task.is_teardown,
        "on_failure_fail_dagrun": task.on_failure_fail_dagrun,
        "do_xcom_push": task.do_xcom_push,
        "doc_md": task.doc_md,
        "label": task.label,
        "display_name": task.task_display_name,
        "max_active_tis_per_dag": task.max_active_tis_per_dag,
        "max_active_tis_per_dagrun": task.max_active_tis_per_dagrun,
        "priority": weight(task),
        "multiple_outputs": task.multiple_outputs,
    }


def weight(task):
    """The effective weight, added up here from the words of Airflow's documentation of weight rules."""
    if task.weight_rule == "absolute" or "Absolute" in type(task.weight_rule).__name__:
        return task.priority_weight
    upstream = "upstream" in str(task.weight_rule).lower() or "Upstream" in type(task.weight_rule).__name__
    relatives = task.dag.task_dict[task.task_id].get_flat_relatives(upstream=upstream)
    return task.priority_weight + sum(relative.priority_weight for relative in relatives)


if __name__ == "__main__":
    main()
