"""What is a task before it runs? ``BaseOperator``: a node of a DAG with its arguments, and the methods of its work.

The arguments that every operator takes stand in one table (``operator_arguments``): names, defaults and checks.
``default_args`` fill in what a call leaves out, at each level of a class hierarchy, as in Airflow: an ``__init__`` gets
the defaults for the arguments that it names, and hands the rest up through ``**kwargs``.
"""

from __future__ import annotations

import copy
import functools
import logging
from abc import ABCMeta
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from tradewind.sdk import arguments
from tradewind.sdk.current import current_dag, current_group
from tradewind.sdk.edges import Node
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.mapping import mapping_refused
from tradewind.sdk.operator_arguments import ARGUMENTS, HOOKS, Argument, OperatorArguments
from tradewind.sdk.signatures import signature_of
from tradewind.sdk.xcom_arg import XComArg, find_outputs

if TYPE_CHECKING:
    from tradewind.sdk.context import Context
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.task_group import TaskGroup


def _fills_defaults(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap one ``__init__`` of an operator class: keyword arguments only, and ``default_args`` filled in."""
    signature = signature_of(init)
    named = [
        name
        for name, parameter in signature.parameters.items()
        if name != "self" and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]

    passes_on = any(p.kind is p.VAR_KEYWORD or p.name == "default_args" for p in signature.parameters.values())

    @functools.wraps(init)
    def with_defaults(self: BaseOperator, *args: Any, **kwargs: Any) -> None:
        if args:
            raise DagArgumentError(
                f"{type(self).__name__} takes keyword arguments only, and got {args[0]!r} by position. "
                "Write task_id='...' and the name of each other argument."
            )
        defaults = _default_args_for(kwargs)
        for name in named:
            if name not in kwargs and name in defaults:
                kwargs[name] = defaults[name]
        if defaults and passes_on:
            kwargs["default_args"] = defaults
        init(self, **kwargs)

    return with_defaults


def _default_args_for(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults that hold for a call: the DAG's, the groups' from outside in, the call's own."""
    dag = kwargs.get("dag") or current_dag()
    group = kwargs.get("task_group") or current_group(dag)
    merged: dict[str, Any] = {}
    if dag is not None:
        merged.update(dag.default_args)
    if group is not None:
        merged.update(group.merged_default_args)
    own = kwargs.get("default_args")
    if own is not None and not isinstance(own, Mapping):
        raise arguments.wrong(f"Task {kwargs.get('task_id')!r}", "default_args", own, "a dict")
    merged.update(own or {})
    return merged


class OperatorMeta(ABCMeta):
    """Finishes each new operator once the whole chain of ``__init__`` has run."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> OperatorMeta:
        cls = super().__new__(mcls, name, bases, namespace, **kwargs)
        if "__init__" in namespace:
            cls.__init__ = _fills_defaults(namespace["__init__"])  # type: ignore[misc]  # wrapped once, here
        return cls

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        task = super().__call__(*args, **kwargs)
        task.finish_init()
        return task


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
    shallow_copy_attrs: Sequence[str] = ()
    custom_operator_name: str | None = None

    _ready: bool = False

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
        self.who = f"{type(self).__name__} {own_id!r}"
        strange = given.keys() - ARGUMENTS.keys()
        if strange:
            raise arguments.unknown(self.who, strange, self._known_arguments())
        for name, argument in ARGUMENTS.items():
            attribute = f"{name}_hook" if name in HOOKS else name  # pre_execute is a method as well
            if name in given or name not in defaults:
                value = argument.check(self.who, name, given[name] if name in given else argument.default())
            else:
                value = self._check_default(argument, name, defaults[name], dag)
            setattr(self, attribute, value)
        if self.wait_for_downstream:
            self.depends_on_past = True  # waiting for what is below the past task means waiting for that task
        self.label = self.task_display_name or own_id
        self.default_args = defaults
        self.upstream_task_ids: set[str] = set()
        self.downstream_task_ids: set[str] = set()
        self.is_setup = self.is_teardown = self.on_failure_fail_dagrun = False
        self.dag: DAG | None = None
        self.task_group: TaskGroup | None = group or current_group(dag) or (dag.task_group if dag else None)
        self.task_id = self.task_group.child_id(own_id) if self.task_group else own_id
        if dag is not None:
            dag.add_task(self)

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
        params: Any
        priority_weight: int
        weight_rule: str
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
        executor: str | None
        do_xcom_push: bool
        multiple_outputs: bool
        doc: str | None
        doc_md: str | None
        task_display_name: str | None
        logger_name: str | None
        pre_execute_hook: Callable[[Context], Any] | None
        post_execute_hook: Callable[..., Any] | None
        render_template_as_native_obj: bool | None

    @classmethod
    def _known_arguments(cls) -> set[str]:
        names = {"task_id", "dag", "task_group", "default_args", *ARGUMENTS}
        for base in cls.__mro__:
            if "__init__" in vars(base) and issubclass(base, BaseOperator):
                names.update(signature_of(base.__init__).parameters)
        return names - {"self", "kwargs", "args"}

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Refused: dynamic task mapping does not exist yet."""
        raise mapping_refused(f"{cls.__name__}.partial(...)")

    # --- once it is there ------------------------------------------------------------------------

    def finish_init(self) -> None:
        """Wire the tasks whose outputs stand in template fields. Called once, after the outermost ``__init__``."""
        for field in self.template_fields:
            if not hasattr(self, field):
                raise DagArgumentError(
                    f"{self.who}: template_fields names {field!r}, but {type(self).__name__} has no such attribute. "
                    f"Set self.{field} in __init__, or take it out of template_fields."
                )
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

    def _dag_or_raise(self) -> DAG:
        if self.dag is None:
            raise DagArgumentError(f"{self.who} belongs to no DAG. Create it inside `with DAG(...):`, or pass dag=.")
        return self.dag

    # --- outputs ---------------------------------------------------------------------------------

    @property
    def output(self) -> XComArg:
        """The value that ``execute`` will return, for use as an argument of another task."""
        return XComArg(self)

    def as_setup(self) -> BaseOperator:
        """Mark this task as one that prepares something for the tasks below it."""
        self.is_setup = True
        return self

    def as_teardown(
        self, *, setups: BaseOperator | Iterable[BaseOperator] | None = None, on_failure_fail_dagrun: bool = False
    ) -> BaseOperator:
        """Mark this task as one that cleans up: it runs once the work is done, however that ended.

        Args:
            setups: tasks that this one cleans up after; they become setups, and are wired to it.
            on_failure_fail_dagrun: whether its failure is a failure of the run.
        """
        self.is_teardown = True
        self.trigger_rule = "all_done_setup_success"
        self.on_failure_fail_dagrun = on_failure_fail_dagrun
        for task in [setups] if isinstance(setups, BaseOperator) else list(setups or ()):
            task.as_setup()
            task.set_downstream(self)
        return self

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

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Run just after :meth:`execute` succeeded; for subclasses."""

    def on_kill(self) -> None:
        """Clean up what the task started (processes, remote jobs); called when it is cancelled or times out."""

    def prepare_template(self) -> None:
        """Change template fields after their files were read and before they are rendered; for subclasses."""

    def for_attempt(self) -> BaseOperator:
        """Return a copy whose fields can be rendered without touching the original, so that a retry starts afresh."""
        return copy.copy(self)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(
            f"{self.who} is a task and cannot be iterated over at parse time; its output is known only later."
        )

    def __repr__(self) -> str:
        return f"<Task({self.task_type}): {self.task_id}>"
