"""How does somebody watch a backfill? A progress bar with rate and estimate on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from typing import Final

import click

from tradewind.metadata import backfills
from tradewind.metadata.backfills import BackfillCounts, BackfillRecord
from tradewind.metadata.database import Database
from tradewind.model.backfills import BackfillOutcome
from tradewind.terminal.output import show_duration, talk

EXIT_CODES: Final = {BackfillOutcome.SUCCESS: 0, BackfillOutcome.FAILED: 1, BackfillOutcome.CANCELLED: 3}
INTERRUPTED: Final = 130
LOOK_EVERY_SECONDS: Final = 0.5
_SAY_EVERY: Final = 10
"""Percent between two lines, where nobody looks at a bar."""


def follow(db: Database, backfill_id: int) -> None:
    """Watch a backfill until it is over, and exit by how it ended.

    Raises:
        click.exceptions.Exit: always, but for success.
    """
    try:
        record, counts = _watch_bar(db, backfill_id) if sys.stderr.isatty() else _watch_lines(db, backfill_id)
    except KeyboardInterrupt:
        talk(
            f"The backfill goes on without you: `tradewind backfill wait {backfill_id}` watches again, "
            f"`tradewind backfill cancel {backfill_id}` ends it."
        )
        raise click.exceptions.Exit(INTERRUPTED) from None
    assert record.outcome is not None
    talk(_verdict(record, counts))
    code = EXIT_CODES[record.outcome]
    if code:
        raise click.exceptions.Exit(code)


def _look(db: Database, backfill_id: int) -> tuple[BackfillRecord, BackfillCounts]:
    with db.read() as tx:
        return backfills.get_backfill(tx, backfill_id), backfills.count_slots(tx, backfill_id)


def _watch_bar(db: Database, backfill_id: int) -> tuple[BackfillRecord, BackfillCounts]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TextColumn("{task.fields[said]}"),
    )
    pace = Pace()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(f"backfill {backfill_id}", total=None, pace="", said="")
        while True:
            record, counts = _look(db, backfill_id)
            progress.update(
                bar,
                total=counts.total,
                completed=counts.total - counts.open,
                pace=pace.say(counts, db.now()),
                said=_said(record, counts),
            )
            if record.completed_at is not None:
                return record, counts
            time.sleep(LOOK_EVERY_SECONDS)


def _watch_lines(db: Database, backfill_id: int) -> tuple[BackfillRecord, BackfillCounts]:
    pace = Pace()
    said = -1
    while True:
        record, counts = _look(db, backfill_id)
        over = counts.total - counts.open
        tenth = 100 * over // max(counts.total, 1) // _SAY_EVERY
        text = pace.say(counts, db.now())
        if tenth > said:
            talk(f"backfill {backfill_id}: {over:,} of {counts.total:,}  {text}  {_said(record, counts)}".rstrip())
            said = tenth
        if record.completed_at is not None:
            return record, counts
        time.sleep(LOOK_EVERY_SECONDS)


def _said(record: BackfillRecord, counts: BackfillCounts) -> str:
    parts = [f"{counts.running} running" if counts.running else "", f"{counts.failed} failed" if counts.failed else ""]
    if record.completed_at is None and record.state != "running":
        parts.append(record.state)
    return ", ".join(part for part in parts if part)


class Pace:
    """How fast runs end, since the first look, and how long the rest will take at that."""

    def __init__(self) -> None:
        self._first: tuple[int, datetime] | None = None

    def say(self, counts: BackfillCounts, now: datetime) -> str:
        """Return the rate and the estimate; nothing before a run has ended."""
        if self._first is None:
            self._first = counts.done, now
        ended, elapsed = counts.done - self._first[0], (now - self._first[1]).total_seconds()
        if ended <= 0 or elapsed <= 0:
            return ""
        per_second = ended / elapsed
        rate = f"{per_second:.1f} runs/s" if per_second >= 1 else f"{per_second * 60:.1f} runs/min"
        if not counts.open:
            return rate
        left = round(counts.open / per_second)
        return f"{rate}, {f'{left}s' if left < 60 else show_duration(timedelta(seconds=left))} left"


def _verdict(record: BackfillRecord, counts: BackfillCounts) -> str:
    assert record.completed_at is not None
    took = show_duration(record.completed_at - record.created_at)
    what = f"Backfill {record.id}: {record.state} after {took}; {counts.success:,} of {counts.total:,} went well"
    rest = [
        (counts.failed, "failed"), (counts.skipped, "skipped"), (counts.upstream_failed, "given up, since a DAG that "
         "they wait for failed"), (counts.cancelled, "cancelled"),
    ]  # fmt: skip
    said = "".join(f", {number:,} {name}" for number, name in rest if number)
    mend = f" `tradewind backfill show {record.id}` tells which." if counts.failed or counts.upstream_failed else ""
    return f"{what}{said}.{mend}"
