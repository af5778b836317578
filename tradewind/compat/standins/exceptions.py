"""Which exceptions of Airflow may files and providers name beside those that tasks raise here?

Most are never raised by Tradewind; they are there to be caught, raised and derived from.
"""

from __future__ import annotations

from typing import Any

from tradewind.sdk.exceptions import AirflowException, AirflowNotFoundException


class AirflowBadRequest(AirflowException):
    """A server says that a request was wrong."""


class AirflowConfigException(AirflowException):
    """The configuration lacks something, or has a value that cannot be read."""


class AirflowOptionalProviderFeatureException(AirflowException):
    """A part of a provider needs a library, or another provider, that is not installed."""


class AirflowInternalRuntimeError(BaseException):
    """Something that cannot be, was."""


class AirflowTimetableInvalid(AirflowException):
    """A timetable cannot be meant."""


class AirflowDagDuplicatedIdException(AirflowException):
    """Two DAG files define the same DAG."""

    def __init__(self, dag_id: str, incoming: str, existing: str) -> None:
        super().__init__(dag_id, incoming, existing)
        self.dag_id, self.incoming, self.existing = dag_id, incoming, existing

    def __str__(self) -> str:
        return f"DAG {self.dag_id} of {self.incoming} is defined by {self.existing} already. Rename one of them."


class AirflowFileParseException(AirflowException):
    """A file with settings cannot be read."""

    def __init__(self, msg: str, file_path: str, parse_errors: list[FileSyntaxError]) -> None:
        super().__init__(msg)
        self.msg, self.file_path, self.parse_errors = msg, file_path, parse_errors

    def __str__(self) -> str:
        found = "; ".join(str(error) for error in self.parse_errors)
        return f"{self.msg} File: {self.file_path}. {found}"


class FileSyntaxError(tuple[Any, str]):
    """Where a file cannot be read, and why."""

    def __new__(cls, line_no: int | None, message: str) -> FileSyntaxError:
        return super().__new__(cls, (line_no, message))

    def __str__(self) -> str:
        return f"{self[1]} Line number: {self[0]}"


class AirflowUnsupportedFileTypeException(AirflowException):
    """A file is of a kind that nobody can read."""


class AirflowSecretsBackendAccessDenied(AirflowException):
    """A store of secrets refuses this caller."""


class AirflowClearRunningTaskException(AirflowException):
    """Tasks that run cannot be cleared."""


class AirflowInactiveAssetInInletOrOutletException(AirflowException):
    """A task names an asset that no DAG has any more."""


class AirflowRuntimeError(Exception):
    """The server answered a task with an error."""

    def __init__(self, error: Any) -> None:
        self.error = error
        super().__init__(str(error))


class ConnectionNotUnique(AirflowException):
    """Two connections have the same id."""


class VariableNotUnique(AirflowException):
    """Two variables have the same key."""


class DagNotFound(AirflowNotFoundException):
    """There is no such DAG."""


class DagCodeNotFound(AirflowNotFoundException):
    """The code of a DAG is not kept."""


class DagRunNotFound(AirflowNotFoundException):
    """There is no such run."""


class DagRunTypeNotAllowed(AirflowException):
    """A DAG may not have such runs."""


class DagNotPartitionedError(AirflowException):
    """A DAG has no partitions."""


class InvalidPartitionKeyError(AirflowException):
    """A DAG has no such partition."""


class DagRunAlreadyExists(AirflowBadRequest):
    """A DAG has a run with that id, or for that date."""

    def __init__(self, dag_run: Any) -> None:
        super().__init__(f"A run of the DAG {dag_run.dag_id} exists already: {dag_run.run_id}. Choose another id.")
        self.dag_run = dag_run


class PoolNotFound(AirflowNotFoundException):
    """There is no such pool."""


class TaskNotFound(AirflowNotFoundException):
    """A DAG has no such task."""


class TaskInstanceNotFound(AirflowNotFoundException):
    """A run has no such task."""


class TaskAlreadyInTaskGroup(AirflowException):
    """A task cannot be in two groups."""

    def __init__(self, task_id: str, existing_group_id: str | None, new_group_id: str) -> None:
        super().__init__(task_id, existing_group_id, new_group_id)
        self.task_id, self.existing_group_id, self.new_group_id = task_id, existing_group_id, new_group_id

    def __str__(self) -> str:
        here = f"the group {self.existing_group_id!r}" if self.existing_group_id else "the DAG itself"
        return f"Task {self.task_id!r} is in {here} already, and cannot be added to {self.new_group_id!r} too."


class TaskAlreadyRunningError(AirflowException):
    """The task runs elsewhere."""


class NodeNotFound(AirflowNotFoundException):
    """A graph has no such node."""


class NotMapped(Exception):
    """A task is not below anything that is mapped."""


class FailFastDagInvalidTriggerRule(AirflowException):
    """A DAG with ``fail_fast`` has a task with another trigger rule than ``all_success``."""


class UnmappableXComTypePushed(AirflowException):
    """A task returned what cannot be mapped over."""


class XComForMappingNotPushed(AirflowException):
    """A task returned nothing to map over."""


class DagRunTriggerException(AirflowException):
    """Raised by an operator to have a run of another DAG made."""


class InvalidStatsNameException(AirflowException):
    """A metric cannot have that name."""


class PodMutationHookException(AirflowException):
    """The hook that may change pods failed."""


class PodReconciliationError(AirflowException):
    """A pod cannot be made of its template and its changes."""


class SerializationError(AirflowException):
    """A value cannot be written down."""


class DeserializationError(Exception):
    """A value cannot be read back."""


class DeserializingResultError(ValueError):
    """What a subprocess returned cannot be read."""


class UnknownExecutorException(ValueError):
    """There is no such executor."""


class RemovedInAirflow4Warning(DeprecationWarning):
    """Something that Airflow 4 will not have any more."""

    deprecated_since: str | None = None


class RemovedInAirflow3Warning(DeprecationWarning):
    """Something that Airflow 3 does not have any more."""

    deprecated_provider_since: str | None = None


class AirflowProviderDeprecationWarning(DeprecationWarning):
    """Something that a provider will not have any more."""

    deprecated_provider_since: str | None = None
