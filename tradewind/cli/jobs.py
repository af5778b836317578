"""What can be asked of ``tradewind jobs``?"""

from __future__ import annotations

from typing import Final

import click

from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import OUTPUT, option

KINDS: Final = {
    "SchedulerJob": "scheduler",
    "TriggererJob": "triggerer",
    "DagProcessorJob": "dag_processor",
    "WorkerJob": "worker",
    "WebServerJob": "webserver",
}
"""Airflow's word, and what comes of it, -> ours."""

JOBS: Final = Group(
    "Look at the processes of this installation.",
    {
        "check": Command(
            "tradewind.console.jobs:check",
            "Check that processes are alive.",
            option(
                "--job-type",
                type=click.Choice([*KINDS, *KINDS.values()], case_sensitive=False),
                metavar="TYPE",
                help=f"Only of this kind: {', '.join(KINDS)}.",
            ),
            option("--hostname", help="Only of this host."),
            option("--local", is_flag=True, help="Only of the host that this runs on."),
            option(
                "--limit",
                type=click.IntRange(0),
                default=1,
                show_default=True,
                help="How many of the newest are looked at. 0: all.",
            ),
            option("--allow-multiple", is_flag=True, help="Take more than one for well, not only exactly one."),
            OUTPUT,
            detail=(
                "Exit code 0 when there is one with a lease that holds, else 1. Alive is who said so within [scheduler]"
                " lease_seconds. For probes of a single process ask its /healthz and /readyz: [health] listen."
            ),
        ),
    },
)
