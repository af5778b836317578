"""When does a scheduler remove what is old? Once an hour, in a thread of its own, if no other process is at it."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from executors.logs.credentials import configured_store
from executors.logs.store import LogStore
from executors.stored_values import StoredValues
from scheduler.retention.cleaning import Cleaner, Wish
from scheduler.retention.pace import pace_for
from scheduler.retention.tables import RUNS
from tradewind.config import Config
from tradewind.errors import TradewindError
from tradewind.metadata import retention_rest
from tradewind.metadata.database import DATABASE_ERRORS, Database, in_words
from tradewind.metadata.processes import REMEMBERED
from tradewind.metadata.retention_lock import only_cleaner
from tradewind.metadata.retention_rest import Scope

log = logging.getLogger(__name__)

FIRST_SECONDS: Final = 120.0
"""From the start of a scheduler, which has better things to do then, to its first look."""
EVERY_SECONDS: Final = 3600.0
LEFT: Final = timedelta(days=1)
"""For how long a state of the DAG folder is kept that nobody needs: no deploy and no start of a run takes so long."""
RESTS: Final = 3.0
"""Three quarters of the time belong to the normal work."""


def standing_wish(config: Config, own_days: dict[str, float], now: datetime, log_store: LogStore | None = None) -> Wish:
    """Return what the configuration wants removed at ``now``.

    Args:
        own_days: DAGs that say themselves how many days they keep their runs; 0: for ever.
        log_store: where logs are removed from beside this machine.
    """
    options = config.retention
    scopes = {"process": Scope(now - REMEMBERED), "session": Scope(now), "dag_bundle": Scope(now - LEFT)}
    if options.run_days:
        old = Scope(now - timedelta(days=options.run_days))
        scopes |= dict.fromkeys((RUNS, "asset_event", "backfill", "dag_version"), old)
    elif any(own_days.values()):
        # Only the DAGs that say so, then.
        scopes[RUNS] = Scope(now, tuple(sorted(own_days)))
    if options.audit_days:
        scopes["audit"] = Scope(now - timedelta(days=options.audit_days))
    return Wish(
        scopes=scopes,
        own_cutoffs={dag_id: now - timedelta(days=days) if days else None for dag_id, days in own_days.items()},
        min_runs=options.min_runs,
        archive=options.archive_folder,
        log_folder=config.logging.base_log_folder,
        log_store=log_store,
        object_store=config.core.xcom_object_store or None,
    )


class Retention:
    """Cleans up from time to time, beside a scheduler."""

    def __init__(self, config: Config, db: Database, *, first: float = FIRST_SECONDS) -> None:
        self._config, self._db, self._first = config, db, first
        self._stopping: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin. Called once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is under way. Called once."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        wait = self._first
        while not self._stopping.wait(wait):
            wait = EVERY_SECONDS
            try:
                self.clean()
            except (*DATABASE_ERRORS, OSError, TradewindError) as error:
                # What was begun is finished by the next one.
                log.warning("what is old was not removed: %s; trying again in an hour", in_words(error))

    def clean(self) -> Counter[str]:
        """Remove what is old, unless another process is at it; return how many rows of which table went."""
        gone: Counter[str] = Counter()
        with only_cleaner(self._db) as is_ours:
            if not is_ours:
                return gone
            now, started = self._db.now(), time.monotonic()
            with self._db.read() as tx:
                own_days = retention_rest.days_kept(tx)
            store = configured_store(self._config, StoredValues(self._db, self._config).get_connection)
            wish = standing_wish(self._config, own_days, now, store)
            for step in Cleaner(self._db, wish, pace_for(self._db.is_sqlite, rests=RESTS), now).steps():
                gone += step.gone
                if self._stopping.wait(step.rest):
                    break
        if gone:
            told = ", ".join(f"{number:,} {name}" for name, number in sorted(gone.items()))
            log.info("removed what is old, in %.1f s: %s", time.monotonic() - started, told)
        return gone
