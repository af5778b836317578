"""What may user code ask of ``ti`` about other runs and tasks? The names are those of Airflow's task instance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tradewind.sdk import reach
from tradewind.sdk.exceptions import AirflowException, AirflowNotFoundException
from tradewind.sdk.instants import pendulum_utc
from tradewind.sdk.run_questions import (
    CountRuns,
    CountTasks,
    DagFacts,
    FindDag,
    FindPreviousRun,
    FindPreviousTask,
    FindRun,
    ListTasks,
    RunFacts,
    TaskFacts,
)

if TYPE_CHECKING:
    import pendulum

    from tradewind.model.orders import AttemptOrder


class LooksAtRuns:
    """The questions; each is asked of the supervisor. An argument that is None, or an empty list, says nothing."""

    dag_id: str
    task_id: str
    _order: AttemptOrder

    @staticmethod
    def get_dr_count(
        dag_id: str,
        logical_dates: Sequence[datetime] | None = None,
        run_ids: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
    ) -> int:
        """Return how many runs of a DAG there are."""
        question = CountRuns(dag_id, _instants(logical_dates), _texts(run_ids), _texts(states))
        return reach.channel("ti.get_dr_count").ask_about_runs(question).count

    @staticmethod
    def get_ti_count(
        dag_id: str,
        map_index: int | None = None,
        task_ids: Sequence[str] | None = None,
        task_group_id: str | None = None,
        logical_dates: Sequence[datetime] | None = None,
        run_ids: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
    ) -> int:
        """Return how many task instances of a DAG there are; the state ``null`` means those that have none yet."""
        question = CountTasks(
            dag_id,
            map_index,
            _texts(task_ids),
            task_group_id,
            _instants(logical_dates),
            _texts(run_ids),
            _texts(states),
        )
        return reach.channel("ti.get_ti_count").ask_about_runs(question).count

    @staticmethod
    def get_task_states(
        dag_id: str,
        map_index: int | None = None,
        task_ids: Sequence[str] | None = None,
        task_group_id: str | None = None,
        logical_dates: Sequence[datetime] | None = None,
        run_ids: Sequence[str] | None = None,
    ) -> dict[str, dict[str, str | None]]:
        """Return the states of tasks by run id, then by task id; ``<id>_<index>`` is an index of a mapped one."""
        question = ListTasks(
            dag_id, map_index, _texts(task_ids), task_group_id, _instants(logical_dates), _texts(run_ids)
        )
        found: dict[str, dict[str, str | None]] = {}
        for task in reach.channel("ti.get_task_states").ask_about_runs(question).tasks:
            name = task.task_id if task.map_index < 0 else f"{task.task_id}_{task.map_index}"
            found.setdefault(task.run_id, {})[name] = task.state
        return found

    @staticmethod
    def get_task_breadcrumbs(dag_id: str, run_id: str) -> Iterator[dict[str, Any]]:
        """Yield what is known of the tasks of a run that have ended: id, index, state and seconds."""
        question = ListTasks(dag_id, run_ids=(run_id,), is_ended=True)
        for task in reach.channel("ti.get_task_breadcrumbs").ask_about_runs(question).tasks:
            yield {
                "task_id": task.task_id,
                "map_index": task.map_index,
                "state": task.state,
                "duration": task.duration,
            }

    @staticmethod
    def get_dagrun_state(dag_id: str, run_id: str) -> str:
        """Return the state of a run.

        Raises:
            AirflowNotFoundException: there is no such run.
        """
        found = reach.channel("ti.get_dagrun_state").ask_about_runs(FindRun(dag_id, run_id)).run
        if found is None:
            raise AirflowNotFoundException(f"DAG {dag_id!r} has no run {run_id!r}. Check the names of both.")
        return found.state

    @staticmethod
    def get_dag(dag_id: str) -> DagFacts:
        """Return what is known of a DAG.

        Raises:
            AirflowNotFoundException: there is no such DAG.
        """
        found = reach.channel("ti.get_dag").ask_about_runs(FindDag(dag_id)).dag
        if found is None:
            raise AirflowNotFoundException(f"There is no DAG {dag_id!r}. Check its name and its file.")
        return found

    def get_previous_dagrun(self, state: str | None = None) -> RunFacts | None:
        """Return the latest run of this DAG before this one by its logical date, or None.

        Args:
            state: of that run; None: any.
        """
        before = self._order.logical_date
        if before is None:
            return None
        question = FindPreviousRun(self.dag_id, before, state)
        return reach.channel("ti.get_previous_dagrun").ask_about_runs(question).run

    def get_previous_ti(
        self, state: str | None = None, logical_date: datetime | None = None, map_index: int = -1
    ) -> TaskFacts | None:
        """Return the latest instance of this task before a logical date (that of this run by default), or None."""
        before = self._order.logical_date if logical_date is None else logical_date
        question = FindPreviousTask(self.dag_id, self.task_id, before, map_index, state)
        found = reach.channel("ti.get_previous_ti").ask_about_runs(question).tasks
        return found[0] if found else None

    def get_first_reschedule_date(self, context: Any = None) -> pendulum.DateTime | None:
        """Return when this try began, when it has let go of its slot since; else None."""
        return pendulum_utc(self._order.first_started_at)


def _texts(values: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple("null" if value is None else str(value) for value in values)


def _instants(values: Iterable[datetime] | None) -> tuple[datetime, ...] | None:
    if values is None:
        return None
    found = tuple(values)
    for value in found:
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise AirflowException(f"A logical date must be a datetime with a time zone, not {value!r}.")
    return found
