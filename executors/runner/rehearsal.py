"""What does nearly every task need? Running one before the first fork imports it, and warms it up, once for all.

What a process has run before its fork, its children run without first-time work: imports are done, caches filled, byte
code specialised, in pages of memory that all of them share.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from executors.runner import protocol
from executors.runner.wire import frame
from tradewind.compat.usual import import_usual
from tradewind.model.asset_talk import AssetAnswer, AssetQuestion
from tradewind.model.orders import AttemptOrder, XComValue
from tradewind.plugins import entry_points
from tradewind.sdk.channel import ConnectionData, FoundXCom, PreviousRun
from tradewind.sdk.execution import run_task
from tradewind.sdk.loader import load_dag_file
from tradewind.sdk.run_questions import RunAnswer, RunQuestion
from tradewind.xcom.policy import XComPolicy

ROUNDS: Final = 10
"""Enough for the interpreter to specialise the byte code that a task runs through."""

_SOURCE: Final = b"""
import datetime, json, logging, os, pathlib
from tradewind import DAG, task
from tradewind.sdk.operators.bash import BashOperator
from tradewind.sdk.operators.empty import EmptyOperator
from tradewind.sdk.operators.python import PythonOperator

with DAG("rehearsal", schedule="0 2 * * *", start_date=datetime.datetime(2026, 1, 1), params={"x": 1}):
    @task
    def taskflow(given):
        logging.getLogger("rehearsal").info("given %s", given)
        return {"a": 1}

    taskflow("{{ ds }} {{ params.x }}")
    PythonOperator(task_id="classic", python_callable=lambda ds, ti, **context: ti.xcom_pull(task_ids="taskflow"))
    EmptyOperator(task_id="empty")
"""


class _NoChannel:
    """A :class:`tradewind.sdk.channel.TaskChannel` on nothing."""

    xcom_policy = XComPolicy()

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
        return [FoundXCom("taskflow", -1, "rehearsal", '{"a":1}')]

    def count_xcoms(self, task_id: str, key: str) -> int:
        return 0

    def get_xcom_range(self, task_id: str, key: str, start: int, stop: int) -> Sequence[FoundXCom]:
        return []

    def push_xcom(self, xcom: XComValue) -> None:
        return None

    def get_variable(self, key: str) -> str | None:
        return None

    def set_variable(self, key: str, value: str, description: str | None = None) -> None:
        return None

    def delete_variable(self, key: str) -> bool:
        return False

    def get_connection(self, conn_id: str) -> ConnectionData | None:
        return None

    def get_previous_success(self) -> PreviousRun | None:
        return None

    def ask_assets(self, question: AssetQuestion) -> AssetAnswer:
        return AssetAnswer()

    def ask_about_runs(self, question: RunQuestion) -> RunAnswer:
        return RunAnswer()

    def set_rendered_fields(self, fields: Mapping[str, Any]) -> None:
        return None

    def mask_secret(self, value: str) -> None:
        return None


def rehearse() -> None:
    """Run the tasks of a DAG file of our own, which does nothing outside this process."""
    import_usual()
    entry_points.are_there()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (dag,) = load_dag_file("/rehearsal.py", _SOURCE, bare=True)
        decoder = msgspec.msgpack.Decoder(protocol.ToTask)
        channel = _NoChannel()
        for number in range(ROUNDS):
            for task in dag.tasks:
                order = _order(dag.dag_id, task.task_id, number)
                decoder.decode(frame(_begin(order))[4:])
                done = run_task(dag, task, order, channel)
                frame(protocol.Result(done.outcome, done.error, done.may_retry, tuple(done.xcoms)))


def _order(dag_id: str, task_id: str, number: int) -> AttemptOrder:
    at = datetime(2026, 1, 1, 2, tzinfo=UTC)
    return AttemptOrder(
        attempt_id=UUID(int=number),
        fence=1,
        run_pk=1,
        dag_id=dag_id,
        run_id="rehearsal",
        task_id=task_id,
        map_index=-1,
        try_number=1,
        max_tries=1,
        file_path="rehearsal.py",
        version_id=1,
        source_digest="",
        run_type="scheduled",
        run_after=at,
        logical_date=at,
        data_interval_start=at,
        data_interval_end=at,
        run_started_at=at,
        conf={"a": 1},
    )


def _begin(order: AttemptOrder) -> protocol.Begin:
    return protocol.Begin(
        version=protocol.PROTOCOL_VERSION, order=order, log_path="", dag_path="/rehearsal.py", dags_folder="/"
    )
