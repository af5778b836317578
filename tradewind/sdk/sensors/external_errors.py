"""Which errors does waiting for another DAG end with? Names as in Airflow."""

from __future__ import annotations

from tradewind.sdk.exceptions import AirflowException


class AirflowExternalTaskSensorException(AirflowException):
    """Any of the errors below."""


class ExternalDagNotFoundError(AirflowExternalTaskSensorException):
    """There is no such DAG."""


class ExternalDagDeletedError(AirflowExternalTaskSensorException):
    """The file of the DAG is gone."""


class ExternalTaskNotFoundError(AirflowExternalTaskSensorException):
    """The DAG has no such task."""


class ExternalTaskGroupNotFoundError(AirflowExternalTaskSensorException):
    """The DAG has no such group."""


class ExternalTaskFailedError(AirflowExternalTaskSensorException):
    """A task that is waited for has failed."""


class ExternalTaskGroupFailedError(AirflowExternalTaskSensorException):
    """A group that is waited for has failed."""


class ExternalDagFailedError(AirflowExternalTaskSensorException):
    """A run that is waited for has failed."""


class DuplicateStateError(AirflowExternalTaskSensorException):
    """A state stands among the allowed, the skipped and the failed ones more than once."""
