"""What may a trial read? What is stored, when there is a metadata DB to be asked. What it writes it keeps to itself.

``dag.test()``, ``tradewind dags test`` and ``tasks test`` are trials. Nothing is opened before something is asked for,
so that a trial that needs nothing pays nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from tradewind.errors import TradewindError
from tradewind.model.asset_talk import AssetAnswer, AssetQuestion, WriteState
from tradewind.model.orders import AttemptOrder
from tradewind.sdk.channel import ConnectionData, FoundXCom, PreviousRun
from tradewind.sdk.memory_channel import MemoryChannel, RunMemory
from tradewind.sdk.run_questions import RunAnswer, RunQuestion, TriggerRun
from tradewind.xcom.policy import XComPolicy

if TYPE_CHECKING:
    from executors.control_plane import SqlControlPlane
    from tradewind.config import Config
    from tradewind.metadata.database import Database
    from tradewind.metadata.runs import RunRecord

log = logging.getLogger(__name__)


class Stored:
    """The metadata DB as a trial sees it. Without one that can be used nothing is found, which is said once.

    Leaving the ``with`` block closes what was opened.
    """

    def __init__(self, config: Config | None = None, say: Callable[[str], None] = log.warning) -> None:
        """
        Args:
            config: None reads it from the environment, when something is asked for.
        """
        self._config, self._say = config, say
        self._open: Final = ExitStack()
        self._found: tuple[Database, SqlControlPlane] | None = None
        self._has_looked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def plane(self) -> SqlControlPlane | None:
        """The door to what tasks may read; None: there is nothing behind it."""
        found = self._look()
        return None if found is None else found[1]

    def find_run(self, dag_id: str, name: str, date: datetime | None) -> RunRecord | None:
        """Return the stored run that has this id, else this logical date, or None."""
        found = self._look()
        if found is None:
            return None
        from tradewind.metadata.runs import find_run, find_run_at  # as in _connect

        with found[0].read() as tx:
            run = find_run(tx, dag_id, name)
            return find_run_at(tx, dag_id, date) if run is None and date is not None else run

    def _look(self) -> tuple[Database, SqlControlPlane] | None:
        if not self._has_looked:
            self._has_looked = True
            try:
                self._found = self._connect()
            except TradewindError as error:
                self._say(f"Going on without a metadata DB: {error}")
        return self._found

    def _connect(self) -> tuple[Database, SqlControlPlane]:
        # Importing SQLAlchemy takes longer than most trials, and most ask for nothing.
        from executors.control_plane import SqlControlPlane
        from tradewind.config import load_config, with_secrets
        from tradewind.metadata.opening import open_database

        config = self._config or load_config(os.environ)
        database = self._open.enter_context(open_database(config))
        return database, SqlControlPlane(database, with_secrets(config))


class StoredSource:
    """A :class:`tradewind.sdk.reach.Source` on what is stored, for a DAG file that asks while it is imported."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    def get_variable(self, key: str) -> str | None:
        """Return a variable's text, or None."""
        plane = self._stored.plane
        return None if plane is None else plane.values.get_variable(key)

    def get_connection(self, conn_id: str) -> ConnectionData | None:
        """Return a connection, or None."""
        plane = self._stored.plane
        return None if plane is None else plane.values.get_connection(conn_id)

    def mask_secret(self, value: str) -> None:
        """Nothing: who tries a DAG out in a terminal may read the secret as well."""


class TrialChannel(MemoryChannel):
    """Looks in the run's memory first, then at what is stored; writes to memory alone."""

    def __init__(
        self, order: AttemptOrder, memory: RunMemory, stored: Stored, xcom_policy: XComPolicy | None = None
    ) -> None:
        super().__init__(order, memory, xcom_policy)
        self._trial_order, self._stored = order, stored

    def get_xcom(
        self,
        *,
        dag_id: str | None,
        run_id: str | None,
        task_ids: Sequence[str],
        key: str,
        map_index: int | None,
        include_prior_dates: bool,
    ) -> Sequence[FoundXCom]:
        """Return what this trial pushed, else what is stored."""
        asked: Mapping[str, Any] = {
            "dag_id": dag_id,
            "run_id": run_id,
            "task_ids": task_ids,
            "key": key,
            "map_index": map_index,
            "include_prior_dates": include_prior_dates,
        }
        own = super().get_xcom(**asked)
        if own or self._stored.plane is None:
            return own
        return self._stored.plane.get_xcom(self._trial_order, **asked)

    def count_xcoms(self, task_id: str, key: str) -> int:
        """Return how many indexes of a task have left an XCom in this trial, else in the stored run."""
        own = super().count_xcoms(task_id, key)
        return (
            own
            if own or self._stored.plane is None
            else self._stored.plane.count_xcoms(self._trial_order, task_id, key)
        )

    def get_xcom_range(self, task_id: str, key: str, start: int, stop: int) -> Sequence[FoundXCom]:
        """Return a part of those XComs, by map index."""
        if super().count_xcoms(task_id, key) or self._stored.plane is None:
            return super().get_xcom_range(task_id, key, start, stop)
        return self._stored.plane.get_xcom_range(self._trial_order, task_id, key, start, stop)

    def get_variable(self, key: str) -> str | None:
        """Return a variable's text, or None."""
        own = super().get_variable(key)
        if own is not None or key in self._memory.deleted_variables or self._stored.plane is None:
            return own
        return self._stored.plane.get_variable(self._trial_order, key)

    def delete_variable(self, key: str) -> bool:
        """Hide a variable, for this run."""
        was_there = self.get_variable(key) is not None
        super().delete_variable(key)
        return was_there

    def get_connection(self, conn_id: str) -> ConnectionData | None:
        """Return a connection, or None."""
        own = super().get_connection(conn_id)
        if own is not None or self._stored.plane is None:
            return own
        return self._stored.plane.get_connection(self._trial_order, conn_id)

    def ask_about_runs(self, question: RunQuestion) -> RunAnswer:
        """Answer from what is stored. A run is triggered in memory only."""
        own = super().ask_about_runs(question)
        if isinstance(question, TriggerRun) or own.run is not None or self._stored.plane is None:
            return own
        return self._stored.plane.ask_about_runs(self._trial_order, question)

    def get_previous_success(self) -> PreviousRun | None:
        """Return the latest successful run before this one, or None."""
        plane = self._stored.plane
        return super().get_previous_success() if plane is None else plane.get_previous_success(self._trial_order)

    def ask_assets(self, question: AssetQuestion) -> AssetAnswer:
        """Answer from what is stored, when there is any; what is written stays in memory, and is found first."""
        own = super().ask_assets(question)
        plane = None if isinstance(question, WriteState) or own.value is not None else self._stored.plane
        if plane is None:
            return own
        found = plane.ask_assets(self._trial_order, question)
        # A file that is tried out need not be stored: what is not known of its assets holds nothing up.
        return own if found == AssetAnswer() or found.inactive else found
