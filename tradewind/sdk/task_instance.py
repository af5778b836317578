"""What does a task know of itself while it runs? ``ti``: who it is, which try this is, and its XComs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from tradewind.model.events import NO_MAP
from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.instants import pendulum_utc
from tradewind.sdk.lazy_sequence import LazyXComSequence
from tradewind.sdk.mapping import mapped_groups
from tradewind.sdk.rendered import shown_fields
from tradewind.sdk.run_lookups import LooksAtRuns
from tradewind.sdk.xcom_arg import RETURN_VALUE
from tradewind.xcom.store import pack, unpack

if TYPE_CHECKING:
    import pendulum

    from tradewind.model.orders import AttemptOrder, XComValue
    from tradewind.sdk.channel import FoundXCom, TaskChannel
    from tradewind.sdk.context import Context
    from tradewind.sdk.dag_run import DagRun
    from tradewind.sdk.operator import BaseOperator


class _NotSet:
    def __repr__(self) -> str:
        return "NOTSET"


NOTSET: Final = _NotSet()
"""Stands for an argument that was not given, where None means something."""


class RunningTask(LooksAtRuns):
    """The task instance that runs in this process."""

    def __init__(self, order: AttemptOrder, task: BaseOperator, run: DagRun, channel: TaskChannel) -> None:
        self._order, self._channel = order, channel
        self._ending: dict[str, Any] = {}
        self.is_mapped = task.is_mapped
        self.rendered_map_index: str | None = None
        self.length: int | None = None  # of what it gives to those who map over it
        self.skips: list[str] = []  # ids of tasks below that this one has decided to skip
        self.task = task
        self.dag_run = run
        self.context: Context | None = None
        self.dag_id, self.task_id, self.run_id = order.dag_id, order.task_id, order.run_id
        self.map_index, self.try_number = order.map_index, order.try_number
        self.max_tries = order.max_tries - 1  # Airflow's word counts the retries, ours the tries
        self.id = str(order.attempt_id)
        self.state = "running"
        self.started_at = datetime.now(UTC)
        self.end_date: pendulum.DateTime | None = None
        self.hostname = ""
        self.queue, self.pool = order.queue, order.pool

    @cached_property
    def start_date(self) -> pendulum.DateTime | None:
        """When this attempt began."""
        return pendulum_utc(self.started_at)

    @property
    def logical_date(self) -> pendulum.DateTime | None:
        """The logical date of the run, or None."""
        return self.dag_run.logical_date

    @property
    def is_last_try(self) -> bool:
        """Whether no try is left after this one."""
        return self.try_number >= self._order.max_tries

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        """What identifies this attempt: DAG, task, run, try and map index."""
        return (self.dag_id, self.task_id, self.run_id, self.try_number, self.map_index)

    @property
    def log_url(self) -> str:
        """The path of the task's page in the web UI, below the address of the web server."""
        place = f"/dags/{quote(self.dag_id)}/runs/{quote(self.run_id, safe='')}/tasks/{quote(self.task_id)}"
        return f"{place}?try={self.try_number}"

    @property
    def mark_success_url(self) -> str:
        """The same page: tasks are set to success there. Mail templates of Airflow ask for it."""
        return self.log_url

    def show_fields(self, task: BaseOperator) -> None:
        """Show the template fields of ``task`` as they are now: some get their values only when it is executed."""
        self._channel.set_rendered_fields(shown_fields(task))

    def are_dependents_done(self) -> bool:
        """Refused: a task cannot look at the states of others."""
        raise AirflowException(
            "ti.are_dependents_done() is not supported: a task does not see the states of other tasks."
        )

    def get_template_context(self) -> Context:
        """Return the context of this attempt."""
        assert self.context is not None
        return self.context

    # --- XCom ------------------------------------------------------------------------------------

    def xcom_push(self, key: str, value: Any) -> None:
        """Leave ``value`` under ``key`` for other tasks; they can see it at once.

        Raises:
            XComError: the value cannot be stored, or is too large.
        """
        self._channel.push_xcom(self.packed(key, value))

    def packed(self, key: str, value: Any) -> XComValue:
        """Return ``value`` as it is stored."""
        if not isinstance(key, str) or not key:
            raise AirflowException(f"The key of an XCom must be a text that is not empty, not {key!r}.")
        what = f"The return value of task {self.task_id!r}"
        if key != RETURN_VALUE:
            what = f"The XCom {key!r} of task {self.task_id!r}"
        place = (self.dag_id, self.run_id, self.task_id, str(self.map_index), str(self.try_number))
        return pack(key, value, self._channel.xcom_policy, place, what)

    def keep_until_end(self, values: Mapping[str, Any]) -> None:
        """Remember values that are stored with the end of the task, so that callbacks can pull them already."""
        self._ending.update(values)

    def xcom_pull(
        self,
        task_ids: str | Iterable[str] | None = None,
        dag_id: str | None = None,
        key: str = RETURN_VALUE,
        include_prior_dates: bool = False,
        session: Any = None,
        *,
        map_indexes: Any = NOTSET,
        default: Any = None,
        run_id: str | None = None,
    ) -> Any:
        """Return what other tasks left under ``key``.

        Args:
            task_ids: one task id, several, or None for this task.
            dag_id: of another DAG, which is looked up in the run with the same id unless ``run_id`` is given.
            key: the key; by default the returned value.
            include_prior_dates: look in earlier runs as well. A list of them begins with the oldest run.
            session: ignored; it is part of Airflow's signature.
            map_indexes: one index, several, or None for a task that is not mapped. Left out, every index is looked at.
            default: stands for an index in ``map_indexes`` that left nothing. As in Airflow 3.3 it stands for nothing
                else.
            run_id: of another run.

        Returns:
            One value when one task and one index are asked for; else a list, by task and index. When ``map_indexes`` is
            left out, a list holds what there is, and None for a task that left nothing; one task that left one value
            gives it bare.
        """
        single = task_ids is None or isinstance(task_ids, str)
        wanted = [self.task_id if task_ids is None else str(task_ids)] if single else list(task_ids or ())
        texts = [
            ("key", key),
            ("dag_id", dag_id or ""),
            ("run_id", run_id or ""),
            *(("task_ids", one) for one in wanted),
        ]
        for name, value in texts:
            if not isinstance(value, str):
                raise TypeError(f"xcom_pull(): {name} must be a text, not {value!r} ({type(value).__name__}).")
        indexes = _indexes(map_indexes)
        is_own = single and self._is_own(wanted[0], dag_id, run_id) and indexes in (None, [self.map_index])
        if is_own and key in self._ending:
            return self._ending[key]
        found = self._channel.get_xcom(
            dag_id=dag_id,
            run_id=run_id,
            task_ids=wanted,
            key=key,
            map_index=indexes[0] if indexes is not None and len(indexes) == 1 else None,
            include_prior_dates=include_prior_dates,
        )
        if indexes is not None:
            values = _values_at(wanted, indexes, found, default)
            return values[0] if single and (map_indexes is None or isinstance(map_indexes, int)) else values
        if include_prior_dates:  # they come newest run first
            age = {run_id: number for number, run_id in enumerate(dict.fromkeys(one.run_id for one in found))}
            found = sorted(found, key=lambda one: -age[one.run_id])
        values = _all_values(wanted, found, by_index=not include_prior_dates)
        return values[0] if single and len(values) == 1 else values

    def output_of(self, operator: BaseOperator, key: str, default: Any) -> Any:
        """Return what ``operator`` left under ``key`` for this task, or ``default``.

        Of a mapped task that is all that its indexes left, on demand. Of a task in an expanded group that this task
        belongs to as well, it is what the same index left; from outside of the group, what all of them left.
        """
        if operator.is_mapped:
            return LazyXComSequence(self._channel, operator.task_id, key)
        own = [group.group_id for group in mapped_groups(self.task.task_group)] if self.map_index >= 0 else []
        around = [group.group_id for group in mapped_groups(operator.task_group)]
        if not around:
            return self.xcom_pull(operator.task_id, key=key, map_indexes=None, default=default)
        if around[0] in own:
            return self.xcom_pull(operator.task_id, key=key, map_indexes=self.map_index, default=default)
        if set(around) & set(own):  # it is expanded further inside of the common group
            return self.xcom_pull(operator.task_id, key=key, map_indexes=[self.map_index], default=default)
        return self.xcom_pull(operator.task_id, key=key)

    def _is_own(self, task_id: str, dag_id: str | None, run_id: str | None) -> bool:
        return task_id == self.task_id and dag_id in (None, self.dag_id) and run_id in (None, self.run_id)

    def __repr__(self) -> str:
        return f"<TaskInstance: {self.dag_id}.{self.task_id} {self.run_id} [try {self.try_number}]>"


def _indexes(given: Any) -> list[int] | None:
    """Return the indexes that a pull asks for; None: all."""
    if given is NOTSET:
        return None
    if given is None:
        return [NO_MAP]
    if isinstance(given, int):
        return [given]
    if isinstance(given, Iterable):
        return list(given)
    raise TypeError(f"map_indexes must be a whole number, several of them, or None, not {type(given).__name__}.")


def _values_at(wanted: Sequence[str], indexes: Sequence[int], found: Sequence[FoundXCom], default: Any) -> list[Any]:
    first: dict[tuple[str, int], FoundXCom] = {}
    for one in found:  # of several runs the newest comes first
        first.setdefault((one.task_id, one.map_index), one)
    places = [(task_id, index) for task_id in wanted for index in indexes]
    values = [_value(first[place]) if place in first else None for place in places]
    return [default if value is None else value for value in values]


def _all_values(wanted: Sequence[str], found: Sequence[FoundXCom], *, by_index: bool) -> list[Any]:
    values: list[Any] = []
    for task_id in wanted:
        mine = [one for one in found if one.task_id == task_id]
        if by_index:
            mine.sort(key=lambda one: one.map_index)
        values.extend(_value(one) for one in mine)
        if not mine:
            values.append(None)
    return values


def _value(found: FoundXCom) -> Any:
    return unpack(found.value, found.location)
