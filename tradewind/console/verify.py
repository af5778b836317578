"""``tradewind db verify``: is what is stored what the event log says?"""

from __future__ import annotations

import click
from scheduler.verify import verify as verify_log

from tradewind.errors import MetadataError
from tradewind.metadata.opening import open_database
from tradewind.terminal.options import command
from tradewind.terminal.output import talk


@command("verify")
def verify() -> None:
    """Fold the event log of every run and compare it with what is stored.

    The log is the truth; runs, task instances and attempts are made from it. Exit code 1 when anything differs.
    """
    with open_database() as db:
        report = verify_log(db)
        for problem in report.problems:
            click.echo(problem)
        talk(f"{report.runs} runs and {report.events} events looked at.")
        if report.problems:
            raise MetadataError(f"{len(report.problems)} differences between the event log and what is stored.")
