"""What can be asked of ``tradewind dags``?"""

from __future__ import annotations

from typing import Final

import click

from tradewind.cli.backfill import DAGS_BACKFILL
from tradewind.cli.operating import DAG_OPERATIONS
from tradewind.model.states import RunState
from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import CONF, DAG_FILE, OUTPUT, YES, Instant, argument, option

COLUMNS: Final = (
    "dag_id", "fileloc", "owners", "is_paused", "display_name", "description", "schedule", "tags", "next_run_after",
    "next_logical_date", "is_active", "has_import_error", "max_active_runs", "relative_fileloc", "created_at",
    "parsed_at",
)  # fmt: skip
NEXT_FIELDS: Final = ("logical_date", "data_interval.start", "data_interval.end", "run_after")

DAGS: Final = Group(
    "List, run and pause DAGs.",
    {
        "list": Command(
            "scheduler.commands.dags:list_dags",
            "List the DAGs.",
            option("--columns", help=f"Which columns, joined by commas: {', '.join(COLUMNS)}."),
            option("-t", "--tags", multiple=True, metavar="TAG", help="Only DAGs with this tag; may be repeated."),
            option("--all", "include_inactive", is_flag=True, help="Also those whose file no longer defines them."),
            OUTPUT,
        ),
        "details": Command(
            "scheduler.commands.dags:details", "Show all that is known about a DAG.", argument("dag_id"), OUTPUT
        ),
        "show": Command(
            "scheduler.commands.show:show",
            "Draw the tasks of a DAG and what waits for what.",
            argument("dag_id"),
            option("--dot", "as_dot", is_flag=True, help="Print DOT even on a terminal."),
            option(
                "-s",
                "--save",
                type=click.Path(),
                metavar="FILE",
                help="Write FILE.dot, or by Graphviz a .png, .svg or .pdf.",
            ),
            detail=(
                "On a terminal as a tree: what a task leads to stands below it. Elsewhere in the DOT language of "
                "Graphviz. The web UI has the better picture."
            ),
        ),
        "trigger": Command(
            "scheduler.commands.runs:trigger",
            "Start a run of a DAG.",
            argument("dag_id"),
            CONF,
            option("-l", "--logical-date", help="A date or a time; `none` for a run without one. [default: now]"),
            option("-r", "--run-id", help="A name of your own for the run. [default: made from the date]"),
            option("--note", help="A remark, shown with the run."),
            option(
                "--tasks",
                multiple=True,
                metavar="PATTERN",
                help="Run only these: a task, a group, or a pattern like 'load_*'; may be repeated.",
            ),
            option("--with-upstream", is_flag=True, help="With --tasks: also what stands above them."),
            option("--with-downstream", is_flag=True, help="With --tasks: also what stands below them."),
            option("--no-replace-microseconds", is_flag=True, help="Keep the microseconds of --logical-date."),
            OUTPUT,
            detail="It starts as soon as a scheduler has a place for it, also when the DAG is paused.",
        ),
        "backfill": DAGS_BACKFILL,
        "pause": Command(
            "scheduler.commands.dags:pause",
            "Pause DAGs: no new scheduled runs.",
            argument("dag_id"),
            option("--treat-dag-id-as-regex", is_flag=True, help="Pause every DAG whose id matches."),
            YES,
            OUTPUT,
            detail="Runs that are under way go on, and a run that somebody triggers runs all the same.",
        ),
        "unpause": Command(
            "scheduler.commands.dags:unpause",
            "Resume paused DAGs.",
            argument("dag_id"),
            option("--treat-dag-id-as-regex", is_flag=True, help="Resume every DAG whose id matches."),
            option(
                "--skip-missed",
                "--no-catchup",
                "skip_missed",
                is_flag=True,
                help="Create no run that is due already; go on with the next.",
            ),
            option("--dry-run", is_flag=True, help="Only say which runs would be created."),
            YES,
            OUTPUT,
            detail=(
                "It says how many runs come at once. Without catchup that is the newest of those that were missed, as "
                "in Airflow; with it all of them. Of more than 20 it asks first, on a terminal."
            ),
        ),
        "test": Command(
            "scheduler.commands.authoring:test_dag",
            "Run a DAG once in this process, without a scheduler.",
            argument("dag_id"),
            argument("logical_date", type=Instant(), required=False),
            CONF,
            DAG_FILE,
            option("--mark-success-pattern", metavar="REGEX", help="Do not run tasks whose id matches: they succeed."),
            detail=(
                "Tasks run one after another, so breakpoints work. They can read variables and connections that are "
                "stored; no metadata DB is needed, and nothing is recorded. Exit code 1 when the run fails."
            ),
        ),
        "state": Command(
            "scheduler.commands.runs:state",
            "Print the state of a run.",
            argument("dag_id"),
            argument("logical_date_or_run_id"),
        ),
        "list-runs": Command(
            "scheduler.commands.runs:list_runs",
            "List the runs of a DAG, newest first.",
            argument("dag_id"),
            option("--state", type=click.Choice([state.value for state in RunState]), help="Only runs in this state."),
            option("-s", "--start-date", type=Instant(), help="Only runs whose logical date is not before."),
            option("-e", "--end-date", type=Instant(), help="Only runs whose logical date is not after."),
            option("--no-backfill", is_flag=True, help="Leave out backfill runs."),
            option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at most."),
            OUTPUT,
        ),
        **DAG_OPERATIONS,
        "callbacks": Command(
            "scheduler.commands.callbacks:callbacks",
            "List the callbacks that hang on a run.",
            argument("dag_id"),
            argument("logical_date_or_run_id"),
            option("--log", "log_of", type=int, metavar="ID", help="Print the log of this one instead."),
            OUTPUT,
            detail="Those that a process of its own makes: of the run, of tasks that died, of deadlines, of listeners.",
        ),
        "list-import-errors": Command(
            "scheduler.commands.dags:list_import_errors",
            "List the DAG files that cannot be imported.",
            OUTPUT,
            detail="Their DAGs go on as they were when the file was last good. Exit code 1 when there is any.",
        ),
        "next-execution": Command(
            "scheduler.commands.dags:next_execution",
            "Print when a DAG runs next.",
            argument("dag_id"),
            option(
                "-n", "--num-executions", type=click.IntRange(1, 1000), default=1, show_default=True, help="How many."
            ),
            option("--field", type=click.Choice(NEXT_FIELDS), help="Print this alone. [default: logical_date]"),
            option("--table", is_flag=True, help="Print all that is known of each."),
            OUTPUT,
            detail=(
                "Prints logical dates; a schedule with data intervals runs at the end of the interval, which is "
                "run_after."
            ),
        ),
        "reserialize": Command(
            "scheduler.commands.sync:reserialize",
            "Read all DAG files now.",
            detail=(
                "A scheduler does so by itself as files change; this is for a machine where none runs. Exit code 1 "
                "when a file cannot be imported."
            ),
        ),
        "delete": Command(
            "scheduler.commands.dags:delete",
            "Delete a DAG with its runs and history.",
            argument("dag_id"),
            YES,
            detail=(
                "Its file stays; while it is in the DAG folder, the DAG comes back without its history when the file "
                "is read again."
            ),
        ),
    },
)
