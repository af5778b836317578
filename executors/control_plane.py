"""What may a running attempt see and change? ``ControlPlane``: the one door from task processes to the metadata DB.

It is called in the host process, from several threads, on behalf of one attempt at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from executors.run_answers import answer
from executors.stored_values import StoredValues
from tradewind.config import Config
from tradewind.errors import Conflict
from tradewind.metadata import asset_answers, bundles, dags, variables, xcoms
from tradewind.metadata.crypto import encrypt
from tradewind.metadata.database import Database
from tradewind.model.asset_talk import AssetAnswer, AssetQuestion, WriteState
from tradewind.model.bundles import Manifest
from tradewind.model.orders import AttemptOrder, XComValue
from tradewind.sdk.channel import ConnectionData, FoundXCom, PreviousRun
from tradewind.sdk.run_questions import RunAnswer, RunQuestion


class ControlPlane(Protocol):
    """All that a supervisor asks on behalf of an attempt. Calls may block; errors are told to the task that asked."""

    def get_xcom(
        self,
        order: AttemptOrder,
        *,
        dag_id: str | None,
        run_id: str | None,
        task_ids: Sequence[str],
        key: str,
        map_index: int | None,
        include_prior_dates: bool,
    ) -> Sequence[FoundXCom]:
        """See :meth:`tradewind.sdk.channel.TaskChannel.get_xcom`."""

    def count_xcoms(self, order: AttemptOrder, task_id: str, key: str) -> int:
        """See :meth:`tradewind.sdk.channel.TaskChannel.count_xcoms`."""

    def get_xcom_range(self, order: AttemptOrder, task_id: str, key: str, start: int, stop: int) -> Sequence[FoundXCom]:
        """See :meth:`tradewind.sdk.channel.TaskChannel.get_xcom_range`."""

    def push_xcom(self, order: AttemptOrder, xcom: XComValue) -> None:
        """Keep an XCom now. Raises :class:`Conflict` when the attempt is no longer the one that counts."""

    def get_variable(self, order: AttemptOrder, key: str) -> str | None:
        """Return the open text of a variable, or None."""

    def set_variable(self, order: AttemptOrder, key: str, value: str, description: str | None) -> None:
        """Create or replace a variable."""

    def delete_variable(self, order: AttemptOrder, key: str) -> bool:
        """Remove a variable; False when there was none."""

    def get_connection(self, order: AttemptOrder, conn_id: str) -> ConnectionData | None:
        """Return an open connection, or None."""

    def get_previous_success(self, order: AttemptOrder) -> PreviousRun | None:
        """Return the latest successful run of the same DAG with an earlier logical date, or None."""

    def ask_about_runs(self, order: AttemptOrder, question: RunQuestion) -> RunAnswer:
        """See :meth:`tradewind.sdk.channel.TaskChannel.ask_about_runs`."""

    def ask_assets(self, order: AttemptOrder, question: AssetQuestion) -> AssetAnswer:
        """Answer a question about assets; see ``tradewind.model.asset_talk``."""

    def load_source(self, version_id: int) -> bytes:
        """Return the DAG file of a version, byte for byte."""

    def load_manifest(self, bundle: str) -> Manifest:
        """Return which files a bundle holds. Raises :class:`tradewind.errors.DagError` when it is not stored."""

    def load_contents(self, bundle: str, digests: Sequence[str]) -> Mapping[str, bytes]:
        """Return files of a bundle by their digests; those that are not stored are left out."""


class SqlControlPlane:
    """A :class:`ControlPlane` on the metadata DB.

    A variable or connection that the environment of the host process gives (``TRADEWIND_VAR_X``, ``AIRFLOW_CONN_X``)
    goes before the one in the database, as in Airflow. Task processes do not have that environment.
    """

    def __init__(self, database: Database, config: Config, environ: Mapping[str, str] | None = None) -> None:
        """
        Args:
            environ: where variables and connections are looked up first; None: that of this process.
        """
        self._database = database
        self.values: Final = StoredValues(database, config, environ)

    def get_xcom(
        self,
        order: AttemptOrder,
        *,
        dag_id: str | None,
        run_id: str | None,
        task_ids: Sequence[str],
        key: str,
        map_index: int | None,
        include_prior_dates: bool,
    ) -> Sequence[FoundXCom]:
        find = xcoms.find_xcoms_back if include_prior_dates else xcoms.find_xcoms
        with self._database.read() as tx:
            rows = find(tx, dag_id or order.dag_id, run_id or order.run_id, task_ids, key, map_index)
        return [FoundXCom(row.task_id, row.map_index, row.run_id, row.value, row.location) for row in rows]

    def count_xcoms(self, order: AttemptOrder, task_id: str, key: str) -> int:
        with self._database.read() as tx:
            return xcoms.count_xcoms(tx, order.dag_id, order.run_id, task_id, key)

    def get_xcom_range(self, order: AttemptOrder, task_id: str, key: str, start: int, stop: int) -> Sequence[FoundXCom]:
        with self._database.read() as tx:
            rows = xcoms.find_xcom_range(tx, order.dag_id, order.run_id, task_id, key, start, stop)
        return [FoundXCom(row.task_id, row.map_index, row.run_id, row.value, row.location) for row in rows]

    def push_xcom(self, order: AttemptOrder, xcom: XComValue) -> None:
        if order.callback is not None:
            raise Conflict(f"XCom {xcom.key!r} was not kept: a callback is no task, so nobody could read it.")
        with self._database.write() as tx:
            is_kept = xcoms.push_xcom(tx, order.attempt_id, order.fence, xcom, self._database.now())
        if not is_kept:
            raise Conflict(
                f"XCom {xcom.key!r} of task {order.task_id!r} was not kept: this attempt of it is over, since it was "
                "cleared, cancelled or taken for lost. What it does now counts no more."
            )

    def get_variable(self, order: AttemptOrder, key: str) -> str | None:
        return self.values.get_variable(key)

    def set_variable(self, order: AttemptOrder, key: str, value: str, description: str | None) -> None:
        token = encrypt(self.values.key, value)
        with self._database.write() as tx:
            variables.set_variable(tx, key, token, description)

    def delete_variable(self, order: AttemptOrder, key: str) -> bool:
        with self._database.write() as tx:
            return variables.delete_variable(tx, key)

    def get_connection(self, order: AttemptOrder, conn_id: str) -> ConnectionData | None:
        return self.values.get_connection(conn_id)

    def get_previous_success(self, order: AttemptOrder) -> PreviousRun | None:
        if order.logical_date is None:
            return None
        with self._database.read() as tx:
            row = xcoms.previous_success(tx, order.dag_id, order.logical_date)
        if row is None:
            return None
        return PreviousRun(row.run_id, row.data_interval_start, row.data_interval_end, row.started_at, row.ended_at)

    def ask_about_runs(self, order: AttemptOrder, question: RunQuestion) -> RunAnswer:
        return answer(self._database, order, question)

    def ask_assets(self, order: AttemptOrder, question: AssetQuestion) -> AssetAnswer:
        if isinstance(question, WriteState):
            with self._database.write() as tx:
                asset_answers.write_state(tx, question, self._database.now())
            return AssetAnswer()
        with self._database.read() as tx:
            return asset_answers.answer(tx, order.run_pk, question)

    def load_source(self, version_id: int) -> bytes:
        with self._database.read() as tx:
            return dags.load_source(tx, version_id)

    def load_manifest(self, bundle: str) -> Manifest:
        with self._database.read() as tx:
            return bundles.load_manifest(tx, bundle)

    def load_contents(self, bundle: str, digests: Sequence[str]) -> Mapping[str, bytes]:
        with self._database.read() as tx:
            return bundles.load_contents(tx, digests)
