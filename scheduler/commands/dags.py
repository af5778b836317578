"""``tradewind dags``: what DAGs there are, and which of them may run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import click

from scheduler import unpausing
from scheduler.assets import missing_assets
from scheduler.commands.lookup import user_name
from tradewind.config import Config, load_config
from tradewind.errors import UsageError, did_you_mean
from tradewind.metadata import audit, dags
from tradewind.metadata.database import Database
from tradewind.metadata.opening import open_database
from tradewind.terminal.options import confirm
from tradewind.terminal.output import counted, emit, emit_record, talk
from tradewind.timetables import DataInterval, NextRun

PAGE: Final = 1000
MANY_RUNS: Final = 20
"""Of more runs than these ``dags unpause`` asks before it has them created."""
COLUMNS: Final = ("dag_id", "fileloc", "owners", "is_paused")
TABLE_COLUMNS: Final = ("dag_id", "is_paused", "schedule", "next_run_after", "owners", "relative_fileloc")
ALL_COLUMNS: Final = (
    *COLUMNS, "display_name", "description", "schedule", "tags", "next_run_after", "next_logical_date", "is_active",
    "has_import_error", "max_active_runs", "relative_fileloc", "created_at", "parsed_at",
)  # fmt: skip
NEXT_FIELDS: Final = ("logical_date", "data_interval.start", "data_interval.end", "run_after")


def list_dags(columns: str | None, tags: tuple[str, ...], include_inactive: bool, output: str) -> None:
    """List the DAGs."""
    wanted = _columns(columns, output)
    config = load_config(os.environ)
    with open_database(config) as db:
        rows = [_row(row, config) for row in _all(db, tags, include_inactive)]
        with db.read() as tx:
            errors = dags.count_import_errors(tx)
    emit(rows, wanted, output, empty=_no_dags(config, bool(tags)))
    if errors:
        talk(f"{counted(errors, 'DAG file')} cannot be imported: see `tradewind dags list-import-errors`.")


def _no_dags(config: Config, has_tags: bool) -> str:
    if has_tags:
        return "No DAG has one of these tags."
    return (
        f"There are no DAGs yet. A scheduler reads them from Python files in {config.core.dags_folder}; without one, "
        "`tradewind dags reserialize` does."
    )


def _columns(given: str | None, output: str) -> tuple[str, ...]:
    if given is None:
        return TABLE_COLUMNS if output == "table" else COLUMNS
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    for name in names:
        if name not in ALL_COLUMNS:
            hint = did_you_mean(name, ALL_COLUMNS)
            raise UsageError(f"There is no column {name!r}.{hint} Columns are: {', '.join(ALL_COLUMNS)}.")
    return names


def _all(db: Database, tags: tuple[str, ...] = (), include_inactive: bool = False) -> Iterator[dags.DagRow]:
    after = ""
    while True:
        with db.read() as tx:
            page = dags.list_dags(tx, tags=tags, include_inactive=include_inactive, after=after, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].dag_id


def _row(row: dags.DagRow, config: Config) -> dict[str, Any]:
    return {
        "dag_id": row.dag_id,
        "fileloc": str(config.core.dags_folder / row.file_path),
        "owners": row.owners,
        "is_paused": row.is_paused,
        "display_name": row.display_name or row.dag_id,
        "description": row.description,
        "schedule": row.schedule_summary,
        "tags": list(row.tags),
        "next_run_after": row.next_run_after,
        "next_logical_date": row.next_logical_date,
        "is_active": row.is_active,
        "has_import_error": row.has_import_error,
        "max_active_runs": row.max_active_runs,
        "relative_fileloc": row.file_path,
        "created_at": row.created_at,
        "parsed_at": row.parsed_at,
    }


def details(dag_id: str, output: str) -> None:
    """Show all that is known about a DAG."""
    config = load_config(os.environ)
    with open_database(config) as db, db.read() as tx:
        row = dags.get_dag(tx, dag_id)
        version_id, spec = dags.load_newest_spec(tx, dag_id)
        versions = dags.list_versions(tx, dag_id, limit=1)
        warnings = dags.list_warnings(tx, dag_id=dag_id)
        waits = missing_assets(tx, row)
    record = _row(row, config) | {
        "timetable_summary": spec.timetable.summary,
        "timetable_description": spec.timetable.description,
        "timezone": spec.timezone,
        "start_date": spec.start_date,
        "end_date": spec.end_date,
        "catchup": spec.catchup,
        "max_active_tasks": spec.max_active_tasks,
        "max_consecutive_failed_dag_runs": spec.max_consecutive_failed_dag_runs,
        "dagrun_timeout": spec.dagrun_timeout_seconds,
        "fail_fast": spec.fail_fast,
        "params": {name: param.default for name, param in spec.params.items()},
        "tasks": [task.task_id for task in spec.tasks],
        "version": versions[0].number if versions else None,
        "version_id": version_id,
        "next_data_interval_start": row.next_interval_start,
        "next_data_interval_end": row.next_interval_end,
        "warnings": [str(warning) for warning in warnings],
    }
    if waits is not None:
        record["waits_for"] = waits
    del record["schedule"]
    emit_record(record, output)


def list_import_errors(output: str) -> None:
    """List the DAG files that cannot be imported."""
    with open_database() as db, db.read() as tx:
        found = dags.list_import_errors(tx)
    rows = [
        {
            "filepath": row.path,
            "line": row.line,
            "error": row.error,
            "traceback": row.traceback,
            "parsed_at": row.parsed_at,
        }
        for row in found
    ]
    columns = ("filepath", "line", "error") if output in ("table", "plain") else tuple(rows[0] if rows else ())
    emit(rows, columns, output, empty="All DAG files could be imported.")
    if found:
        raise click.exceptions.Exit(1)


def pause(dag_id: str, treat_dag_id_as_regex: bool, yes: bool, output: str) -> None:
    """Pause DAGs: no new scheduled runs."""
    with open_database() as db:
        wanted = _wanted(db, dag_id, treat_dag_id_as_regex, "paused")
        if treat_dag_id_as_regex and wanted:
            confirm(f"{counted(len(wanted), 'DAG')} will be paused: {', '.join(wanted)}. Go on?", yes)
        rows = []
        for one in wanted:
            with db.write() as tx:
                now = db.now()
                if dags.set_paused(tx, one, True, now):
                    audit.note(tx, now, actor=user_name(), via="cli", action="dag.pause", dag_id=one)
                    talk(f"DAG {one} is paused.")
                else:
                    talk(f"DAG {one} was paused already.")
            rows.append({"dag_id": one, "is_paused": True})
    if rows or output in ("json", "yaml"):
        emit(rows, ("dag_id", "is_paused"), output)


def unpause(dag_id: str, treat_dag_id_as_regex: bool, skip_missed: bool, dry_run: bool, yes: bool, output: str) -> None:
    """Resume paused DAGs."""
    with open_database() as db:
        wanted = _wanted(db, dag_id, treat_dag_id_as_regex, "unpaused")
        found = []
        for one in wanted:
            with db.write() as tx:
                found.append(unpausing.foresee(tx, one, db.now()))
        if dry_run:
            _tell_missed(found, skip_missed, output)
            return
        count = 0 if skip_missed else sum(missed.count for missed in found)
        is_much = count > MANY_RUNS and sys.stdin.isatty()
        if (treat_dag_id_as_regex and wanted) or is_much:
            told = "" if not count else f" {counted(count, 'run')} will be created at once."
            confirm(f"{counted(len(wanted), 'DAG')} will be unpaused: {', '.join(wanted)}.{told} Go on?", yes)
        rows = []
        for one in wanted:
            with db.write() as tx:
                now = db.now()
                done = unpausing.unpause(tx, one, now, skip_missed=skip_missed)
                if done.has_changed:
                    detail = {"skipped_runs" if skip_missed else "missed_runs": done.missed.count}
                    actor = user_name()
                    audit.note(tx, now, actor=actor, via="cli", action="dag.unpause", dag_id=one, detail=detail)
                    talk(f"DAG {one} is unpaused: {_what_comes(done.missed, skip_missed)}.")
                else:
                    talk(f"DAG {one} was unpaused already.")
            made = 0 if skip_missed else done.missed.count
            rows.append({"dag_id": one, "is_paused": False, "runs_to_create": made})
    if rows or output in ("json", "yaml"):
        emit(rows, ("dag_id", "is_paused", "runs_to_create"), output)


def _tell_missed(found: list[unpausing.Missed], skip_missed: bool, output: str) -> None:
    columns = ("dag_id", "runs_to_create", "first", "last", "next_run_after")
    rows = [
        {
            "dag_id": missed.dag_id,
            "runs_to_create": 0 if skip_missed else missed.count,
            "first": None if skip_missed else missed.first,
            "last": None if skip_missed else missed.last,
            "next_run_after": missed.following,
        }
        for missed in found
    ]
    for missed in found:
        talk(f"DAG {missed.dag_id}: {_what_comes(missed, skip_missed)}.")
    talk("Dry run: nothing was changed.")
    emit(rows, columns, output)


def _what_comes(missed: unpausing.Missed, skip_missed: bool) -> str:
    if not skip_missed or not missed.count:
        return str(missed)
    due = f"; the next is due at {missed.following.isoformat()}" if missed.following else ""
    return (
        f"{counted(missed.count, 'run')} that would be created now {'is' if missed.count == 1 else 'are'} skipped{due}"
    )


def _wanted(db: Database, dag_id: str, is_regex: bool, word: str) -> list[str]:
    found = _matching(db, dag_id, word == "unpaused") if is_regex else [dag_id]
    if not found:
        talk(f"No DAG that is not {word} matches {dag_id!r}.")
    return found


def _matching(db: Database, pattern: str, paused: bool) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{pattern!r} is not a regular expression: {error}.") from error
    return [row.dag_id for row in _all(db) if row.is_paused == paused and compiled.search(row.dag_id)]


def delete(dag_id: str, yes: bool) -> None:
    """Delete a DAG with its runs and history."""
    with open_database() as db:
        with db.read() as tx:
            row = dags.get_dag(tx, dag_id)
        confirm(f"This deletes DAG {dag_id} with all its runs and their history. Go on?", yes)
        with db.write() as tx:
            runs = dags.delete_dag(tx, dag_id)
            audit.note(
                tx, db.now(), actor=user_name(), via="cli", action="dag.delete", dag_id=dag_id, detail={"runs": runs}
            )
    talk(f"DAG {dag_id} deleted, with {counted(runs, 'run')}.")
    if row.is_active:
        talk(f"Its file {row.file_path} is still there: remove it too, or the DAG will come back.")


def next_execution(dag_id: str, num_executions: int, field: str | None, table: bool, output: str) -> None:
    """Print when a DAG runs next."""
    with open_database() as db:
        now = db.now()
        with db.read() as tx:
            dag = dags.get_dag(tx, dag_id)
            _, spec = dags.load_newest_spec(tx, dag_id)
            found = dags.preview_runs(tx, spec, _stored(dag), num_executions, now)
    if not found:
        talk(f"DAG {dag_id} has no next run: its schedule is {spec.timetable.summary or 'None'}.")
    elif dag.is_paused or not dag.is_active:
        state = "paused" if dag.is_active else "no longer defined by a file"
        talk(f"DAG {dag_id} is {state}: it will not run until that changes.")
    rows = [_next_row(one) for one in found]
    if table or output != "table":
        emit(rows, (field,) if field else NEXT_FIELDS, output, empty="")
        return
    for row in rows:
        click.echo(row[field or "logical_date"].isoformat())


def _stored(dag: dags.DagRow) -> NextRun | None:
    due, date, start, end = dag.next_run_after, dag.next_logical_date, dag.next_interval_start, dag.next_interval_end
    if due is None or date is None or start is None or end is None:
        return None
    return NextRun(run_after=due, logical_date=date, interval=DataInterval(start, end))


def _next_row(one: NextRun) -> dict[str, datetime]:
    return {
        "logical_date": one.logical_date,
        "data_interval.start": one.interval.start,
        "data_interval.end": one.interval.end,
        "run_after": one.run_after,
    }
