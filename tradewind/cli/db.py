"""What can be asked of ``tradewind db``?"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import OUTPUT, YES, Instant, option

TABLES: Final = (
    "dag_run", "xcom", "callback", "asset_event", "backfill", "audit", "dag_version", "dag_bundle", "dag", "process",
    "session",
)  # fmt: skip
"""What can be cleaned; a test holds it equal to what is."""
FORMATS: Final = ("csv", "jsonl")
_TABLES: Final = option("-t", "--tables", help="Only these tables, joined by commas. [default: all]")

DB: Final = Group(
    "Set up and look after the metadata DB.",
    {
        "migrate": Command(
            "tradewind.console.db:migrate_db",
            "Create the metadata DB, or bring it to the newest schema.",
            option("-s", "--show-sql-only", is_flag=True, help="Print the SQL for an empty database; change nothing."),
            option("--finish", is_flag=True, help="Fail when older processes are in the way of the last revision."),
            detail=(
                "Safe to repeat, and to run on many machines at once: one migrates, the others wait. Safe beside living"
                " processes of the version before: what only adds is done at once; what takes something away waits"
                " until none of them lives, and is done by the next call."
            ),
        ),
        "check": Command(
            "tradewind.console.db:check",
            "Check that the metadata DB can be reached and used.",
            option("--retry", type=click.IntRange(min=0), default=0, show_default=True, help="How often to try again."),
            option(
                "--retry-delay",
                type=click.FloatRange(min=0),
                default=1.0,
                show_default=True,
                help="Seconds between tries.",
            ),
            detail="It can when it answers and its schema is the one that this version of Tradewind needs.",
        ),
        "check-migrations": Command(
            "tradewind.console.db:check_migrations",
            "Wait until the metadata DB has been migrated.",
            option(
                "-t",
                "--migration-wait-timeout",
                type=click.IntRange(min=0),
                default=60,
                show_default=True,
                help="Seconds to wait. 0: look once.",
            ),
            detail="For containers that start beside the one that migrates.",
        ),
        "verify": Command(
            "tradewind.console.verify:verify",
            "Fold the event log of every run and compare it with what is stored.",
            OUTPUT,
            detail=(
                "The log is the truth; runs, task instances and attempts are made from it. Exit code 1 when anything "
                "differs."
            ),
        ),
        "clean": Command(
            "tradewind.console.retention:clean",
            "Remove what is older than an instant.",
            option(
                "--clean-before-timestamp",
                type=Instant(),
                required=True,
                help="What is older goes. Without an offset it is in [core] default_timezone.",
            ),
            _TABLES,
            option("--dag-ids", help="Only of these DAGs, joined by commas."),
            option("--exclude-dag-ids", help="Nothing of these DAGs, joined by commas."),
            option(
                "--batch-size",
                type=click.IntRange(min=1),
                help="How many rows one transaction removes at most. [default: as many as take a blink]",
            ),
            option("--dry-run", is_flag=True, help="Only say how much would go."),
            option("--skip-archive", is_flag=True, help="Do not keep what goes."),
            option(
                "--error-on-cleanup-failure",
                is_flag=True,
                help="End with exit code 1 when a table could not be cleaned, and not with 0.",
            ),
            YES,
            OUTPUT,
            detail=(
                "Runs go as a whole, by their end, with tasks, XComs, logs and files. What has not ended, is held, or "
                "is needed by what comes next stays. Works beside schedulers, and can be stopped at any moment: the "
                "next clean-up goes on. What goes is kept in an archive unless --skip-archive is given.\n\n"
                f"Tables: {', '.join(TABLES)}. Airflow's names for them are understood."
            ),
        ),
        "export-archived": Command(
            "tradewind.console.retention:export_archived",
            "Write what clean-ups have kept into files of their own.",
            option(
                "--export-format",
                type=click.Choice(FORMATS),
                default="csv",
                show_default=True,
                help="csv, or JSON lines.",
            ),
            option("--output-path", type=click.Path(path_type=Path), required=True, help="The folder for the files."),
            _TABLES,
            option("--drop-archives", is_flag=True, help="Delete what was exported from the archive."),
            YES,
        ),
        "drop-archived": Command(
            "tradewind.console.retention:drop_archived", "Delete what clean-ups have kept.", _TABLES, YES
        ),
        "shell": Command(
            "tradewind.console.db:shell",
            "Open the database's own shell.",
            detail="sqlite3 or psql, which must be installed; without sqlite3 Python's own small shell is used.",
        ),
        "reset": Command(
            "tradewind.console.db:reset_db",
            "Delete everything in the metadata DB and create it anew.",
            YES,
            option("-s", "--skip-init", is_flag=True, help="Only delete; do not create the tables again."),
            detail=(
                "Runs, logs of runs, variables, connections and accounts are gone for good. DAG files and task logs "
                "stay."
            ),
        ),
        "downgrade": Command(
            "tradewind.console.db:downgrade_db",
            "Take the schema back to an older revision.",
            option(
                "-r",
                "--to-revision",
                required=True,
                help="The revision; base removes all tables. An unknown one is answered with those there are.",
            ),
            YES,
            detail=(
                "Needed before an older version of Tradewind can be used again. What the older schema has no place "
                "for is lost."
            ),
        ),
    },
)
