"""Which exceptions does a task raise to say how it ends? Names as in Airflow, so that task code needs no change."""

from __future__ import annotations

from tradewind.errors import DagError, TradewindError


class AirflowException(Exception):
    """What operators and tasks raise to fail. The attempt ends as failed; it is tried again if tries are left."""


class AirflowSkipException(AirflowException):
    """Raised by a task to end as ``skipped``. Not a failure; retries are not used."""


class AirflowFailException(AirflowException):
    """Raised by a task to end as ``failed`` at once, even when tries are left."""


class AirflowNotFoundException(AirflowException):
    """Something that was asked for by name does not exist."""


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
