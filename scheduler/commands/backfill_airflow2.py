"""``tradewind dags backfill``: a backfill asked for in the words of Airflow 2, translated into today's."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from scheduler.commands.backfill import make
from tradewind.errors import NotFound, UsageError
from tradewind.metadata import dags
from tradewind.metadata.opening import open_database
from tradewind.model.backfills import Reprocess, WantedBackfill
from tradewind.terminal.output import talk

_PAGE = 10_000


def backfill(
    dag_id: str,
    start_date: datetime | None,
    end_date: datetime | None,
    dry_run: bool,
    task_regex: str | None,
    ignore_dependencies: bool,
    conf: dict[str, Any] | None,
    run_backwards: bool,
    rerun_failed_tasks: bool,
    reset_dagruns: bool,
    treat_dag_id_as_regex: bool,
    mark_success: bool,
    pool: str | None,
    disable_retry: bool,
    **without_effect: Any,
) -> None:
    """Make the runs of a span of dates, asked for as in Airflow 2."""
    if mark_success:
        raise UsageError("--mark-success runs nothing. Mark runs with `tradewind dags mark-run`, or let them run.")
    if pool is not None:
        raise UsageError("--pool cannot be chosen for a backfill: its tasks use the pools of the DAG file.")
    if disable_retry:
        raise UsageError("--disable-retry cannot be chosen for a backfill: retries are set in the DAG file.")
    first, last = start_date or end_date, end_date or start_date
    if first is None or last is None:
        raise UsageError("Give --start-date, --end-date, or both.")
    dag_ids = _matching(dag_id) if treat_dag_id_as_regex else [dag_id]
    tasks = [] if task_regex is None else _tasks(dag_ids, task_regex)
    reprocess = Reprocess.COMPLETED if reset_dagruns else Reprocess.FAILED if rerun_failed_tasks else None
    wanted = WantedBackfill(
        dag_ids=dag_ids,
        from_date=first,
        to_date=last,
        conf=conf,
        reprocess=reprocess,
        run_backwards=run_backwards,
        tasks=tasks,
        with_upstream=bool(tasks) and not ignore_dependencies,
    )
    ignored = [name for name, value in without_effect.items() if value]
    if ignored:
        talk(f"Without effect here: {', '.join('--' + name.replace('_', '-') for name in ignored)}.")
    talk(f"In today's words: {in_words(wanted, dry_run=dry_run)}")
    make(wanted, dry_run=dry_run, must_wait=not dry_run, output="table")


def in_words(wanted: WantedBackfill, *, dry_run: bool) -> str:
    """Return the command line of today that means the same."""
    words = ["tradewind", "backfill", "create"]
    for dag_id in wanted.dag_ids:
        words += ["--dag-id", dag_id]
    words += ["--from-date", wanted.from_date.isoformat(), "--to-date", wanted.to_date.isoformat()]
    if wanted.conf is not None:
        words += ["--dag-run-conf", json.dumps(dict(wanted.conf))]
    if wanted.reprocess is not None:
        words += ["--reprocess-behavior", wanted.reprocess.value]
    for task_id in wanted.tasks:
        words += ["--tasks", task_id]
    flags = {"--with-upstream": wanted.with_upstream, "--run-backwards": wanted.run_backwards}
    words += [flag for flag, is_set in flags.items() if is_set]
    words.append("--dry-run" if dry_run else "--wait")
    return shlex.join(words)


def _pattern(regex: str, what: str) -> re.Pattern[str]:
    try:
        return re.compile(regex)
    except re.error as error:
        raise UsageError(f"{what} {regex!r} is not a regular expression: {error}.") from None


def _matching(regex: str) -> list[str]:
    pattern = _pattern(regex, "The DAG id")
    with open_database() as db, db.read() as tx:
        known = [row.dag_id for row in dags.list_dags(tx, limit=_PAGE)]
    found = [dag_id for dag_id in known if pattern.search(dag_id)]
    if not found:
        raise NotFound("DAG", regex, known, "It is a regular expression, and matches none.")
    return found


def _tasks(dag_ids: Sequence[str], regex: str) -> list[str]:
    pattern = _pattern(regex, "--task-regex")
    found: dict[str, None] = {}
    with open_database() as db, db.read() as tx:
        for dag_id in dag_ids:
            _, spec = dags.load_newest_spec(tx, dag_id)
            found |= dict.fromkeys(task.task_id for task in spec.tasks if pattern.search(task.task_id))
    if not found:
        raise UsageError(f"--task-regex {regex!r} matches no task of {', '.join(dag_ids)}.")
    return list(found)
