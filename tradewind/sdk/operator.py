"""What is a task before it runs? ``BaseOperator``: a node of a DAG with its arguments, and the methods of its work.

The arguments that every operator takes stand in one table (``operator_arguments``): names, defaults and checks.
``default_args`` fill in what a call leaves out, at each level of a class hierarchy, as in Airflow: an ``__init__`` gets
the defaults for the arguments that it names, and hands the rest up through ``**kwargs``.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Unpack

from tradewind.sdk import arguments
from tradewind.sdk.current import current_dag, current_group
from tradewind.sdk.edges import Node
from tradewind.sdk.exceptions import DagArgumentError, TaskDeferralError, TaskDeferralTimeout, TaskDeferred
from tradewind.sdk.operator_arguments import ARGUMENTS, HOOKS, Argument, OperatorArguments
from tradewind.sdk.operator_making import ClassOnly, OperatorMeta, is_being_unmapped
from tradewind.sdk.params import ParamsDict
from tradewind.sdk.setup_teardown import Scope, close_scope, current_scope, drop_scope, open_scope
from tradewind.sdk.signatures import signature_of
from tradewind.sdk.xcom_arg import XComArg, find_outputs

if TYPE_CHECKING:
    from jinja2 import Environment

    from tradewind.sdk.context import Context
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.deadline import DeadlineAlert
    from tradewind.sdk.expand_input import ExpandInput
    from tradewind.sdk.limits import Key, Rate
    from tradewind.sdk.mapped_operator import OperatorPartial
    from tradewind.sdk.retry_policy import RetryPolicy
    from tradewind.sdk.task_group import TaskGroup
    from tradewind.sdk.templates import Renderer
    from tradewind.sdk.triggers.base import BaseTrigger, StartTriggerArgs
    from tradewind.sdk.weights import PriorityWeightStrategy

FAIL: Final = "__fail__"
"""Given to ``resume_execution`` instead of a method's name when a wait ended badly; Airflow's word."""
TRIGGER_TIMEOUT: Final = "Trigger timeout"
"""The error of a wait whose time was over."""


class BaseOperator(Node, metaclass=OperatorMeta):
    """One task of a DAG. Subclasses give ``execute(context)``, and name the fields that are templates.

    Attributes:
        template_fields: names of attributes that are rendered before ``execute``.
        template_ext: endings of texts that name a template file to be read.
        template_fields_renderers: how the UI should colour a field, e.g. ``{"sql": "sql"}``.
        ui_color, ui_fgcolor: colours in the graph view.
    """

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()
    template_fields_renderers: ClassVar[dict[str, str]] = {}
    ui_color: str = "#fff"
    ui_fgcolor: str = "#000"
    start_trigger_args: StartTriggerArgs | None = None
    start_from_trigger: bool = False
    shallow_copy_attrs: Sequence[str] = ()
    custom_operator_name: str | None = None

    is_mapped: bool = False
    """Whether it stands for as many tasks as there are values to expand it over."""
    expand_input: ExpandInput | None = None
    """Over what a mapped task is expanded."""
    given_values: Sequence[Any] = ()
    """Arguments that other tasks have returned: what stands in them is no template. For one index of a mapped task."""

    _ready: bool = False
    _is_setup: bool = False
    _is_teardown: bool = False
    _on_failure_fail_dagrun: bool = False

    def __init__(self, **kwargs: Unpack[OperatorArguments]) -> None:
        given: dict[str, Any] = dict(kwargs)
        if "task_id" not in given:
            raise DagArgumentError(
                f"{type(self).__name__} needs a task_id. Write {type(self).__name__}(task_id='...')."
            )
        defaults = given.pop("default_args", None) or {}
        group: TaskGroup | None = given.pop("task_group", None)
        dag: DAG | None = given.pop("dag", None) or (group.dag if group else None) or current_dag()
        own_id = arguments.check_id(type(self).__name__, "task_id", given.pop("task_id"))
        self.who = f"{self.task_type} {own_id!r}"
        self.own_id = own_id
        strange = given.keys() - ARGUMENTS.keys()
        if strange:
            raise arguments.unknown(self.who, strange, self.known_arguments())
        for name, argument in ARGUMENTS.items():
            attribute = f"{name}_hook" if name in HOOKS else name  # pre_execute is a method as well
            if name in given or name not in defaults:
                value = argument.check(self.who, name, given[name] if name in given else argument.default())
            else:
                value = self._check_default(argument, name, defaults[name], dag)
            setattr(self, attribute, value)
        if dag is not None and dag.params:
            self.params = ParamsDict({**dag.params.declared(), **self.params.declared()})
        if self.wait_for_downstream:
            self.depends_on_past = True  # waiting for what is below the past task means waiting for that task
        self.label = self.task_display_name or own_id
        self.default_args = defaults
        self.upstream_task_ids: set[str] = set()
        self.downstream_task_ids: set[str] = set()
        self.dag: DAG | None = None
        self.task_group: TaskGroup | None = group or current_group(dag) or (dag.task_group if dag else None)
        self.task_id = self.task_group.child_id(own_id) if self.task_group else own_id
        arguments.check_length(self.who, "task_id with its groups", self.task_id, arguments.MAX_ID_LENGTH)
        if is_being_unmapped(self):  # the mapped task stands in the DAG already
            self.dag = dag
            return
        if dag is not None:
            dag.add_task(self)
        scope = current_scope()
        if scope is not None:
            scope.take(self)

    def _check_default(self, argument: Argument, name: str, value: Any, dag: DAG | None) -> Any:
        """Check what ``default_args`` give. A warning about those of the DAG is told of the DAG, not of every task."""
        if dag is None or dag.default_args.get(name) is not value:
            return argument.check(self.who, name, value)
        with arguments.warning_at(dag.made_at):
            return argument.check(f"{dag.who}, default_args", name, value)

    if TYPE_CHECKING:  # set from the table of arguments
        owner: str
        retries: int
        retry_delay: timedelta
        retry_exponential_backoff: float
        max_retry_delay: timedelta | None
        start_date: Any
        end_date: Any
        depends_on_past: bool
        wait_for_downstream: bool
        ignore_first_depends_on_past: bool
        wait_for_past_depends_before_skipping: bool
        params: Any
        priority_weight: int
        weight_rule: str | PriorityWeightStrategy
        queue: str
        pool: str
        pool_slots: int
        execution_timeout: timedelta | None
        on_execute_callback: list[Callable[[Context], Any]]
        on_failure_callback: list[Callable[[Context], Any]]
        on_success_callback: list[Callable[[Context], Any]]
        on_retry_callback: list[Callable[[Context], Any]]
        on_skipped_callback: list[Callable[[Context], Any]]
        trigger_rule: str
        max_active_tis_per_dag: int | None
        max_active_tis_per_dagrun: int | None
        concurrency: list[Key]
        rate_limits: list[Rate]
        map_index_template: str | None
        executor: str | None
        do_xcom_push: bool
        multiple_outputs: bool
        doc: str | None
        doc_md: str | None
        task_display_name: str | None
        logger_name: str | None
        email: str | list[str] | None
        email_on_retry: bool
        email_on_failure: bool
        inlets: list[Any]
        outlets: list[Any]
        retry_policy: RetryPolicy | None
        deadline: list[DeadlineAlert]
        pre_execute_hook: Callable[[Context], Any] | None
        post_execute_hook: Callable[..., Any] | None
        render_template_as_native_obj: bool | None

    @classmethod
    def known_arguments(cls) -> set[str]:
        """Return the names of all arguments that it takes."""
        names = {"task_id", "dag", "task_group", "default_args", *ARGUMENTS}
        for base in cls.__mro__:
            if "__init__" in vars(base) and issubclass(base, BaseOperator):
                names.update(signature_of(base.__init__).parameters)
        return names - {"self", "kwargs", "args"}

    @ClassOnly
    def partial(cls: type[BaseOperator], *, task_id: str, **kwargs: Any) -> OperatorPartial:
        """Begin a mapped task with the arguments that are the same for each index; ``expand`` gives the others."""
        # Late: a mapped task is an operator itself.
        from tradewind.sdk.mapped_operator import OperatorPartial

        return OperatorPartial(cls, {"task_id": task_id, **kwargs})

    # --- once it is there ------------------------------------------------------------------------

    def finish_init(self) -> None:
        """Wire the tasks whose outputs stand in template fields. Called once, after the outermost ``__init__``."""
        for field in self.template_fields:
            if not hasattr(self, field):
                raise DagArgumentError(
                    f"{self.who}: template_fields names {field!r}, but {type(self).__name__} has no such attribute. "
                    f"Set self.{field} in __init__, or take it out of template_fields."
                )
        if is_being_unmapped(self):
            return
        self._ready = True
        self.wire_outputs()

    def wire_outputs(self) -> None:
        """Wait for each task whose output stands in a template field."""
        for field in self.template_fields:
            for output in find_outputs(getattr(self, field, None)):
                if output.operator is not self:
                    self.set_upstream(output.operator)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if self._ready and name in self.template_fields:
            self.wire_outputs()

    # --- in the graph ----------------------------------------------------------------------------

    @property
    def roots(self) -> Sequence[BaseOperator]:
        """Itself."""
        return (self,)

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        """Itself."""
        return (self,)

    @property
    def node_id(self) -> str:
        """The task id."""
        return self.task_id

    @property
    def dag_id(self) -> str:
        """The id of the DAG, or a made-up one while the task belongs to none."""
        return self.dag.dag_id if self.dag else f"adhoc_{self.owner}"

    @property
    def task_type(self) -> str:
        """The class name, as the UI shows it."""
        return type(self).__name__

    @property
    def task_class(self) -> type[BaseOperator]:
        """What runs: its class, or that of the indexes of a mapped task."""
        return type(self)

    @property
    def operator_name(self) -> str:
        """What the UI calls this kind of task, e.g. ``@task``."""
        return self.custom_operator_name or self.task_type

    @property
    def upstream_list(self) -> list[BaseOperator]:
        """The tasks directly upstream."""
        return [self._dag_or_raise().task_dict[i] for i in sorted(self.upstream_task_ids)]

    @property
    def downstream_list(self) -> list[BaseOperator]:
        """The tasks directly downstream."""
        return [self._dag_or_raise().task_dict[i] for i in sorted(self.downstream_task_ids)]

    def get_direct_relative_ids(self, upstream: bool = False) -> set[str]:
        """Return the ids of the tasks directly downstream, or upstream."""
        return self.upstream_task_ids if upstream else self.downstream_task_ids

    def get_direct_relatives(self, upstream: bool = False) -> Iterable[BaseOperator]:
        """Return the tasks directly downstream, or upstream."""
        return self.upstream_list if upstream else self.downstream_list

    def get_flat_relative_ids(self, *, upstream: bool = False) -> set[str]:
        """Return the ids of all tasks downstream, or upstream, near and far."""
        tasks, found = self._dag_or_raise().task_dict, set[str]()
        waiting = list(self.get_direct_relative_ids(upstream))
        while waiting:
            task_id = waiting.pop()
            if task_id not in found:
                found.add(task_id)
                waiting.extend(tasks[task_id].get_direct_relative_ids(upstream))
        return found

    def get_flat_relatives(self, upstream: bool = False) -> list[BaseOperator]:
        """Return all tasks downstream, or upstream, near and far."""
        return [self._dag_or_raise().task_dict[i] for i in sorted(self.get_flat_relative_ids(upstream=upstream))]

    def has_dag(self) -> bool:
        """Return whether the task belongs to a DAG."""
        return self.dag is not None

    def get_dag(self) -> DAG | None:
        """Return the DAG, or None."""
        return self.dag

    def _dag_or_raise(self) -> DAG:
        if self.dag is None:
            raise DagArgumentError(f"{self.who} belongs to no DAG. Create it inside `with DAG(...):`, or pass dag=.")
        return self.dag

    # --- assets ---------------------------------------------------------------------------------

    def add_inlets(self, inlets: Iterable[Any]) -> None:
        """Name further assets that the task reads."""
        self.inlets.extend(inlets)

    def add_outlets(self, outlets: Iterable[Any]) -> None:
        """Name further assets that the task updates."""
        self.outlets.extend(outlets)

    def get_inlet_defs(self) -> list[Any]:
        """Return what the task reads."""
        return self.inlets

    def get_outlet_defs(self) -> list[Any]:
        """Return what the task updates."""
        return self.outlets

    # --- outputs ---------------------------------------------------------------------------------

    @property
    def output(self) -> XComArg:
        """The value that ``execute`` will return, for use as an argument of another task."""
        return XComArg(self)

    @property
    def is_setup(self) -> bool:
        """Whether it prepares something for the tasks below it."""
        return self._is_setup

    @is_setup.setter
    def is_setup(self, value: bool) -> None:
        if value and self._is_teardown:
            raise DagArgumentError(f"{self.who} is a teardown already, so it cannot be a setup. Make two tasks.")
        self._is_setup = value

    @property
    def is_teardown(self) -> bool:
        """Whether it cleans up after the tasks above it."""
        return self._is_teardown

    @is_teardown.setter
    def is_teardown(self, value: bool) -> None:
        if value and self._is_setup:
            raise DagArgumentError(f"{self.who} is a setup already, so it cannot be a teardown. Make two tasks.")
        self._is_teardown = value

    @property
    def on_failure_fail_dagrun(self) -> bool:
        """Whether the failure of this teardown is a failure of the run."""
        return self._on_failure_fail_dagrun

    @on_failure_fail_dagrun.setter
    def on_failure_fail_dagrun(self, value: bool) -> None:
        if value and not self._is_teardown:
            raise DagArgumentError(
                f"{self.who}: on_failure_fail_dagrun is for teardowns, and it is none. Mark it with .as_teardown(); "
                "the failure of any other task fails the run anyway."
            )
        self._on_failure_fail_dagrun = value

    def as_setup(self) -> BaseOperator:
        """Mark this task as one that prepares something for the tasks below it."""
        self.is_setup = True
        return self

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: bool | None = None) -> BaseOperator:
        """Mark this task as one that cleans up: it runs once the work is done, however that ended.

        Args:
            setups: a task that this one cleans up after, or several; they become setups, and are wired to it.
            on_failure_fail_dagrun: whether its failure is a failure of the run.
        """
        self.is_teardown = True
        self.trigger_rule = "all_done_setup_success"
        if on_failure_fail_dagrun is not None:
            self.on_failure_fail_dagrun = on_failure_fail_dagrun
        for node in [setups] if isinstance(setups, Node) else list(setups or ()):
            for task in node.leaves:
                task.as_setup()
                task.set_downstream(self)
        return self

    def __enter__(self) -> Scope:
        """Open the scope of this setup or teardown: tasks made in the block are its work."""
        return open_scope([self])

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        close_scope() if kind is None else drop_scope()

    # --- what runs -------------------------------------------------------------------------------

    @property
    def log(self) -> logging.Logger:
        """The logger whose lines go to the attempt's log file."""
        name = f"airflow.task.operators.{type(self).__module__}.{type(self).__name__}"
        return logging.getLogger(f"{name}.{self.logger_name}" if self.logger_name else name)

    def pre_execute(self, context: Context) -> None:
        """Run just before :meth:`execute`; for subclasses."""

    def execute(self, context: Context) -> Any:
        """Do the work. What is returned becomes the XCom ``return_value``, unless ``do_xcom_push`` is off."""
        raise NotImplementedError(
            f"{type(self).__name__} has no execute(). Give it one: def execute(self, context): ..."
        )

    def defer(
        self,
        *,
        trigger: BaseTrigger,
        method_name: str | None,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | int | float | None = None,
    ) -> NoReturn:
        """Let go of the slot until ``trigger`` fires; then ``method_name`` is called, in another process.

        Args:
            method_name: of this operator; it gets the context, ``kwargs``, and ``event=`` the payload of the event.
                None when the trigger ends the task by itself.
            timeout: how long to wait at most; then the task fails with TaskDeferralTimeout.
        """
        raise TaskDeferred(trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=timeout)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a wait: called instead of :meth:`execute`. For subclasses that treat failures in their own way.

        Args:
            next_method: the method to call; ``__fail__`` when the wait ended badly.
            next_kwargs: what to call it with; of a failure ``error`` and, when the trigger raised, ``traceback``.

        Raises:
            TaskDeferralTimeout: the time was over.
            TaskDeferralError: the trigger failed, or ended without an event.
        """
        told = next_kwargs or {}
        if next_method != FAIL:
            return getattr(self, next_method)(context, **told)
        if told.get("error") == TRIGGER_TIMEOUT:
            raise TaskDeferralTimeout(TRIGGER_TIMEOUT)
        lines = told.get("traceback") or ()
        if lines:
            self.log.error("Trigger failed:\n%s", "\n".join(lines))
        error = told.get("error", "Unknown")
        raise TaskDeferralError(f"{error}: {lines[-1]}" if lines else error)

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Run just after :meth:`execute` succeeded; for subclasses."""

    def on_kill(self) -> None:
        """Clean up what the task started (processes, remote jobs); called when it is cancelled or times out."""

    def prepare_template(self) -> None:
        """Change template fields after their files were read and before they are rendered; for subclasses."""

    def get_template_env(self, dag: DAG | None = None) -> Environment:
        """Return the Jinja environment in which the fields of the task are rendered: that of ``dag``, or of its own."""
        from tradewind.sdk.templates import environment_for  # late: only tasks with templates need Jinja2

        return environment_for(self, dag or self._dag_or_raise())

    def render_template(self, content: Any, context: Mapping[str, Any], jinja_env: Environment | None = None) -> Any:
        """Return ``content`` with the templates in it rendered: a text, or a list, dict... of them."""
        return self._renderer(context, jinja_env).render_value(content)

    def render_template_fields(self, context: Mapping[str, Any], jinja_env: Environment | None = None) -> None:
        """Render the template fields once more, after ``execute`` has set them."""
        self._renderer(context, jinja_env).render_fields()

    def _renderer(self, context: Mapping[str, Any], environment: Environment | None) -> Renderer:
        from tradewind.sdk.context_values import Context
        from tradewind.sdk.templates import Renderer

        known = context if isinstance(context, Context) else Context({"dag": self._dag_or_raise(), **context})
        return Renderer(self, known, environment)

    def concrete(self, context: Context) -> BaseOperator:
        """Return what is run in this context: itself, or of a mapped task the task of the index that runs."""
        return self

    def for_attempt(self) -> BaseOperator:
        """Return a copy whose fields can be rendered without touching the original, so that a retry starts afresh."""
        return copy.copy(self)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(
            f"{self.who} is a task and cannot be iterated over at parse time; its output is known only later."
        )

    def __repr__(self) -> str:
        return f"<Task({self.task_type}): {self.task_id}>"
