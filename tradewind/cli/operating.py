"""What can be done to runs and their tasks from the command line: clear, mark, hold, release, cancel, replay?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from tradewind.terminal.groups import Command
from tradewind.terminal.options import OUTPUT, YES, Instant, argument, option

TASK_MARKS: Final = ("success", "failed", "skipped")
RUN_MARKS: Final = ("success", "failed", "queued")

_BODIES: Final = "scheduler.commands.operating"
_NAMES: Final = (
    "A task is named by its id, the id of its group, or a pattern with * and ?; map indexes may follow in brackets: "
    "`load[3]`, `group[0,2]`."
)
_BACK: Final = "Without -y the affected are listed and you are asked; --dry-run lists them and changes nothing."


def _flag(*names: str, **attrs: Any) -> click.Option:
    return option(*names, is_flag=True, **attrs)


_DRY_RUN = _flag("--dry-run", help="Only list what would change.")
_LIMIT = option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="How many lines of a table at most."
)
_NOTE = option("--note", help="A remark, shown with what was changed.")
_UPSTREAM = _flag("-u", "--upstream", help="Also what stands above the tasks.")
_DOWNSTREAM = _flag("-d", "--downstream", help="Also what stands below the tasks.")
_ONLY_FAILED = _flag("-f", "--only-failed", help="Of all these only what failed, or could not run for its sake.")
_ONLY_RUNNING = _flag("-r", "--only-running", help="Of all these only what is running.")
_PAST = _flag("--past", help="Also the runs with an earlier logical date than those named.")
_FUTURE = _flag("--future", help="Also the runs with a later logical date than those named.")
_START = option("-s", "--start-date", type=Instant(), help="Only runs whose logical date is not before.")
_END = option("-e", "--end-date", type=Instant(), help="Only runs whose logical date is not after.")
_LATEST = _flag("--run-on-latest-version", help="The runs go on with the newest version of their DAG.")
_ONLY_NEW = _flag("--only-new", help="Only add the tasks that the newest version has and the runs have not.")
_MAP_INDEX = option(
    "--map-index", type=int, multiple=True, metavar="N", help="Of mapped tasks only this index; may be repeated."
)
_RUN_IDS = option("--run-id", multiple=True, metavar="RUN", help="Only this run, by id or date; may be repeated.")
_RUN = argument("logical_date_or_run_id")
_RUNS = argument("logical_date_or_run_id", nargs=-1)
_EVERY = _flag("--all", "every", help="All runs that have not ended.")
_TASKS = argument("tasks", nargs=-1, required=True)

TASK_OPERATIONS: Final[Mapping[str, Command]] = {
    "clear": Command(
        f"{_BODIES}:clear_tasks",
        "Do tasks again, in one run or in many.",
        argument("dag_id"),
        option("-t", "--task-regex", metavar="REGEX", help="Only tasks in whose id this is found."),
        option("--task", multiple=True, metavar="TASK", help="Only this task; may be repeated."),
        option("--group", multiple=True, metavar="GROUP", help="Only tasks of this group; may be repeated."),
        _MAP_INDEX,
        _UPSTREAM,
        _DOWNSTREAM,
        _ONLY_FAILED,
        _ONLY_RUNNING,
        _RUN_IDS,
        _START,
        _END,
        _PAST,
        _FUTURE,
        _flag("-R", "--dag-regex", help="DAG_ID is a regular expression: all DAGs in whose id it is found."),
        _LATEST,
        _ONLY_NEW,
        _NOTE,
        YES,
        _DRY_RUN,
        _LIMIT,
        OUTPUT,
        detail=(
            "What is running is stopped first. Setups and teardowns come along, what was done before stays in the "
            f"history with its logs, and runs that have ended are queued again. {_NAMES} Without any of these it is "
            f"all tasks of all runs. {_BACK}"
        ),
    ),
    "mark": Command(
        f"{_BODIES}:mark_tasks",
        "Take tasks as success, failed or skipped.",
        argument("dag_id"),
        _RUN,
        _TASKS,
        argument("state", type=click.Choice(TASK_MARKS)),
        _MAP_INDEX,
        _UPSTREAM,
        _DOWNSTREAM,
        _PAST,
        _FUTURE,
        _NOTE,
        YES,
        _DRY_RUN,
        _LIMIT,
        OUTPUT,
        detail=(
            f"What is running is stopped; what stands below and failed for their sake is done again. {_NAMES} {_BACK}"
        ),
    ),
    "hold": Command(
        f"{_BODIES}:hold_tasks",
        "Keep tasks of a run from starting.",
        argument("dag_id"),
        _RUN,
        _TASKS,
        option("--why", default="", help="What for: `tradewind why` shows it."),
        _MAP_INDEX,
        _DOWNSTREAM,
        _DRY_RUN,
        _LIMIT,
        OUTPUT,
        detail=f"What is running goes on. The run has begun: what waits to begin is held by `dags hold`. {_NAMES}",
    ),
    "release": Command(
        f"{_BODIES}:release_tasks",
        "Let tasks start that were held.",
        argument("dag_id"),
        _RUN,
        _TASKS,
        _MAP_INDEX,
        _DOWNSTREAM,
        _DRY_RUN,
        _LIMIT,
        OUTPUT,
        detail=_NAMES,
    ),
    "cancel": Command(
        f"{_BODIES}:cancel_tasks",
        "Stop tasks of a run: they fail.",
        argument("dag_id"),
        _RUN,
        _TASKS,
        _MAP_INDEX,
        _DOWNSTREAM,
        _NOTE,
        YES,
        _DRY_RUN,
        _LIMIT,
        OUTPUT,
        detail=(
            "Their process groups are told to end, and killed when they do not. They are not tried again; the run goes "
            f"on as after any failure. {_NAMES} {_BACK}"
        ),
    ),
}

DAG_OPERATIONS: Final[Mapping[str, Command]] = {
    "clear": Command(
        f"{_BODIES}:clear_runs",
        "Do runs of a DAG again.",
        argument("dag_id"),
        _RUN_IDS,
        option("--partition-key", metavar="KEY", help="Only runs about this part of an asset."),
        option("--partition-date-start", type=Instant(), help="Only runs about a part that begins not before."),
        option("--partition-date-end", type=Instant(), help="Only runs about a part that begins not after."),
        _START,
        _END,
        _PAST,
        _FUTURE,
        _ONLY_FAILED,
        _ONLY_RUNNING,
        _LATEST,
        _ONLY_NEW,
        _NOTE,
        YES,
        _DRY_RUN,
        _LIMIT,
        OUTPUT,
        detail=(
            "Say which: by id, by logical date, or by the part of an asset that they are about, whose dates are those "
            f"on the clock of the DAG's timetable. {_BACK}"
        ),
    ),
    "mark": Command(
        f"{_BODIES}:mark_runs",
        "Take runs as success or failed.",
        argument("dag_id"),
        argument("logical_date_or_run_id", nargs=-1, required=True),
        argument("state", type=click.Choice(RUN_MARKS)),
        _PAST,
        _FUTURE,
        _NOTE,
        YES,
        _DRY_RUN,
        _LIMIT,
        OUTPUT,
        detail=(
            "What has not ended ends: what runs as the run does, what waits as skipped; teardowns run all the same. "
            f"`queued`: look anew how the run ends, by its tasks as they are. {_BACK}"
        ),
    ),
    "hold": Command(
        f"{_BODIES}:hold_runs",
        "Keep runs from starting anything.",
        argument("dag_id"),
        _RUNS,
        _EVERY,
        option("--why", default="", help="What for: `tradewind why` shows it."),
        _DRY_RUN,
        _LIMIT,
        OUTPUT,
        detail="What is running goes on. Pausing a DAG is another thing: it stops new runs only.",
    ),
    "release": Command(
        f"{_BODIES}:release_runs",
        "Let runs go on that were held.",
        argument("dag_id"),
        _RUNS,
        _EVERY,
        _DRY_RUN,
        _LIMIT,
        OUTPUT,
        detail="Tasks that were held on their own stay so.",
    ),
    "cancel": Command(
        f"{_BODIES}:cancel_runs",
        "Stop runs: they fail.",
        argument("dag_id"),
        _RUNS,
        _EVERY,
        _NOTE,
        YES,
        _DRY_RUN,
        _LIMIT,
        OUTPUT,
        detail=f"Process groups are told to end, and killed when they do not; teardowns run all the same. {_BACK}",
    ),
    "replay": Command(
        f"{_BODIES}:replay",
        "Do a run that has ended once more, as a new run.",
        argument("dag_id"),
        _RUN,
        option(
            "--from",
            "from_tasks",
            multiple=True,
            metavar="TASK",
            help="Do this and what stands below again, and take over the rest; may be repeated.",
        ),
        _flag("--run-on-latest-version", help="With the newest version of the DAG. [default: that of the run]"),
        option("-r", "--run-id", help="A name of your own for the new run. [default: made from that of the run]"),
        option("--note", help="A remark, shown with the new run."),
        _DRY_RUN,
        OUTPUT,
        detail=(
            "It has the same conf, data interval, logical date (as its tasks see it) and asset events; the run itself "
            "stays as it is. With --from, tasks above and beside keep their states and XComs; what had failed is done "
            f"again. {_NAMES} A paused DAG runs it all the same."
        ),
    ),
}
