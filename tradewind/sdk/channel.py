"""What may a running task ask for? ``TaskChannel``: the only way out of a task process.

The runner implements it over a socket to its supervisor; ``dag.test`` and ``tasks test`` in memory. Each answer is
scoped to the attempt that asks: the other side knows which one it is. Calls block until the answer is there. Whoever
implements it raises :class:`ChannelClosed` when the other side is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tradewind.model.asset_talk import AssetAnswer, AssetQuestion
from tradewind.model.orders import XComValue
from tradewind.sdk.run_questions import RunAnswer, RunQuestion
from tradewind.xcom.policy import XComPolicy


class ChannelClosed(Exception):
    """The supervisor that a task talks to is gone."""


@dataclass(frozen=True, slots=True)
class FoundXCom:
    """One XCom that a pull found. Exactly one of ``value`` (JSON text) and ``location`` (URL) is set."""

    task_id: str
    map_index: int
    run_id: str
    value: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionData:
    """A connection as it is stored, decrypted. ``extra`` is JSON text or None."""

    conn_id: str
    conn_type: str
    description: str | None = None
    host: str | None = None
    schema: str | None = None
    login: str | None = None
    password: str | None = None
    port: int | None = None
    extra: str | None = None


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """The latest successful run of the same DAG with an earlier logical date."""

    run_id: str
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class TaskChannel(Protocol):
    """All that a running task can ask of the world outside.

    Attributes:
        xcom_policy: how large an XCom may be, and where larger ones go.
    """

    xcom_policy: XComPolicy

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
        """Return the XComs under ``key`` of these tasks, in no particular order; empty when there is none.

        ``dag_id`` and ``run_id`` are those of the attempt when None. ``map_index`` None means every index.
        ``include_prior_dates`` looks in this run and in those of earlier logical dates, newest run first.
        """

    def count_xcoms(self, task_id: str, key: str) -> int:
        """Return how many map indexes of a task of this run have left an XCom under ``key``."""

    def get_xcom_range(self, task_id: str, key: str, start: int, stop: int) -> Sequence[FoundXCom]:
        """Return those XComs by map index, from the one at ``start`` to before the one at ``stop``.

        Places count only the indexes that left one. Places beyond the last are left out.
        """

    def push_xcom(self, xcom: XComValue) -> None:
        """Keep an XCom of this attempt at once, replacing one with the same key."""

    def get_variable(self, key: str) -> str | None:
        """Return the text of a variable, or None when there is none."""

    def set_variable(self, key: str, value: str, description: str | None = None) -> None:
        """Create or replace a variable."""

    def delete_variable(self, key: str) -> bool:
        """Remove a variable; returns whether there was one."""

    def get_connection(self, conn_id: str) -> ConnectionData | None:
        """Return a connection, or None when there is none."""

    def get_previous_success(self) -> PreviousRun | None:
        """Return the latest successful run before this one, or None."""

    def ask_about_runs(self, question: RunQuestion) -> RunAnswer:
        """Return what a question about runs, of this DAG or others, is answered with; or trigger a run."""

    def ask_assets(self, question: AssetQuestion) -> AssetAnswer:
        """Return the answer to a question about assets; see ``tradewind.model.asset_talk``."""

    def set_rendered_fields(self, fields: Mapping[str, Any]) -> None:
        """Keep the template fields as this attempt sees them, for the UI. Plain JSON; the keeper masks secrets."""

    def mask_secret(self, value: str) -> None:
        """From now on show ``***`` in place of ``value`` in logs and rendered fields of this attempt."""
