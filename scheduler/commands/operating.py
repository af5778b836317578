"""``tradewind tasks`` and ``dags`` ``clear``, ``mark``, ``hold``, ``release``, ``cancel``, and ``dags replay``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from scheduler.commands.lookup import find_named_run, user_name
from scheduler.commands.operating_words import Words, show_effects, show_replay
from scheduler.operating import replay as replaying
from scheduler.operating.at_once import fold_or_wait
from scheduler.operating.requests import Cancel, Clear, HoldBack, LetGo, Mark, MarkRuns, Person, Wish, preview, send
from tradewind.config import load_config
from tradewind.errors import UsageError
from tradewind.metadata.dags import load_newest_spec
from tradewind.metadata.database import Database
from tradewind.metadata.opening import open_database
from tradewind.metadata.run_choice import RunChoice, match_dags
from tradewind.model.states import RunState, TaskState
from tradewind.run.task_choice import FAILED, RUNNING, TaskChoice
from tradewind.terminal.options import confirm_affected
from tradewind.terminal.output import progress, talk
from tradewind.timetables import from_spec

_UNFINISHED = (RunState.QUEUED, RunState.RUNNING)


def clear_tasks(
    dag_id: str,
    task_regex: str | None,
    task: tuple[str, ...],
    group: tuple[str, ...],
    map_index: tuple[int, ...],
    upstream: bool,
    downstream: bool,
    only_failed: bool,
    only_running: bool,
    run_id: tuple[str, ...],
    start_date: datetime | None,
    end_date: datetime | None,
    past: bool,
    future: bool,
    dag_regex: bool,
    run_on_latest_version: bool,
    only_new: bool,
    note: str | None,
    yes: bool,
    dry_run: bool,
    limit: int,
    output: str,
) -> None:
    """Do tasks again, in one run or in many."""
    with open_database() as db:
        if dag_regex:
            with db.read() as tx:
                dag_ids = match_dags(tx, dag_id)
            run_ids: Sequence[str] = run_id
        else:
            dag_ids, run_ids = [dag_id], _run_ids(db, dag_id, run_id)
        chosen = RunChoice(
            dag_ids=dag_ids, run_ids=run_ids, past=past, future=future, after=start_date, before=end_date
        )
        tasks = TaskChoice(
            names=task,
            regex=task_regex,
            groups=group,
            map_indexes=map_index,
            upstream=upstream,
            downstream=downstream,
            states=_states(only_failed, only_running),
        )
        if only_new and tasks != TaskChoice():
            raise UsageError("--only-new is about tasks that the runs have not got, so none of theirs can be chosen.")
        wish = Clear(runs=chosen, tasks=tasks, on_latest=run_on_latest_version, only_new=only_new)
        _carry_out(db, wish, note=note, yes=yes, dry_run=dry_run, limit=limit, output=output)


def clear_runs(
    dag_id: str,
    run_id: tuple[str, ...],
    partition_key: str | None,
    partition_date_start: datetime | None,
    partition_date_end: datetime | None,
    start_date: datetime | None,
    end_date: datetime | None,
    past: bool,
    future: bool,
    only_failed: bool,
    only_running: bool,
    run_on_latest_version: bool,
    only_new: bool,
    note: str | None,
    yes: bool,
    dry_run: bool,
    limit: int,
    output: str,
) -> None:
    """Do runs of a DAG again."""
    ways = {
        "--run-id": bool(run_id),
        "--partition-key": partition_key is not None,
        "--partition-date-start / --partition-date-end": bool(partition_date_start or partition_date_end),
        "--start-date / --end-date": bool(start_date or end_date),
    }
    given = [way for way, is_given in ways.items() if is_given]
    if len(given) != 1:
        instead = f"{' and '.join(given)} were given" if given else "none was given"
        raise UsageError(f"Say in one way which runs are meant, by {', '.join(ways)}; {instead}.")
    if only_new and (only_failed or only_running):
        raise UsageError("--only-new is about tasks that the runs have not got, so none of theirs can be chosen.")
    with open_database() as db:
        chosen = RunChoice(
            dag_ids=[dag_id],
            run_ids=_run_ids(db, dag_id, run_id),
            past=past,
            future=future,
            after=start_date,
            before=end_date,
            partition_key=partition_key,
            partition_after=_on_clock(db, dag_id, partition_date_start),
            partition_before=_on_clock(db, dag_id, partition_date_end),
        )
        tasks = TaskChoice(states=_states(only_failed, only_running))
        wish = Clear(runs=chosen, tasks=tasks, on_latest=run_on_latest_version, only_new=only_new)
        _carry_out(db, wish, note=note, yes=yes, dry_run=dry_run, limit=limit, output=output)


def mark_tasks(
    dag_id: str,
    logical_date_or_run_id: str,
    tasks: tuple[str, ...],
    state: str,
    map_index: tuple[int, ...],
    upstream: bool,
    downstream: bool,
    past: bool,
    future: bool,
    note: str | None,
    yes: bool,
    dry_run: bool,
    limit: int,
    output: str,
) -> None:
    """Take tasks as success, failed or skipped."""
    chosen = TaskChoice(names=tasks, map_indexes=map_index, upstream=upstream, downstream=downstream)
    with open_database() as db:
        runs = _runs(db, dag_id, (logical_date_or_run_id,), past=past, future=future)
        wish = Mark(runs=runs, tasks=chosen, state=TaskState(state))
        _carry_out(db, wish, note=note, yes=yes, dry_run=dry_run, limit=limit, output=output)


def hold_tasks(
    dag_id: str,
    logical_date_or_run_id: str,
    tasks: tuple[str, ...],
    why: str,
    map_index: tuple[int, ...],
    downstream: bool,
    dry_run: bool,
    limit: int,
    output: str,
) -> None:
    """Keep tasks of a run from starting."""
    chosen = TaskChoice(names=tasks, map_indexes=map_index, downstream=downstream)
    with open_database() as db:
        wish = HoldBack(runs=_runs(db, dag_id, (logical_date_or_run_id,)), tasks=chosen, why=why)
        _carry_out(db, wish, yes=True, dry_run=dry_run, limit=limit, output=output)


def release_tasks(
    dag_id: str,
    logical_date_or_run_id: str,
    tasks: tuple[str, ...],
    map_index: tuple[int, ...],
    downstream: bool,
    dry_run: bool,
    limit: int,
    output: str,
) -> None:
    """Let tasks start that were held."""
    chosen = TaskChoice(names=tasks, map_indexes=map_index, downstream=downstream)
    with open_database() as db:
        wish = LetGo(runs=_runs(db, dag_id, (logical_date_or_run_id,)), tasks=chosen)
        _carry_out(db, wish, yes=True, dry_run=dry_run, limit=limit, output=output)


def cancel_tasks(
    dag_id: str,
    logical_date_or_run_id: str,
    tasks: tuple[str, ...],
    map_index: tuple[int, ...],
    downstream: bool,
    note: str | None,
    yes: bool,
    dry_run: bool,
    limit: int,
    output: str,
) -> None:
    """Stop tasks of a run: they fail."""
    chosen = TaskChoice(names=tasks, map_indexes=map_index, downstream=downstream)
    with open_database() as db:
        wish = Cancel(runs=_runs(db, dag_id, (logical_date_or_run_id,)), tasks=chosen)
        _carry_out(db, wish, note=note, yes=yes, dry_run=dry_run, limit=limit, output=output)


def mark_runs(
    dag_id: str,
    logical_date_or_run_id: tuple[str, ...],
    state: str,
    past: bool,
    future: bool,
    note: str | None,
    yes: bool,
    dry_run: bool,
    limit: int,
    output: str,
) -> None:
    """Take runs as success or failed."""
    with open_database() as db:
        runs = _runs(db, dag_id, logical_date_or_run_id, past=past, future=future)
        wish = MarkRuns(runs=runs, state=RunState(state))
        _carry_out(db, wish, note=note, yes=yes, dry_run=dry_run, limit=limit, output=output)


def hold_runs(
    dag_id: str,
    logical_date_or_run_id: tuple[str, ...],
    every: bool,
    why: str,
    dry_run: bool,
    limit: int,
    output: str,
) -> None:
    """Keep runs from starting anything."""
    with open_database() as db:
        wish = HoldBack(runs=_named_or_all(db, dag_id, logical_date_or_run_id, every), why=why)
        _carry_out(db, wish, yes=True, dry_run=dry_run, limit=limit, output=output)


def release_runs(
    dag_id: str, logical_date_or_run_id: tuple[str, ...], every: bool, dry_run: bool, limit: int, output: str
) -> None:
    """Let runs go on that were held."""
    with open_database() as db:
        wish = LetGo(runs=_named_or_all(db, dag_id, logical_date_or_run_id, every))
        _carry_out(db, wish, yes=True, dry_run=dry_run, limit=limit, output=output)


def cancel_runs(
    dag_id: str,
    logical_date_or_run_id: tuple[str, ...],
    every: bool,
    note: str | None,
    yes: bool,
    dry_run: bool,
    limit: int,
    output: str,
) -> None:
    """Stop runs: they fail."""
    with open_database() as db:
        wish = Cancel(runs=_named_or_all(db, dag_id, logical_date_or_run_id, every))
        _carry_out(db, wish, note=note, yes=yes, dry_run=dry_run, limit=limit, output=output)


def replay(
    dag_id: str,
    logical_date_or_run_id: str,
    from_tasks: tuple[str, ...],
    run_on_latest_version: bool,
    run_id: str | None,
    note: str | None,
    dry_run: bool,
    output: str,
) -> None:
    """Do a run that has ended once more, as a new run."""
    with open_database() as db:
        (original,) = _run_ids(db, dag_id, (logical_date_or_run_id,))
        wanted = replaying.Replay(
            dag_id=dag_id,
            run_id_of=original,
            from_tasks=from_tasks,
            on_latest=run_on_latest_version,
            run_id=run_id,
            note=note,
        )
        if dry_run:
            plan = replaying.preview_replay(db, wanted)
        else:
            plan = replaying.replay_run(db, wanted, _person()).plan
    show_replay(plan, output, is_done=not dry_run)


def _carry_out(
    db: Database, wish: Wish, *, note: str | None = None, yes: bool, dry_run: bool, limit: int, output: str
) -> None:
    words = Words(wish)
    is_listed = dry_run or not yes
    # For programs every line; for people as many as they asked for, and of each run at least one.
    runs_shown = limit if output == "table" else 1_000_000
    if is_listed:
        found = preview(db, wish, limit=runs_shown)
        if not found.runs:
            talk(words.nothing(found))
            if dry_run and output != "table":
                show_effects(found, output, limit)
            return
        if dry_run or output == "table":
            show_effects(found, output, limit)
        if dry_run:
            talk(words.would(found))
            return
        confirm_affected(words.would(found), words.question)
    sent = send(db, wish, _person(), note=note, limit=runs_shown if output != "table" else 0)
    if not sent.pks:
        talk(words.nothing(sent.preview))
        return
    with progress(words.doing) as tell:
        outcome = fold_or_wait(db, load_config(os.environ), sent.request_id, sent.pks, tell=tell)
    if output != "table":
        show_effects(sent.preview, output, limit)
    for line in words.done(sent.preview, outcome):
        talk(line)


def _person() -> Person:
    return Person(user_name(), "cli")


def _states(only_failed: bool, only_running: bool) -> tuple[TaskState, ...]:
    return (*(FAILED if only_failed else ()), *(RUNNING if only_running else ()))


def _run_ids(db: Database, dag_id: str, names: Sequence[str]) -> list[str]:
    with db.read() as tx:
        return [find_named_run(tx, dag_id, name).run_id for name in names]


def _runs(db: Database, dag_id: str, names: Sequence[str], **fields: Any) -> RunChoice:
    return RunChoice(dag_ids=[dag_id], run_ids=_run_ids(db, dag_id, names), **fields)


def _named_or_all(db: Database, dag_id: str, names: Sequence[str], every: bool) -> RunChoice:
    if bool(names) == every:
        what = "both were given" if every else "neither was given"
        raise UsageError(f"Name runs, or say --all for all that have not ended; {what}.")
    return _runs(db, dag_id, names, states=_UNFINISHED if every else ())


def _on_clock(db: Database, dag_id: str, at: datetime | None) -> datetime | None:
    """Return what was typed as the clock of the DAG's timetable says it, as in Airflow."""
    if at is None:
        return None
    with db.read() as tx:
        _, spec = load_newest_spec(tx, dag_id)
    zone = getattr(from_spec(spec.timetable), "timezone", None)
    return at if zone is None else at.replace(tzinfo=zone)
