"""``tradewind db verify``: is what is stored what the event log says?"""

from __future__ import annotations

from typing import Final

import click

from scheduler.verify import verify as verify_log
from tradewind.metadata.opening import open_database
from tradewind.terminal.output import counted, emit, progress, talk

COLUMNS: Final = ("dag_id", "run_id", "problem")


def verify(output: str) -> None:
    """Fold the event log of every run and compare it with what is stored."""
    with open_database() as db, progress("Folding") as show:
        problems = verify_log(db, progress=show)
    rows = [{"dag_id": one.dag_id, "run_id": one.run_id, "problem": one.text} for one in problems]
    emit(rows, COLUMNS, output, empty="Everything that is stored is what the event log says.")
    if problems:
        differences = counted(len(problems), "difference")
        talk(f"{differences} between the event log and what is stored. Please report this: it is a defect.")
        raise click.exceptions.Exit(1)
