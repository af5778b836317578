"""What can be asked of ``tradewind tasks``?"""

from __future__ import annotations

from typing import Final

from click import IntRange

from tradewind.cli.operating import TASK_OPERATIONS
from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import DAG_FILE, MAP_INDEX, OUTPUT, JsonObject, argument, option

TASKS: Final = Group(
    "Look at tasks, try them out, do them again.",
    {
        "list": Command(
            "scheduler.commands.tasks:list_tasks",
            "List the tasks of a DAG in the order in which they can run.",
            argument("dag_id"),
            OUTPUT,
            detail=(
                "As a table on standard output it is task ids alone, one on each line; the other formats tell more."
            ),
        ),
        "state": Command(
            "scheduler.commands.tasks:state",
            "Print the state of a task in a run.",
            argument("dag_id"),
            argument("task_id"),
            argument("logical_date_or_run_id"),
            MAP_INDEX,
        ),
        "logs": Command(
            "scheduler.commands.logs:task_logs",
            "Print the log of a task in a run.",
            argument("dag_id"),
            argument("task_id"),
            argument("logical_date_or_run_id"),
            MAP_INDEX,
            option("-t", "--try-number", type=IntRange(1), metavar="N", help="Of this try; else of the newest."),
            option("-f", "--follow", is_flag=True, help="Go on as it grows, until the task has ended."),
            detail="Of whatever machine it ran on, when there is a log store ([logging] remote_base_log_folder).",
        ),
        "states-for-dag-run": Command(
            "scheduler.commands.tasks:states_for_dag_run",
            "List the states of all tasks of a run.",
            argument("dag_id"),
            argument("logical_date_or_run_id"),
            OUTPUT,
        ),
        "test": Command(
            "scheduler.commands.authoring:test_task",
            "Run one task in this process, whatever it depends on.",
            argument("dag_id"),
            argument("task_id"),
            argument("logical_date_or_run_id", required=False),
            option("-t", "--task-params", type=JsonObject(), help="Values for the params, as a JSON object."),
            option(
                "--env-vars", type=JsonObject(), help="Environment variables for the DAG file and the task, as JSON."
            ),
            DAG_FILE,
            MAP_INDEX,
            detail=(
                "It can read variables, connections and the XComs of a run that is stored; what it writes is not "
                "kept. Prints what it returned. Exit code 1 when it fails."
            ),
        ),
        "render": Command(
            "scheduler.commands.authoring:render",
            "Print the template fields of a task as it would see them.",
            argument("dag_id"),
            argument("task_id"),
            argument("logical_date_or_run_id", required=False),
            DAG_FILE,
            MAP_INDEX,
            OUTPUT,
            detail="Nothing is run. Without a run the templates see a run of now.",
        ),
        **TASK_OPERATIONS,
        "failed-deps": Command(
            "scheduler.commands.why:failed_deps",
            "Say what a task waits for.",
            argument("dag_id"),
            argument("task_id"),
            argument("logical_date_or_run_id"),
            MAP_INDEX,
            detail="In the form of Airflow's command; `tradewind why` says the same in one sentence.",
            is_hidden=True,
        ),
    },
)
