"""How much would go? Counted where that is quick; for what hangs on many runs, told from a sample of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scheduler.retention.cleaning import Wish
from scheduler.retention.tables import RUNS, XCOMS
from tradewind.metadata import retention_rest, retention_runs
from tradewind.metadata.database import Database
from tradewind.metadata.retention_rest import KINDS

SAMPLE: Final = 400
"""As many runs are looked at, spread evenly; where there are no more, the numbers are exact."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would go from one table.

    Attributes:
        name: of the table.
        rows: how many.
        is_exact: False: told from a sample of runs.
        before: older than that; None: DAGs say otherwise.
    """

    name: str
    rows: int
    is_exact: bool
    before: datetime | None


def foresee(
    db: Database, wish: Wish, progress: Callable[[int, int], None] = lambda done, of_all: None
) -> list[Foreseen]:
    """Return how many rows would go, in the order of the clean-up. Reads in short transactions, and changes nothing.

    Args:
        progress: called with the number of tables that were counted and the number of all.
    """
    found: list[Foreseen] = []
    for number, name in enumerate(wish.scopes):
        before = wish.scopes[name].before
        if name == XCOMS and RUNS in wish.scopes:
            continue  # they go with their runs
        if name in (RUNS, XCOMS):
            pks = _old_runs(db, wish, name)
            if name == RUNS:
                found.append(Foreseen(RUNS, len(pks), True, before))
            for table, rows in _hanging(db, pks).items():
                if (name == RUNS) or table == XCOMS:
                    found.append(Foreseen(table, rows, len(pks) <= SAMPLE, before))
        elif name in KINDS:
            with db.read() as tx:
                found.append(Foreseen(name, retention_rest.count(tx, name, wish.scopes[name]), True, before))
        progress(number + 1, len(wish.scopes))
    return found


def _old_runs(db: Database, wish: Wish, table: str) -> list[int]:
    pks: list[int] = []
    last = ""
    while True:
        with db.read() as tx:
            dag_id = retention_runs.next_dag(tx, last)
            if dag_id is None:
                return pks
            cutoff = wish.cutoff(table, dag_id)
            if cutoff is not None and retention_runs.has_old_runs(tx, dag_id, cutoff):
                needed = retention_runs.needed_runs(tx, dag_id, wish.min_runs)
                needed += retention_runs.followed_runs(tx, dag_id)
                pks.extend(retention_runs.old_runs(tx, dag_id, cutoff, needed))
        last = dag_id


def _hanging(db: Database, pks: list[int]) -> Counter[str]:
    """Return how many rows of which table hang on these runs."""
    if not pks:
        return Counter()
    step = max(1, -(-len(pks) // SAMPLE))
    sample = pks[::step]
    counted: Counter[str] = Counter()
    for start in range(0, len(sample), 50):
        with db.read() as tx:
            counted += retention_runs.count_rows(tx, sample[start : start + 50])
    return Counter({name: round(rows * len(pks) / len(sample)) for name, rows in counted.items()})
