"""Which exceptions does a task raise to say how it ends? Names as in Airflow, so that task code needs no change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from tradewind.errors import DagError, TradewindError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from tradewind.model.orders import Question
    from tradewind.sdk.triggers.base import BaseTrigger


_YEAR_SECONDS: Final = 366 * 24 * 3600


class AirflowException(Exception):
    """What operators and tasks raise to fail. The attempt ends as failed; it is tried again if tries are left."""


class AirflowSkipException(AirflowException):
    """Raised by a task to end as ``skipped``. Not a failure; retries are not used."""


class AirflowFailException(AirflowException):
    """Raised by a task to end as ``failed`` at once, even when tries are left."""


class RetryAfter(AirflowException):
    """Raised by a task that was told to come back later, e.g. by an API that answers 429 with ``Retry-After``.

    The try ends, and the next begins after ``delay``: seconds, or a timedelta. Unless ``counts`` says so no retry is
    used up (a hundred times in a row; after that it is a failure like any other). With ``rate`` no task of that name
    (``rate_limits=[Rate(name, ...)]``) starts before then, in any DAG.
    """

    def __init__(
        self, delay: float | timedelta, message: str = "", *, rate: str | None = None, counts: bool = False
    ) -> None:
        from datetime import timedelta

        seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _YEAR_SECONDS:
            raise ValueError(
                f"RetryAfter needs a number of seconds of 0 or more, or a timedelta, not {delay!r}; at most a year."
            )
        if rate is not None and (not isinstance(rate, str) or not rate.strip()):
            raise ValueError(f"RetryAfter: rate must be the name of a Rate, not {rate!r}.")
        super().__init__(message or f"asked to come back after {seconds:g} s")
        self.delay_seconds = float(seconds)
        self.rate = rate
        self.counts = counts

    def __reduce__(self) -> tuple[object, ...]:
        return _retry_after, (self.delay_seconds, str(self), self.rate, self.counts)


def _retry_after(delay: float, message: str, rate: str | None, counts: bool) -> RetryAfter:
    return RetryAfter(delay, message, rate=rate, counts=counts)


class AirflowNotFoundException(AirflowException):
    """Something that was asked for by name does not exist."""


class AirflowSensorTimeout(AirflowException):
    """A sensor has waited longer than its ``timeout``. The task fails at once, even when tries are left."""


class AirflowRescheduleException(AirflowException):
    """Raised by a task to let go of its slot and look again at ``reschedule_date``, an aware instant.

    The same try goes on then, from the beginning of ``execute``.
    """

    def __init__(self, reschedule_date: datetime) -> None:
        super().__init__(reschedule_date)
        self.reschedule_date = reschedule_date


class DownstreamTasksSkipped(AirflowException):
    """Raised by a task to succeed here and now, and to have tasks below it skipped. What it returns is not kept.

    ``tasks`` are task ids; pairs of task id and map index are taken for the id.
    """

    def __init__(self, *, tasks: Iterable[str | tuple[str, int]]) -> None:
        self.tasks = list(tasks)
        super().__init__(self.tasks)

    @property
    def task_ids(self) -> list[str]:
        """The ids alone."""
        return [task if isinstance(task, str) else task[0] for task in self.tasks]


class TaskDeferralError(AirflowException):
    """What a task waited for ended badly: its trigger failed, or ended without an event."""


class TaskDeferralTimeout(AirflowException):
    """What a task waited for took longer than the ``timeout`` that it gave to ``defer``."""


class TaskDeferred(BaseException):
    """Raised by a task to let go of its slot until ``trigger`` fires; ``BaseOperator.defer`` does it.

    Then ``method_name`` of the operator is called with the context, ``kwargs``, and ``event=`` the payload. It may be
    None when the trigger ends the task by itself. A ``BaseException``, so that no broad handler in a task swallows it.
    """

    def __init__(
        self,
        *,
        trigger: BaseTrigger,
        method_name: str | None,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | int | float | None = None,
    ) -> None:
        super().__init__()
        self.trigger, self.method_name, self.kwargs, self.timeout = trigger, method_name, kwargs, timeout

    def __repr__(self) -> str:
        return f"<TaskDeferred trigger={self.trigger!r} method={self.method_name}>"


class TaskAwaitingInput(BaseException):
    """Raised by a task to let go of its slot until a person has answered its question.

    Then ``method_name`` of the operator is called with the context, ``kwargs``, and ``event=`` the answer.
    """

    def __init__(
        self,
        *,
        method_name: str,
        question: Question,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | int | float | None = None,
        timeout_payload: Any = None,
    ) -> None:
        """
        Args:
            timeout: how long to wait at most; then ``timeout_payload`` stands for the answer.
        """
        super().__init__()
        self.method_name, self.question, self.kwargs = method_name, question, kwargs
        self.timeout, self.timeout_payload = timeout, timeout_payload


class AirflowTaskTimeout(BaseException):
    """The task ran longer than its ``execution_timeout``.

    A ``BaseException``, so that ``except Exception`` in a task does not swallow it.
    """


class TaskTerminated(BaseException):
    """The task's process was told to end (SIGTERM): cancelled, or its worker stops."""


class XComNotFound(AirflowException):
    """A task's output was asked for under a key that the task did not push."""

    def __init__(self, dag_id: str, task_id: str, key: str) -> None:
        self.dag_id, self.task_id, self.key = dag_id, task_id, key
        super().__init__(
            f"Task {task_id!r} of DAG {dag_id!r} pushed no XCom with the key {key!r} in this run. "
            f"Push it with ti.xcom_push(key={key!r}, ...), or return a dict with that key and set "
            "multiple_outputs=True."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.dag_id, self.task_id, self.key))


class ParamValidationError(AirflowException, TradewindError):
    """A run parameter does not fit its schema."""

    code = "param"
    exit_code = 2


class DagArgumentError(DagError, TypeError, ValueError):
    """An argument of a DAG, task or group is unknown, or its value cannot be meant.

    Also a ``TypeError`` and a ``ValueError``, which is what Airflow raises for the same mistakes.
    """

    code = "dag-argument"


class NotSupportedYet(DagError, NotImplementedError):
    """The DAG file uses a feature of Airflow that Tradewind does not have yet. Refused, never silently ignored."""

    code = "not-supported"


class IgnoredArgumentWarning(UserWarning):
    """An argument was accepted so that the file runs unchanged, but has no effect here."""
