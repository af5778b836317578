"""A world with a past: runs of real schedulers, whose ends are moved back in time, log and all."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from scheduler.retention.cleaning import Cleaner, Step, Wish
from scheduler.retention.pace import Pace
from scheduler.retention.tables import RUNS
from scheduler.verify import verify
from tests.engine.world import T0, Behaviour, add_run, dag, is_over, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.metadata.models import Base, DagRun, RunEvent
from tradewind.metadata.retention_rest import Scope
from tradewind.model.orders import Outcome

NOW = T0 + timedelta(days=400)
"""The runs of :func:`finished_runs` are due from ``T0 + 1 day`` on, and end on the day they are due."""


def finished_runs(
    db: Database,
    count: int,
    dag_id: str = "etl",
    behave: Behaviour = lambda _order: Outcome.SUCCESS,
    **fields: Any,
) -> list[int]:
    """Run a DAG of two tasks ``count`` times, a day apart; return the keys of the runs, the oldest first."""
    version = store(db, dag(dag_id, task("a"), task("b", "a"), max_active_runs=count))
    pks = [add_run(db, version, dag_id, number, **fields) for number in range(1, count + 1)]
    with running_scheduler(db, behave):
        wait_until(is_over(db, *pks), 60)
    for number, pk in enumerate(pks, 1):
        end_at(db, pk, T0 + timedelta(days=number, hours=1))
    return pks


def end_at(db: Database, pk: int, at: datetime) -> None:
    """Let a run have ended at another time, by its row and by its log."""
    with db.write() as tx:
        tx.execute(update(DagRun).where(DagRun.id == pk).values(ended_at=at))
        last = select(func.max(RunEvent.seq)).where(RunEvent.run_pk == pk).scalar_subquery()
        tx.execute(update(RunEvent).where(RunEvent.run_pk == pk, RunEvent.seq == last).values(at=at))


def runs_left(db: Database) -> list[int]:
    """The keys of all runs that are there, out of sight or not."""
    with db.read() as tx:
        return list(tx.execute(select(DagRun.id).order_by(DagRun.id)).scalars())


def rows(db: Database) -> Counter[str]:
    """How many rows each table has."""
    with db.read() as tx:
        tables = Base.metadata.sorted_tables
        return +Counter({t.name: tx.execute(select(func.count()).select_from(t)).scalar_one() for t in tables})


def wish(tmp_path: Path, days: float, *tables: str, **fields: Any) -> Wish:
    """Remove from ``tables`` (none named: runs) what is older than ``days``."""
    scope = Scope(NOW - timedelta(days=days), fields.pop("dag_ids", None), fields.pop("but", ()))
    return Wish(scopes=dict.fromkeys(tables or (RUNS,), scope), log_folder=tmp_path / "logs", **fields)


def clean(db: Database, what: Wish, max_rows: int = 1000) -> list[Step]:
    """Do it, checking after each step that what is left is sound; return the steps."""
    done = []
    for step in Cleaner(db, what, Pace(max_rows, rests=0), NOW).steps():
        assert verify(db) == []
        done.append(step)
    return done
