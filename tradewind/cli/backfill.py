"""What can be asked of ``tradewind backfill``? And the form of it that Airflow 2 knew, ``dags backfill``."""

from __future__ import annotations

from typing import Final

import click

from tradewind.model.backfills import Only, Reprocess
from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import OUTPUT, YES, Instant, JsonObject, argument, option

_EXIT: Final = "Exit code 0: all went well; 1: a run failed; 3: it was cancelled."


def _id() -> click.Argument:
    return argument("backfill_id", type=click.IntRange(1))


BACKFILL: Final = Group(
    "Run DAGs for dates of the past.",
    {
        "create": Command(
            "scheduler.commands.backfill:create",
            "Make the runs of a span of dates.",
            option(
                "--dag-id",
                "dag_ids",
                required=True,
                multiple=True,
                help="The DAG; may be repeated. One that builds on another waits for it, date by date.",
            ),
            option("--from-date", required=True, type=Instant(), help="The first date, included."),
            option("--to-date", required=True, type=Instant(), help="The last date, included."),
            option("--dag-run-conf", "conf", type=JsonObject(), help="Values for the params, as a JSON object."),
            option("--run-backwards", is_flag=True, help="Begin with the newest date."),
            option(
                "--max-active-runs",
                type=click.IntRange(1),
                help="How many of its runs may be under way at once. [default: 10]",
            ),
            option(
                "--reprocess-behavior",
                type=click.Choice([one.value for one in Reprocess]),
                help="Which dates are done again that have a run: none, those whose run failed, all whose run has "
                "ended. [default: none]",
            ),
            option(
                "--run-on-latest-version/--no-run-on-latest-version",
                default=True,
                show_default=True,
                help="Runs that are done again take the newest version of their DAG, or keep the one they have.",
            ),
            option(
                "--only",
                type=click.Choice([one.value for one in Only]),
                help="Only dates without a run, or only those whose run failed.",
            ),
            option(
                "--tasks", multiple=True, metavar="PATTERN", help="Only these tasks, e.g. 'load_*'; may be repeated."
            ),
            option("--with-upstream", is_flag=True, help="Also all that stands above the tasks chosen."),
            option("--with-downstream", is_flag=True, help="Also all that stands below them."),
            option(
                "--order",
                "orders",
                multiple=True,
                metavar="DAG,DAG",
                help="Each of these DAGs waits for the one before it, date by date; may be repeated.",
            ),
            option("--dry-run", is_flag=True, help="Show what would become of each date, and change nothing."),
            option("--wait", is_flag=True, help="Stay until it is over, with a progress bar."),
            OUTPUT,
            detail=(
                "The schedulers make the runs, the next one as soon as there is a place for it. A paused DAG runs them "
                f"all the same. With --wait: {_EXIT[0].lower()}{_EXIT[1:]}"
            ),
        ),
        "list": Command(
            "scheduler.commands.backfill:list_backfills",
            "List backfills, the newest first.",
            option("--dag-id", help="Only those of this DAG."),
            option("--open", "only_open", is_flag=True, help="Only those of which something waits or runs."),
            option("--limit", type=click.IntRange(1), default=25, show_default=True, help="How many at most."),
            OUTPUT,
        ),
        "show": Command(
            "scheduler.commands.backfill:show",
            "Show how far a backfill has come, date by date.",
            _id(),
            option("--limit", type=click.IntRange(0), default=50, show_default=True, help="How many dates at most."),
            option("--offset", type=click.IntRange(0), default=0, show_default=True, help="Behind how many dates."),
            OUTPUT,
        ),
        "wait": Command(
            "scheduler.commands.backfill:wait",
            "Wait until a backfill is over, with a progress bar.",
            _id(),
            detail=_EXIT,
        ),
        "pause": Command(
            "scheduler.commands.backfill:pause",
            "Start no more runs of a backfill.",
            _id(),
            OUTPUT,
            detail="Runs that are under way go on.",
        ),
        "unpause": Command("scheduler.commands.backfill:unpause", "Let a paused backfill go on.", _id(), OUTPUT),
        "cancel": Command(
            "scheduler.commands.backfill:cancel",
            "End a backfill before it is through.",
            _id(),
            option("--stop-running", is_flag=True, help="End the runs that are under way as well."),
            YES,
            OUTPUT,
            detail="No more runs are made, and those that are queued fail. Runs that are under way go on.",
        ),
    },
)

_NO_EFFECT: Final = "Taken for Airflow's sake; it has no effect here."

DAGS_BACKFILL: Final = Command(
    "scheduler.commands.backfill_airflow2:backfill",
    "Make the runs of a span of dates, asked for as in Airflow 2.",
    argument("dag_id"),
    option("-s", "--start-date", type=Instant(), help="The first date. [default: --end-date]"),
    option("-e", "--end-date", type=Instant(), help="The last date. [default: --start-date]"),
    option("-n", "--dry-run", is_flag=True, help="Show what would become of each date, and change nothing."),
    option("-t", "--task-regex", metavar="REGEX", help="Only tasks whose id matches, and what stands above them."),
    option("-i", "--ignore-dependencies", is_flag=True, help="With -t: without what stands above."),
    option("-c", "--conf", type=JsonObject(), help="Values for the params, as a JSON object."),
    option("-B", "--run-backwards", is_flag=True, help="Begin with the newest date."),
    option("--rerun-failed-tasks", is_flag=True, help="Do dates again whose run failed."),
    option("--reset-dagruns", is_flag=True, help="Do dates again whose run has ended, however it did."),
    option("--treat-dag-id-as-regex", "--treat-dag-as-regex", is_flag=True, help="All DAGs whose id matches."),
    option("-y", "--yes", is_flag=True, help=_NO_EFFECT),
    option("-m", "--mark-success", is_flag=True, help="Not here: see `tradewind dags mark-run`."),
    option("--pool", help="Not here: pools are chosen in the DAG file."),
    option("--disable-retry", is_flag=True, help="Not here: retries are set in the DAG file."),
    option("-l", "--local", is_flag=True, help=_NO_EFFECT),
    option("-x", "--donot-pickle", is_flag=True, help=_NO_EFFECT),
    option("-I", "--ignore-first-depends-on-past", is_flag=True, help=_NO_EFFECT),
    option("--continue-on-failures", is_flag=True, help=_NO_EFFECT),
    option("--delay-on-limit", type=float, metavar="SECONDS", help=_NO_EFFECT),
    option("-S", "--subdir", metavar="PATH", help=_NO_EFFECT),
    detail="It says what it is in today's words, `tradewind backfill create`, does that, and waits until it is over.",
    is_hidden=True,
)
