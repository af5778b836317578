"""By when should a run be done? ``DeadlineAlert``: so long after a reference, else user code is called.

The scheduler works the instant out when it makes the run, and calls back when it passes before the run has succeeded.
A reference of the user's own, or an interval that a Variable holds, is worked out in a process of its own.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tradewind.errors import DagError
from tradewind.sdk.callback import Callback, checked

if TYPE_CHECKING:
    from tradewind.model.orders import AttemptOrder
    from tradewind.model.spec import DeadlineSpec
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.operator import BaseOperator


class BaseDeadlineReference:
    """An instant of a run from which its deadline is counted. Subclasses of the user's own write ``_evaluate_with``."""

    required_kwargs: ClassVar[set[str]] = set()
    """What ``_evaluate_with`` is to be given: ``dag_id`` and ``run_id`` can be asked for."""

    @property
    def reference_name(self) -> str:
        """The name of the class."""
        return type(self).__name__

    def _evaluate_with(self, *, session: Any = None, **kwargs: Any) -> datetime | None:
        """Return the instant, or None: then there is no deadline. ``session`` is always None here."""
        raise NotImplementedError(f"{self.reference_name} has no _evaluate_with(). Write one that returns a datetime.")

    def serialize_reference(self) -> dict[str, Any]:
        """Return what makes up this reference, as plain data."""
        return {"reference_type": self.reference_name}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> BaseDeadlineReference:
        """Return the reference that ``reference_data`` stands for."""
        return cls()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseDeadlineReference):
            return NotImplemented
        return self.serialize_reference() == other.serialize_reference()

    def __hash__(self) -> int:
        return hash(self.reference_name)


class DagRunLogicalDateDeadline(BaseDeadlineReference):
    """The logical date of the run. A run without one has no such deadline."""


class DagRunQueuedAtDeadline(BaseDeadlineReference):
    """The instant at which the run was made."""


class DagRunStartedAtDeadline(BaseDeadlineReference):
    """The instant at which the run began to run. Of tasks only."""


class TaskQueuedAtDeadline(BaseDeadlineReference):
    """The instant at which the first try of the task was handed to an executor. Of tasks only."""


class TaskStartedAtDeadline(BaseDeadlineReference):
    """The instant at which the first try of the task began. Of tasks only."""


@dataclass(eq=False)
class FixedDatetimeDeadline(BaseDeadlineReference):
    """An instant that is the same for all runs."""

    _datetime: datetime

    def serialize_reference(self) -> dict[str, Any]:
        """Return the instant as seconds since 1970."""
        return {"reference_type": self.reference_name, "datetime": self._datetime.timestamp()}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> FixedDatetimeDeadline:
        """Return the reference to the instant."""
        return cls(datetime.fromtimestamp(reference_data["datetime"], UTC))


@dataclass(eq=False)
class AverageRuntimeDeadline(BaseDeadlineReference):
    """As long after the making of the run as the last successful runs took on average."""

    DEFAULT_LIMIT: ClassVar[int] = 10
    max_runs: int = DEFAULT_LIMIT
    min_runs: int | None = None  # with fewer there is no deadline; None: as many as ``max_runs``

    def __post_init__(self) -> None:
        if self.min_runs is None:
            self.min_runs = self.max_runs
        if self.min_runs < 1:
            raise ValueError(f"AVERAGE_RUNTIME: min_runs must be at least 1, not {self.min_runs}.")

    def serialize_reference(self) -> dict[str, Any]:
        """Return the two numbers."""
        return {"reference_type": self.reference_name, "max_runs": self.max_runs, "min_runs": self.min_runs}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> AverageRuntimeDeadline:
        """Return the reference with these numbers."""
        return cls(reference_data.get("max_runs", cls.DEFAULT_LIMIT), reference_data.get("min_runs"))


ReferenceTypes = tuple[type[BaseDeadlineReference], ...]


class DeadlineReference:
    """The references that there are, by name. Those of the user's own are added by ``@deadline_reference()``."""

    class TYPES:
        """When a reference is worked out. Here a run is queued as soon as it is created."""

        DAGRUN_CREATED: ReferenceTypes = (DagRunLogicalDateDeadline, FixedDatetimeDeadline, AverageRuntimeDeadline)
        DAGRUN_QUEUED: ReferenceTypes = (DagRunQueuedAtDeadline,)
        DAGRUN: ReferenceTypes = DAGRUN_CREATED + DAGRUN_QUEUED

    DAGRUN_LOGICAL_DATE: ClassVar[BaseDeadlineReference] = DagRunLogicalDateDeadline()
    DAGRUN_QUEUED_AT: ClassVar[BaseDeadlineReference] = DagRunQueuedAtDeadline()
    # For the deadlines of tasks, which Airflow has not:
    DAGRUN_STARTED_AT: ClassVar[BaseDeadlineReference] = DagRunStartedAtDeadline()
    TASK_QUEUED_AT: ClassVar[BaseDeadlineReference] = TaskQueuedAtDeadline()
    TASK_STARTED_AT: ClassVar[BaseDeadlineReference] = TaskStartedAtDeadline()

    @classmethod
    def AVERAGE_RUNTIME(cls, max_runs: int = 0, min_runs: int | None = None) -> AverageRuntimeDeadline:
        """Return the reference to the average time of the last ``max_runs`` successful runs (0: of ten)."""
        return AverageRuntimeDeadline(max_runs or AverageRuntimeDeadline.DEFAULT_LIMIT, min_runs)

    @classmethod
    def FIXED_DATETIME(cls, dt: datetime) -> FixedDatetimeDeadline:
        """Return the reference to one instant. Without a time zone it is in that of the DAG."""
        return FixedDatetimeDeadline(dt)

    @classmethod
    def register_custom_reference(
        cls, reference_class: type[BaseDeadlineReference], deadline_reference_type: ReferenceTypes | None = None
    ) -> type[BaseDeadlineReference]:
        """Make a class of the user's own known as ``DeadlineReference.<its name>``.

        Raises:
            ValueError: it is no subclass of ``BaseDeadlineReference``, or the type is none of ``TYPES``.
            TypeError: it cannot be made without arguments.
        """
        name = getattr(reference_class, "__name__", repr(reference_class))
        if not (isinstance(reference_class, type) and issubclass(reference_class, BaseDeadlineReference)):
            raise ValueError(f"{name} must inherit from BaseDeadlineReference.")
        try:
            made = reference_class()
        except TypeError as error:
            raise TypeError(
                f"{name} must be constructible without arguments: {error}. Give each field a default value."
            ) from error
        kinds = cls.TYPES
        if deadline_reference_type is None or deadline_reference_type is kinds.DAGRUN_CREATED:
            kinds.DAGRUN_CREATED = (*kinds.DAGRUN_CREATED, reference_class)
        elif deadline_reference_type is kinds.DAGRUN_QUEUED:
            kinds.DAGRUN_QUEUED = (*kinds.DAGRUN_QUEUED, reference_class)
        else:
            raise ValueError(
                f"{deadline_reference_type!r} is no type of deadline references. "
                "Give DeadlineReference.TYPES.DAGRUN_CREATED or .DAGRUN_QUEUED."
            )
        kinds.DAGRUN = kinds.DAGRUN_CREATED + kinds.DAGRUN_QUEUED
        setattr(cls, name, made)
        return reference_class


def deadline_reference(
    deadline_reference_type: type[BaseDeadlineReference] | ReferenceTypes | None = None,
) -> Any:
    """Class decorator, with or without parentheses: make a reference of the user's own known."""
    if isinstance(deadline_reference_type, type):
        return DeadlineReference.register_custom_reference(deadline_reference_type)
    kind = deadline_reference_type

    def register(cls: type[BaseDeadlineReference]) -> type[BaseDeadlineReference]:
        return DeadlineReference.register_custom_reference(cls, kind)

    return register


@dataclass(frozen=True)
class VariableInterval:
    """An interval whose seconds stand in a Variable, looked up when a run is made."""

    key: str

    def resolve(self) -> timedelta:
        """Return the interval now. Deprecated, as in Airflow: it is worked out where it is needed."""
        warnings.warn(
            "VariableInterval.resolve() is deprecated: deadlines look the Variable up themselves.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.value()

    def value(self) -> timedelta:
        """Return the interval now.

        Raises:
            ValueError: there is no such Variable, or it holds no whole number.
        """
        from tradewind.sdk.variable import Variable

        found = Variable.get(self.key, default=None)
        if found is None:
            raise ValueError(
                f"VariableInterval {self.key!r}: there is no such Variable. Set it to a number of seconds."
            )
        try:
            return timedelta(seconds=int(found))
        except (TypeError, ValueError):
            raise ValueError(
                f"VariableInterval {self.key!r}: the Variable must hold a whole number of seconds, not {found!r}."
            ) from None


class DeadlineAlert:
    """Call ``callback`` when a run has not succeeded ``interval`` after ``reference``.

    Raises:
        ValueError: ``callback`` is neither an AsyncCallback nor a SyncCallback.
    """

    def __init__(
        self,
        reference: BaseDeadlineReference,
        interval: timedelta | VariableInterval,
        callback: Callback,
        name: str | None = None,
    ) -> None:
        if not isinstance(reference, BaseDeadlineReference):
            raise DagError(
                f"DeadlineAlert: reference must be one of DeadlineReference, not {reference!r}. "
                "Write DeadlineReference.DAGRUN_QUEUED_AT, for example."
            )
        if not isinstance(interval, timedelta | VariableInterval):
            raise DagError(
                f"DeadlineAlert: interval must be a datetime.timedelta or a VariableInterval, not {interval!r}."
            )
        self.reference, self.interval, self.name = reference, interval, name
        self.callback = checked("DeadlineAlert", callback)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DeadlineAlert):
            return NotImplemented
        same = type(self.reference) is type(other.reference) and self.interval == other.interval
        return same and self.callback == other.callback

    def __hash__(self) -> int:
        return hash((type(self.reference), self.interval, self.callback))


def deadlines(who: str, name: str, value: Any) -> list[DeadlineAlert]:
    """Return a list of alerts from None, one alert or several.

    Raises:
        DagError: something among them is no alert.
    """
    given = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
    for one in given:
        if not isinstance(one, DeadlineAlert):
            raise DagError(f"{who}: {name} must be a DeadlineAlert or a list of them, not {one!r}.")
    return given


def deadline_spec(dag: DAG, alert: DeadlineAlert) -> DeadlineSpec:
    """Return one alert of a run as plain data."""
    reference = alert.reference
    kind = _KINDS.get(type(reference), "own")
    if kind in OF_TASKS:
        raise DagError(
            f"{dag.who}: deadline: {reference.reference_name} is a reference for tasks. Give deadline= to a task, or "
            "count from DeadlineReference.DAGRUN_QUEUED_AT."
        )
    return _spec(dag, alert, kind)


def task_deadline_spec(task: BaseOperator, alert: DeadlineAlert) -> DeadlineSpec:
    """Return one alert of a task as plain data.

    Raises:
        DagError: only user code could say when it is: the scheduler sets the deadlines of tasks itself.
    """
    kind = _KINDS.get(type(alert.reference), "own")
    if kind in ("own", "average_runtime"):
        raise DagError(
            f"{task.who}: deadline: {alert.reference.reference_name} is not known for tasks. Count from "
            "DeadlineReference.TASK_STARTED_AT, TASK_QUEUED_AT, DAGRUN_STARTED_AT, DAGRUN_QUEUED_AT, "
            "DAGRUN_LOGICAL_DATE or FIXED_DATETIME."
        )
    if not isinstance(alert.interval, timedelta):
        raise DagError(f"{task.who}: deadline: the interval must be a datetime.timedelta, not {alert.interval!r}.")
    assert task.dag is not None  # tasks of DAGs alone are made plain
    return _spec(task.dag, alert, kind)


def _spec(dag: DAG, alert: DeadlineAlert, kind: str) -> DeadlineSpec:
    from tradewind.model.spec import DeadlineSpec  # late: a file that is only imported makes no specs

    reference, interval = alert.reference, alert.interval
    at = None
    if isinstance(reference, FixedDatetimeDeadline):
        instant = reference._datetime
        at = (instant if instant.tzinfo else instant.replace(tzinfo=dag.timezone)).astimezone(UTC).isoformat()
    max_runs = min_runs = 0
    if isinstance(reference, AverageRuntimeDeadline):
        max_runs, min_runs = reference.max_runs, reference.min_runs or 1
    return DeadlineSpec(
        reference=kind,
        interval_seconds=interval.total_seconds() if isinstance(interval, timedelta) else None,
        at=at,
        max_runs=max_runs,
        min_runs=min_runs,
        name=alert.name,
        callback=_shown(alert.callback),
        executor=getattr(alert.callback, "executor", None),
    )


def reckon(dag: DAG, alert: DeadlineAlert, order: AttemptOrder, base: datetime | None) -> datetime | None:
    """Return when the deadline of a run is, worked out in a process that runs user code; None: it has none.

    Args:
        base: the instant of the reference, when the scheduler knows it and only the interval is missing.
    """
    if type(alert.reference) not in _KINDS:
        known = {"dag_id": order.dag_id, "run_id": order.run_id}
        missing = alert.reference.required_kwargs - known.keys()
        if missing:
            names = ", ".join(sorted(missing))
            raise ValueError(f"{alert.reference.reference_name} asks for {names}; a deadline knows dag_id and run_id.")
        asked = {name: value for name, value in known.items() if name in alert.reference.required_kwargs}
        base = alert.reference._evaluate_with(session=None, **asked)
    if base is None:
        return None
    if base.tzinfo is None:
        base = base.replace(tzinfo=dag.timezone)
    interval = alert.interval if isinstance(alert.interval, timedelta) else alert.interval.value()
    return base + interval


_KINDS: Final[dict[type[BaseDeadlineReference], str]] = {
    DagRunLogicalDateDeadline: "logical_date",
    DagRunQueuedAtDeadline: "queued_at",
    FixedDatetimeDeadline: "fixed",
    AverageRuntimeDeadline: "average_runtime",
    DagRunStartedAtDeadline: "run_started_at",
    TaskQueuedAtDeadline: "task_queued_at",
    TaskStartedAtDeadline: "task_started_at",
}
OF_TASKS: Final = frozenset({"run_started_at", "task_queued_at", "task_started_at"})
"""The references that only the deadline of a task may have."""


def _shown(callback: Callback) -> str:
    """Return the path without the name that a DAG file gets as a module: it says nothing to people."""
    module, _, name = callback.path.rpartition(".")
    return name if module.startswith("tradewind_dag_") else callback.path
