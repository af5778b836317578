"""What can be cleaned, by which name? Ours, and what the tables of Airflow are here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tradewind.errors import UsageError, did_you_mean

RUNS: Final = "dag_run"
XCOMS: Final = "xcom"
TABLES: Final[Mapping[str, str]] = {
    RUNS: "runs, with all that hangs on them: log, task instances, attempts, XComs, questions, timers",
    XCOMS: "XComs of runs that stay",
    "callback": "calls of user code that have ended, of runs that stay",
    "asset_event": "updates of assets that no run was made for",
    "backfill": "backfills that are completed",
    "audit": "who did what",
    "dag_version": "versions of DAGs, and their files, that no run began with",
    "dag_bundle": "states of the DAG folder, and their files, that no run began in and no version was in last",
    "dag": "DAGs without a file and without runs",
    "process": "schedulers, workers and web servers that are gone",
    "session": "logins that are over",
}
"""Name -> what it is. The order of a clean-up, whatever the order that it is asked for in."""

SAME: Final[Mapping[str, str]] = {"log": "audit", "job": "process", "revoked_token": "session"}
"""Airflow's name -> ours, where they differ."""
OF_RUNS: Final = frozenset(
    {
        "attempt", "deadline", "dag_run_note", "hitl_detail", "question", "rendered_task_instance_fields", "run_event",
        "run_inbox", "task_fail", "task_instance", "task_instance_history", "task_instance_note", "task_map",
        "task_reschedule", "timer", "trigger", "trigger_wait",
    }
)  # fmt: skip
"""What goes with its run, and never alone."""
NOT_HERE: Final[Mapping[str, str]] = {
    "_xcom_archive": "there is no such table here",
    "celery_taskmeta": "nothing is kept of Celery's own in the metadata DB",
    "celery_tasksetmeta": "nothing is kept of Celery's own in the metadata DB",
    "connection_test_request": "there is no such table here",
    "import_error": "an import error goes as soon as its file can be read, or is gone",
    "partitioned_asset_key_log": "what an asset's consumers have not used yet is never removed",
    "sla_miss": "there is no such table here",
    "task_state_store": "there is no such table here",
}
"""What Airflow cleans, and why there is nothing of it to clean here."""


def chosen_tables(names: Sequence[str] | None) -> tuple[tuple[str, ...], list[str]]:
    """Return the tables that are meant, in the order of a clean-up, and what to say about names that are not ours.

    Args:
        names: None: all.

    Raises:
        UsageError: a name means nothing.
    """
    if names is None:
        return tuple(TABLES), []
    wanted: set[str] = set()
    remarks: list[str] = []
    for name in dict.fromkeys(names):
        if name in TABLES:
            wanted.add(name)
        elif name in SAME:
            wanted.add(SAME[name])
            remarks.append(f"{name} is called {SAME[name]} here.")
        elif name in OF_RUNS:
            end = "it goes along." if RUNS in names else f"add {RUNS} to remove whole runs."
            remarks.append(f"{name} is part of a run and goes with it, never alone: {end}")
        elif name in NOT_HERE:
            remarks.append(f"{name}: {NOT_HERE[name]}.")
        else:
            known = (*TABLES, *SAME, *sorted(OF_RUNS), *NOT_HERE)
            raise UsageError(
                f"There is no table {name!r} to clean.{did_you_mean(name, known)} Known: {', '.join(TABLES)}; "
                "and Airflow's names for them."
            )
    return tuple(name for name in TABLES if name in wanted), remarks
