"""``tradewind db clean``, ``export-archived``, ``drop-archived``: remove what is old, and look after its archive."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
from sqlalchemy.exc import DBAPIError

from executors.logs.credentials import configured_store
from executors.logs.store import LogStore
from executors.stored_values import StoredValues
from scheduler.commands.lookup import user_name
from scheduler.retention import archive
from scheduler.retention.archive import ArchivedTable
from scheduler.retention.cleaning import Cleaner, Wish
from scheduler.retention.foreseeing import Foreseen, foresee
from scheduler.retention.pace import MAX_ROWS, pace_for
from scheduler.retention.tables import OF_RUNS, RUNS, SAME, TABLES, chosen_tables
from tradewind.config import Config, load_config
from tradewind.errors import Conflict, NotFound, UsageError, did_you_mean
from tradewind.metadata.database import Database
from tradewind.metadata.opening import open_database
from tradewind.metadata.processes import list_processes
from tradewind.metadata.retention_lock import only_cleaner
from tradewind.metadata.retention_rest import Scope, file_size, known_dags
from tradewind.terminal.options import confirm
from tradewind.terminal.output import counted, emit, progress, show_duration, talk

PLAN: Final = ("table", "rows", "is_exact")
PLAN_TABLE: Final = ("table", "rows")
ARCHIVED: Final = ("table", "cleaned_at", "rows", "file")


def clean(
    clean_before_timestamp: datetime,
    tables: str | None,
    dag_ids: str | None,
    exclude_dag_ids: str | None,
    batch_size: int | None,
    dry_run: bool,
    skip_archive: bool,
    error_on_cleanup_failure: bool,
    yes: bool,
    output: str,
) -> None:
    """Remove what is older than an instant."""
    config = load_config(os.environ)
    chosen, remarks = chosen_tables(_listed(tables))
    if clean_before_timestamp > datetime.now(UTC):
        raise UsageError(
            f"--clean-before-timestamp {clean_before_timestamp.isoformat()} lies in the future. Give the instant "
            "before which things are old, such as 2026-01-31."
        )
    with open_database(config) as db:
        scope = _scope(db, clean_before_timestamp, _listed(dag_ids), _listed(exclude_dag_ids))
        no_dag = [name for name in chosen if scope.is_of_dags and name in ("process", "session")]
        if no_dag:
            remarks.append(f"{' and '.join(no_dag)}: they belong to no DAG, and stay where DAGs are named.")
        for remark in remarks:
            talk(remark)
        chosen = tuple(name for name in chosen if name not in no_dag)
        if not chosen:
            talk("There is nothing to clean.")
            return
        store = configured_store(config, StoredValues(db, config).get_connection) if RUNS in chosen else None
        wish = _wish(config, chosen, scope, skip_archive, store)
        with progress("Counting tables") as show:
            coming = foresee(db, wish, show)
        if dry_run:
            emit(
                _plan_rows(coming, output), PLAN_TABLE if output == "table" else PLAN, output, empty="Nothing would go."
            )
            talk(f"A dry run: nothing was changed. {_explain(wish, 'would go')}")
            return
        if not any(one.rows for one in coming):
            talk(f"Nothing in {', '.join(chosen)} is older than {_said(scope.before)} and no longer needed.")
            return
        if not yes:
            talk(_explain(wish, "will go") + "\n")
            for row in _plan_rows(coming, "table"):
                talk(f"  {row['table']:<16}{row['rows']}")
        confirm("This cannot be undone. Go on?", yes)
        failed = _clean(db, wish, coming, batch_size, output)
    if failed and error_on_cleanup_failure:
        raise click.exceptions.Exit(1)


def _listed(names: str | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(name.strip() for name in names.split(",") if name.strip())


def _scope(db: Database, before: datetime, dag_ids: Sequence[str] | None, but: Sequence[str] | None) -> Scope:
    named = {*(dag_ids or ()), *(but or ())}
    if named:
        with db.read() as tx:
            known = known_dags(tx)
        for dag_id in sorted(named - known):
            raise NotFound("DAG", dag_id, known, "`tradewind dags list --all` shows what there is.")
    return Scope(before, None if dag_ids is None else tuple(dag_ids), tuple(but or ()))


def _wish(config: Config, chosen: Sequence[str], scope: Scope, skip_archive: bool, log_store: LogStore | None) -> Wish:
    return Wish(
        scopes=dict.fromkeys(chosen, scope),
        archive=None if skip_archive else archive_folder(config),
        log_folder=config.logging.base_log_folder,
        log_store=log_store,
        object_store=config.core.xcom_object_store or None,
        actor=user_name(),
        via="cli",
        action="db.clean",
    )


def archive_folder(config: Config) -> Path:
    """Return where removed rows are kept that somebody wants to keep."""
    return config.retention.archive_folder or config.home / "archive"


def _said(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="seconds")


def _plan_rows(coming: Sequence[Foreseen], output: str) -> list[dict[str, object]]:
    if output == "table":
        shown = [(one.name, _about(one)) for one in coming if one.rows]
        room = max((len(rows) for _, rows in shown), default=0)
        return [{"table": name, "rows": rows.rjust(room)} for name, rows in shown]
    return [{"table": one.name, "rows": one.rows, "is_exact": one.is_exact} for one in coming]


def _explain(wish: Wish, go: str) -> str:
    scope = next(iter(wish.scopes.values()))
    dags = "" if scope.dag_ids is None else f" of {', '.join(scope.dag_ids)}"
    dags += f" but for {', '.join(scope.but)}" if scope.but else ""
    kept = "They are not kept anywhere" if wish.archive is None else f"They are written to {wish.archive} first"
    stays = "What has not ended, is held, or is needed by what comes next, stays."
    return f"So many rows{dags} from before {_said(scope.before)} {go}. {kept}. {stays}"


def _about(one: Foreseen) -> str:
    return f"{one.rows:,}" if one.is_exact else f"about {one.rows:,}"


def _clean(db: Database, wish: Wish, coming: Sequence[Foreseen], batch_size: int | None, output: str) -> list[str]:
    """Remove what is old, table by table; return those that failed."""
    with db.read() as tx:
        is_used = bool(list_processes(tx, kind="scheduler", alive_at=datetime.now(UTC)))
    rests = 1.0 if is_used else 0.0  # beside a scheduler half of the time is its
    pace = pace_for(db.is_sqlite, batch_size or MAX_ROWS, rests=rests)
    gone: Counter[str] = Counter()
    failed: list[str] = []
    started = time.monotonic()
    with only_cleaner(db) as is_ours:
        if not is_ours:
            raise Conflict(
                "Another process is removing what is old just now: a scheduler, or another `tradewind db clean`. Try "
                "again in a while."
            )
        now = db.now()
        folder = None if wish.archive is None else archive.new_folder(wish.archive, now)
        with _bar(sum(one.rows for one in coming)) as advance:
            for name, scope in wish.scopes.items():
                try:
                    for step in Cleaner(db, replace(wish, scopes={name: scope}), pace, now, folder).steps():
                        gone += step.gone
                        advance(step.gone.total())
                        time.sleep(step.rest)
                except DBAPIError as error:
                    said = str(error.orig or error).strip().partition("\n")[0]
                    talk(f"{name} was not cleaned: {said}. What was begun is finished by the next clean-up.")
                    failed.append(name)
    took = show_duration(timedelta(seconds=time.monotonic() - started))
    rows = [{"table": name, "rows": number} for name, number in gone.most_common()]
    emit(rows, ("table", "rows"), output, empty="Nothing went.")
    talk(f"{counted(gone.total(), 'row')} went, in {took}.")
    if folder is not None and folder.is_dir():
        talk(f"They are kept in {folder}: `tradewind db export-archived` makes CSV files of them.")
    if db.is_sqlite and gone:
        talk(_explain_file(db))
    return failed


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that is told of rows that went; on a terminal it shows how far it has come, and how fast."""
    if not sys.stderr.isatty():
        yield lambda rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f} rows/s")

    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), Rate(), TextColumn("left:"), TimeRemainingColumn())
    with Progress(TextColumn("Removing"), *columns, console=Console(stderr=True), transient=True) as bar:
        removing = bar.add_task("", total=total)
        yield lambda rows: bar.advance(removing, rows)


def _explain_file(db: Database) -> str:
    size, free = file_size(db)
    return (
        f"The file of the metadata DB keeps its size, {size / 1e6:,.1f} MB; {free / 1e6:,.1f} MB of it are free, and "
        "used again. To give them back to the disk: stop Tradewind, and run VACUUM in `tradewind db shell`."
    )


def export_archived(export_format: str, output_path: Path, tables: str | None, drop_archives: bool, yes: bool) -> None:
    """Write what clean-ups have kept into files of their own."""
    folder = archive_folder(load_config(os.environ))
    kept = _kept(folder, tables)
    if not output_path.is_dir():
        raise NotFound("folder", str(output_path), mend="Make it first, or name another with --output-path.")
    rows = []
    for one in kept:
        path, number = archive.export(one, output_path, export_format)
        rows.append({"table": one.table, "cleaned_at": one.stamp, "rows": number, "file": str(path)})
    emit(rows, ARCHIVED, "table", empty=f"There is nothing to export in {folder}.")
    if drop_archives and kept:
        _drop(kept, yes)


def drop_archived(tables: str | None, yes: bool) -> None:
    """Delete what clean-ups have kept."""
    folder = archive_folder(load_config(os.environ))
    kept = _kept(folder, tables)
    if not kept:
        talk(f"There is nothing to delete in {folder}.")
        return
    _drop(kept, yes)


def _kept(folder: Path, tables: str | None) -> list[ArchivedTable]:
    names = _listed(tables)
    if names is None:
        return archive.list_archive(folder)
    known = {*TABLES, *OF_RUNS, *SAME}
    for name in names:
        if name not in known:
            raise UsageError(f"Nothing of a table {name!r} is kept.{did_you_mean(name, known)}")
    return archive.list_archive(folder, {SAME.get(name, name) for name in names})


def _drop(kept: Sequence[ArchivedTable], yes: bool) -> None:
    size = sum(one.size_bytes for one in kept)
    names = sorted({one.table for one in kept})
    what = f"{counted(len(kept), 'archived table')} ({', '.join(names)}; {size / 1e6:,.1f} MB)"
    confirm(f"This deletes {what} for good. Go on?", yes)
    for one in kept:
        archive.drop(one)
    talk(f"{what} deleted.")
