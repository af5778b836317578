"""What is a DAG in a DAG file? A name, a schedule, tasks and their defaults; a context manager that collects them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from tradewind.errors import DagError, DuplicateTaskId, NotFound
from tradewind.sdk import arguments, zones
from tradewind.sdk.calendars import excluded_days
from tradewind.sdk.current import pop_dag, pop_group, push_dag, push_group
from tradewind.sdk.dag_arguments import ARGUMENTS, OVERLOADED, RENAMED, DagArguments
from tradewind.sdk.graph import check_acyclic
from tradewind.sdk.params import NO_DEFAULT, DagParam, ParamsDict
from tradewind.sdk.task_group import TaskGroup

if TYPE_CHECKING:
    from tradewind.sdk.deadline import DeadlineAlert
    from tradewind.sdk.limits import Key
    from tradewind.sdk.operator import BaseOperator
    from tradewind.timetables import Timetable


class DAG:
    """A graph of tasks with a schedule. ``with DAG("name", schedule="@daily") as dag:`` collects what is made inside.

    The arguments are those of Airflow 3.3 (``dag_arguments``); one that cannot be obeyed warns or is refused.
    """

    def __init__(self, dag_id: str, **kwargs: Unpack[DagArguments]) -> None:
        self.dag_id = arguments.check_id("DAG", "dag_id", dag_id)
        self.who = f"DAG {dag_id!r}"
        given = _with_new_names(self.who, dict(kwargs))
        strange = given.keys() - ARGUMENTS.keys()
        if strange:
            raise arguments.unknown(self.who, strange, {"dag_id", *ARGUMENTS})
        for name, argument in ARGUMENTS.items():
            setattr(self, name, argument.check(self.who, name, given.get(name, argument.default())))
        self.default_args = dict(self.default_args)
        if isinstance(self.default_args.get("params"), Mapping):  # which win, as in Airflow
            self.params = ParamsDict({**self.params.declared(), **self.default_args.pop("params")})
        self.dag_display_name = self.dag_display_name or dag_id
        self._settle_dates()
        self._settle_policy(given)
        caller = arguments.calling_frame()
        self.fileloc = caller.f_code.co_filename
        self.excluded = excluded_days(self.who, self.exclude_dates, self.folder)
        self.made_at = (caller.f_code.co_filename, caller.f_lineno)
        self.edge_labels: dict[tuple[str, str], str] = {}
        self.task_dict: dict[str, BaseOperator] = {}
        self.group_dict: dict[str, TaskGroup] = {}
        self.task_group = TaskGroup(dag=self, is_root=True)
        self._timetable: Timetable | None = None
        self.refusal: Exception | None = None  # what a policy of the installation has against it

    if TYPE_CHECKING:  # set from the table of arguments
        schedule: Any
        description: str | None
        default_args: dict[str, Any]
        start_date: datetime | None
        end_date: datetime | None
        template_searchpath: list[str]
        template_undefined: type
        user_defined_macros: dict[str, Any]
        user_defined_filters: dict[str, Callable[..., Any]]
        max_active_tasks: int
        max_active_runs: int
        max_consecutive_failed_dag_runs: int
        pause_on_failure: bool
        concurrency: list[Key]
        run_retries: int
        run_retry_delay: timedelta
        on_run_failure: str
        runs_kept_for: timedelta | None
        overlap: str
        catchup_window: timedelta | None
        jitter: timedelta | None
        exclude_dates: Any
        dagrun_timeout: timedelta | None
        catchup: bool
        on_success_callback: list[Callable[..., Any]]
        on_failure_callback: list[Callable[..., Any]]
        deadline: list[DeadlineAlert]
        doc_md: str | None
        params: ParamsDict
        is_paused_upon_creation: bool | None
        jinja_environment_kwargs: dict[str, Any]
        render_template_as_native_obj: bool
        tags: set[str]
        owner_links: dict[str, str]
        auto_register: bool
        fail_fast: bool
        dag_display_name: str

    def _settle_dates(self) -> None:
        """Take start and end from ``default_args`` when the DAG has none, and give both a time zone."""
        self.start_date = self.start_date or self._default_date("start_date")
        self.end_date = self.end_date or self._default_date("end_date")
        self.timezone: tzinfo = zones.zone_of(self.who, self.start_date or self.end_date)
        self.start_date = zones.in_utc(self.start_date, self.timezone)
        self.end_date = zones.in_utc(self.end_date, self.timezone)

    def _settle_policy(self, given: Mapping[str, Any]) -> None:
        """Let the wishes about runs that meet or fail say the same in other arguments."""
        if self.pause_on_failure:
            if self.max_consecutive_failed_dag_runs and "max_consecutive_failed_dag_runs" in given:
                raise arguments.wrong(
                    self.who, "pause_on_failure", True, "left out, since max_consecutive_failed_dag_runs is given"
                )
            self.max_consecutive_failed_dag_runs = 1
        if "run_retry_delay" in given and not self.run_retries:
            mend = "left out, since run_retries is 0; or give run_retries"
            raise arguments.wrong(self.who, "run_retry_delay", self.run_retry_delay, mend)
        if self.overlap != "allow":
            if "max_active_runs" in given and self.max_active_runs > 1:
                raise arguments.wrong(
                    self.who, "max_active_runs", self.max_active_runs, f"1 or left out with overlap={self.overlap!r}"
                )
            self.max_active_runs = 1

    def _default_date(self, name: str) -> datetime | None:
        given = self.default_args.get(name)
        if isinstance(given, str):
            given = self.default_args[name] = zones.instant(f"{self.who}: default_args[{name!r}]", given)
        date: datetime | None = arguments.optional_instant(self.who, f"default_args[{name!r}]", given)
        return date

    # --- schedule --------------------------------------------------------------------------------

    @property
    def timetable(self) -> Timetable:
        """When runs are due, worked out from ``schedule`` when first asked for.

        Raises:
            DagError: the schedule cannot be meant.
        """
        if self._timetable is None:
            # Late, since croniter costs more than all the rest of this package, and many imports never ask.
            from tradewind.sdk.schedule import timetable_of

            self._timetable = timetable_of(self)
        return self._timetable

    # --- tasks and groups ------------------------------------------------------------------------

    def add_task(self, task: BaseOperator) -> None:
        """Take ``task`` into the DAG.

        Raises:
            DuplicateTaskId: there is a task or group with its id.
        """
        if self.task_dict.get(task.task_id) is task:
            return
        if task.task_id in self.taken_ids():
            raise DuplicateTaskId(
                f"{self.who} has a task or group {task.task_id!r} already. Give one of the two another task_id."
            )
        task.dag = self
        if task.task_group is None:
            task.task_group = self.task_group
        # As in Airflow: a task lives within its DAG's dates, whatever it says itself.
        task.start_date = zones.later(zones.in_utc(task.start_date, self.timezone), self.start_date)
        task.end_date = zones.earlier(zones.in_utc(task.end_date, self.timezone), self.end_date)
        task.task_group.children[task.task_id] = task
        self.task_dict[task.task_id] = task

    def add_tasks(self, tasks: Iterable[BaseOperator]) -> None:
        """Take several tasks into the DAG; errors as with :meth:`add_task`."""
        for task in tasks:
            self.add_task(task)

    def add_group(self, group: TaskGroup) -> None:
        """Take ``group`` into the DAG; its id was found to be free."""
        assert group.group_id is not None
        self.group_dict[group.group_id] = group

    def taken_ids(self) -> set[str]:
        """Return the ids of all tasks and groups."""
        return self.task_dict.keys() | self.group_dict.keys()

    @property
    def tasks(self) -> list[BaseOperator]:
        """The tasks, in the order of the file."""
        return list(self.task_dict.values())

    @property
    def task_ids(self) -> list[str]:
        """The ids of the tasks, in the order of the file."""
        return list(self.task_dict)

    @property
    def task_group_dict(self) -> dict[str, TaskGroup]:
        """The groups of tasks by id; the DAG as a whole is none of them."""
        return dict(self.group_dict)

    @property
    def roots(self) -> list[BaseOperator]:
        """The tasks that wait for none."""
        return [task for task in self.tasks if not task.upstream_task_ids]

    @property
    def leaves(self) -> list[BaseOperator]:
        """The tasks that none waits for."""
        return [task for task in self.tasks if not task.downstream_task_ids]

    def has_task(self, task_id: str) -> bool:
        """Return whether there is a task with this id."""
        return task_id in self.task_dict

    def has_task_group(self, group_id: str) -> bool:
        """Return whether there is a group of tasks with this id."""
        return group_id in self.group_dict

    def get_task(self, task_id: str) -> BaseOperator:
        """Return the task with this id.

        Raises:
            NotFound: there is none.
        """
        try:
            return self.task_dict[task_id]
        except KeyError:
            names = ", ".join(list(self.task_dict)[:10]) + (", ..." if len(self.task_dict) > 10 else "")
            mend = f"It has: {names}." if names else "It has no tasks."
            raise NotFound("Task", task_id, self.task_dict, mend, within=f"of DAG {self.dag_id!r}") from None

    def topological_sort(self) -> list[BaseOperator]:
        """Return the tasks in an order in which they could run.

        Raises:
            DagCycle: there is none.
        """
        return [self.task_dict[task_id] for task_id in check_acyclic(self)]

    def param(self, name: str, default: Any = NO_DEFAULT) -> DagParam:
        """Return the promise of a param's value in the run to come: an argument of a task.

        Args:
            default: declares the param, or replaces its default; left out, it is one that the DAG or the run has.
        """
        if default is not NO_DEFAULT:
            self.params[name] = default
        return DagParam(name)

    @property
    def owner(self) -> str:
        """The owners of the tasks, joined."""
        return ", ".join(sorted({task.owner for task in self.tasks}))

    @property
    def folder(self) -> str:
        """The folder of the file that defines the DAG; template files are looked for here."""
        return os.path.dirname(self.fileloc)

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Every pair (upstream task id, downstream task id), sorted."""
        return sorted((up, task.task_id) for task in self.tasks for up in task.upstream_task_ids)

    # --- context manager -------------------------------------------------------------------------

    def __enter__(self) -> Self:
        push_dag(self)
        push_group(self.task_group)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pop_group()
        pop_dag()

    # --- run it here -----------------------------------------------------------------------------

    def test(self, *args: Any, **kwargs: Any) -> Any:
        """Run the DAG once in this process, so that breakpoints work. Nothing is recorded.

        Stored variables and connections are read when there is a metadata DB; none is needed.
        Takes ``logical_date``, ``run_conf`` and the other arguments of ``scheduler.dagtest.run_dag_in_process``.
        """
        # The one wiring exception: an authoring file may start its own run, which needs the planner.
        from scheduler.dagtest import run_dag_in_process

        return run_dag_in_process(self, *args, **kwargs)

    def cli(self) -> None:
        """Refused: the command line of one DAG is gone since Airflow 3."""
        raise DagError(f"{self.who}: dag.cli() does not exist any more. Use `tradewind dags test {self.dag_id}`.")

    def __repr__(self) -> str:
        return f"<DAG: {self.dag_id}>"


def _with_new_names(who: str, given: dict[str, Any]) -> dict[str, Any]:
    for old, (new, convert) in RENAMED.items():
        if old in given and isinstance(given[old], OVERLOADED.get(old, object)):
            value = given.pop(old)
            if new in given:
                raise arguments.wrong(who, old, value, f"left out, since {new} is given as well")
            arguments.renamed(who, old, new)
            given[new] = convert(value)
    return given
