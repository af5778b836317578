"""Does a task take deadlines that the scheduler can set, and refuse the others with the mend?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tradewind.errors import DagError
from tradewind.model.spec import DeadlineSpec
from tradewind.sdk.callback import SyncCallback
from tradewind.sdk.dag import DAG
from tradewind.sdk.deadline import DeadlineAlert, DeadlineReference, VariableInterval
from tradewind.sdk.operators.python import PythonOperator
from tradewind.sdk.serialize import to_spec

HOUR = timedelta(hours=1)


def late(**context: Any) -> None:
    """Tell somebody."""


def alert(reference: Any, interval: Any = HOUR) -> DeadlineAlert:
    return DeadlineAlert(reference, interval, SyncCallback(late), name="sla")


def spec_of(**arguments: Any) -> tuple[DeadlineSpec, ...]:
    with DAG("etl") as dag:
        PythonOperator(task_id="a", python_callable=print, **arguments)
    return to_spec(dag).tasks[0].deadlines


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        (DeadlineReference.TASK_STARTED_AT, "task_started_at"),
        (DeadlineReference.TASK_QUEUED_AT, "task_queued_at"),
        (DeadlineReference.DAGRUN_STARTED_AT, "run_started_at"),
        (DeadlineReference.DAGRUN_QUEUED_AT, "queued_at"),
        (DeadlineReference.DAGRUN_LOGICAL_DATE, "logical_date"),
        (DeadlineReference.FIXED_DATETIME(datetime(2026, 1, 1, tzinfo=UTC)), "fixed"),
    ],
)
def test_a_deadline_stands_in_the_spec_of_its_task(reference: Any, kind: str) -> None:
    (found,) = spec_of(deadline=alert(reference))

    assert (found.reference, found.interval_seconds, found.name) == (kind, 3600.0, "sla")


def test_it_can_have_several_and_by_default_has_none() -> None:
    both = [alert(DeadlineReference.TASK_STARTED_AT), alert(DeadlineReference.DAGRUN_QUEUED_AT)]

    assert [one.reference for one in spec_of(deadline=both)] == ["task_started_at", "queued_at"]
    assert spec_of() == ()


@pytest.mark.parametrize(
    ("deadline", "message"),
    [
        (HOUR, "deadline must be a DeadlineAlert or a list of them"),
        (alert(DeadlineReference.AVERAGE_RUNTIME()), "AverageRuntimeDeadline is not known for tasks. Count from "),
        (alert(DeadlineReference.TASK_STARTED_AT, VariableInterval("x")), "the interval must be a datetime.timedelta"),
    ],
)
def test_what_the_scheduler_cannot_set_is_refused(deadline: Any, message: str) -> None:
    with pytest.raises(DagError) as caught:
        spec_of(deadline=deadline)

    assert message in str(caught.value)


def test_a_dag_has_no_task_to_count_from() -> None:
    dag = DAG("etl", deadline=alert(DeadlineReference.TASK_STARTED_AT))

    with pytest.raises(DagError, match="TaskStartedAtDeadline is a reference for tasks"):
        to_spec(dag)
