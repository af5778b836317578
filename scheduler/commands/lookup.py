"""How do people name a run? By its run id, or by its logical date."""

from __future__ import annotations

import getpass
import os
from typing import Final

from sqlalchemy import Connection

from tradewind.errors import NotFound
from tradewind.metadata.dags import get_dag
from tradewind.metadata.runs import RunRecord, find_run, find_run_at, list_runs
from tradewind.terminal.instants import parse_instant

RECENT: Final = 200


def find_named_run(tx: Connection, dag_id: str, name: str) -> RunRecord:
    """Return the run of a DAG by run id or logical date.

    Raises:
        NotFound: there is no such DAG, or it has no such run; the nearest of its newest runs is offered.
    """
    run = find_run(tx, dag_id, name)
    if run is not None:
        return run
    instant = parse_instant(name)
    run = None if instant is None else find_run_at(tx, dag_id, instant)
    if run is not None:
        return run
    get_dag(tx, dag_id)  # when the DAG itself is unknown, that is what to say
    known = [recent.run_id for recent in list_runs(tx, dag_id=dag_id, limit=RECENT)]
    mend = f"`tradewind dags list-runs {dag_id}` shows its runs." if known else "It has not run yet."
    raise NotFound("Run", name, known, mend, within=f"of DAG {dag_id!r}")


def user_name() -> str:
    """Return who types, for the audit log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return str(os.getuid())
