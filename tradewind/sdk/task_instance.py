"""What does a task know of itself while it runs? ``ti``: who it is, which try this is, and its XComs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.instants import pendulum_utc
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


class RunningTask:
    """The task instance that runs in this process."""

    def __init__(self, order: AttemptOrder, task: BaseOperator, run: DagRun, channel: TaskChannel) -> None:
        self._order, self._channel = order, channel
        self._ending: dict[str, Any] = {}
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
            task_ids: one task id gives one value (or ``default``); several give a list in their order, where a task
                that left nothing gives ``default``; None means this task.
            dag_id: of another DAG, which is looked up in the run with the same id unless ``run_id`` is given.
            key: the key; by default the returned value.
            include_prior_dates: look in earlier runs as well, newest first.
            session: ignored; it is part of Airflow's signature.
            map_indexes: one index gives one value, several a list; by default all of them: the bare value when exactly
                one pushed, else a list.
            default: what stands for nothing.
            run_id: of another run.
        """
        single = task_ids is None or isinstance(task_ids, str)
        wanted = [self.task_id if task_ids is None else str(task_ids)] if single else list(task_ids or ())
        if single and self._is_own(wanted[0], dag_id, run_id) and key in self._ending:
            return self._ending[key]
        one_index = map_indexes if isinstance(map_indexes, int) else None
        found = self._channel.get_xcom(
            dag_id=dag_id,
            run_id=run_id,
            task_ids=wanted,
            key=key,
            map_index=one_index,
            include_prior_dates=include_prior_dates,
        )
        indexes = None if map_indexes is NOTSET or map_indexes is None or one_index is not None else list(map_indexes)
        values = [_values_of(task_id, found, indexes, default, include_prior_dates) for task_id in wanted]
        return values[0] if single else values

    def _is_own(self, task_id: str, dag_id: str | None, run_id: str | None) -> bool:
        return task_id == self.task_id and dag_id in (None, self.dag_id) and run_id in (None, self.run_id)

    def __repr__(self) -> str:
        return f"<TaskInstance: {self.dag_id}.{self.task_id} {self.run_id} [try {self.try_number}]>"


def _values_of(
    task_id: str, found: Sequence[FoundXCom], indexes: Sequence[int] | None, default: Any, every_run: bool
) -> Any:
    mine = [one for one in found if one.task_id == task_id]
    if indexes is not None:
        by_index = {one.map_index: one for one in mine}
        return [_value(by_index[i]) if i in by_index else default for i in indexes]
    if not mine:
        return default
    if not every_run:
        mine = sorted(mine, key=lambda one: one.map_index)
    return _value(mine[0]) if len(mine) == 1 else [_value(one) for one in mine]


def _value(found: FoundXCom) -> Any:
    return unpack(found.value, found.location)
