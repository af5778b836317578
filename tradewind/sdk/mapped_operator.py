"""What is a mapped task? ``MappedOperator``: one task of the DAG that becomes as many as there are values.

``Operator.partial(...)`` holds the arguments that are the same for each index, ``expand`` gives the others. The
operator itself is made in the task process, once for the index that runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from tradewind.sdk import arguments
from tradewind.sdk.current import current_dag, current_group
from tradewind.sdk.exceptions import AirflowException, DagArgumentError
from tradewind.sdk.expand_input import ArgumentDicts, ExpandInput, ValueLists
from tradewind.sdk.mapping import check_dicts, check_distinct, check_names, check_place, check_values
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.operator_arguments import ARGUMENTS, HOOKS, OperatorArguments
from tradewind.sdk.operator_making import default_args_for, unmapping
from tradewind.sdk.params import ParamsDict
from tradewind.sdk.signatures import signature_of
from tradewind.sdk.xcom_arg import find_outputs

if TYPE_CHECKING:
    from typing import Unpack

    from tradewind.sdk.context_values import Context

_PLACE: Final = frozenset({"task_id", "dag", "task_group", "default_args"})
_MAY_DIFFER: Final = frozenset(
    {"params", "pool", "executor", "max_active_tis_per_dag", "max_active_tis_per_dagrun", "do_xcom_push",
     "multiple_outputs", "doc", "doc_md", "doc_json", "doc_yaml", "doc_rst", "task_display_name", "logger_name",
     "render_template_as_native_obj", "pre_execute", "post_execute", "email", "sla", "resources", "run_as_user"}
)  # fmt: skip
UNMAPPABLE: Final = _PLACE | (ARGUMENTS.keys() - _MAY_DIFFER)
"""Arguments that are the same for each index, as in Airflow: the scheduler needs most of them before any index runs."""


_ATTRIBUTES: Final = tuple(f"{name}_hook" if name in HOOKS else name for name in ARGUMENTS if name != "params")


class OperatorPartial:
    """What ``Operator.partial(...)`` returns: half a task, to be finished by ``expand`` or ``expand_kwargs``."""

    def __init__(self, operator_class: type[BaseOperator], kwargs: Mapping[str, Any]) -> None:
        self._is_expanded = True  # no warning about one that was refused
        self._operator_class, self._kwargs = operator_class, dict(kwargs)
        self._who = f"{operator_class.__name__} {kwargs['task_id']!r}"
        self._place = arguments.calling_place()
        check_names(self._who, "partial", kwargs, operator_class.known_arguments())
        dag = self._kwargs.get("dag") or current_dag()
        self._kwargs["dag"] = dag
        self._kwargs["task_group"] = self._kwargs.get("task_group") or current_group(dag)
        self._is_expanded = False

    def expand(self, **mapped: Any) -> MappedOperator:
        """Make a task for each combination of these values: lists, dicts, or outputs of tasks.

        Raises:
            DagArgumentError: nothing to expand over, an unknown argument, a value without elements, one given twice.
        """
        self._is_expanded = True
        check_values(self._who, mapped)
        check_names(self._who, "expand", mapped, self._operator_class.known_arguments())
        check_distinct(self._who, "expand", UNMAPPABLE | self._kwargs.keys() - {"params"}, mapped)
        return self._made(ValueLists(mapped), is_strict=False)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """Make a task for each dict of arguments.

        Args:
            kwargs: a list of dicts, or the output of a task that returns one.
            strict: an argument that partial() has given as well fails its index; otherwise the dict's value counts.
        """
        self._is_expanded = True
        check_dicts(self._who, kwargs)
        return self._made(ArgumentDicts(kwargs), is_strict=strict)

    def _made(self, expand_input: ExpandInput, *, is_strict: bool) -> MappedOperator:
        check_place(self._who, self._kwargs["task_group"])
        return MappedOperator(
            operator_class=self._operator_class,
            expand_input=expand_input,
            partial_kwargs=self._kwargs,
            is_strict=is_strict,
            **{name: value for name, value in self._kwargs.items() if name in _PLACE or name in ARGUMENTS},
        )

    def __del__(self) -> None:
        if not getattr(self, "_is_expanded", True):
            arguments.warn_late(self._place, f"{self._who} was never mapped: call expand() on what partial() returns")

    def __repr__(self) -> str:
        return f"{self._operator_class.__name__}.partial(task_id={self._kwargs['task_id']!r})"


class MappedOperator(BaseOperator):
    """A task that is expanded. It has the arguments that the scheduler needs; its indexes have them all."""

    is_mapped = True
    expand_input: ExpandInput

    def __init__(
        self,
        *,
        operator_class: type[BaseOperator],
        expand_input: ExpandInput,
        partial_kwargs: Mapping[str, Any],
        is_strict: bool,
        into_op_kwargs: bool = False,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        """
        Args:
            operator_class: what each index is.
            partial_kwargs: its arguments that are the same for each index.
            is_strict: whether an index fails that gets an argument which is in ``partial_kwargs``.
            into_op_kwargs: whether the values are arguments of a function, and not of the operator.
        """
        self.operator_class = operator_class
        self.expand_input = expand_input
        self.partial_kwargs = {name: value for name, value in partial_kwargs.items() if name not in _PLACE}
        self._is_strict, self._into_op_kwargs = is_strict, into_op_kwargs
        self.template_fields = operator_class.template_fields
        self.template_ext = operator_class.template_ext
        self.template_fields_renderers = operator_class.template_fields_renderers  # type: ignore[misc]  # its own
        self.ui_color, self.ui_fgcolor = operator_class.ui_color, operator_class.ui_fgcolor
        self.custom_operator_name = operator_class.custom_operator_name
        super().__init__(**{**_defaults_of(operator_class, kwargs), **kwargs})

    @property
    def task_type(self) -> str:
        """The class name of its indexes."""
        return self.operator_class.__name__

    @property
    def task_class(self) -> type[BaseOperator]:
        """The class of its indexes."""
        return self.operator_class

    def finish_init(self) -> None:
        """Wire the tasks whose outputs it needs."""
        self._as_made = {name: getattr(self, name) for name in _ATTRIBUTES}
        self.wire_outputs()

    def wire_outputs(self) -> None:
        """Wait for each task whose output is expanded over, or is an argument of every index."""
        templates = [self.partial_kwargs.get(field) for field in self.template_fields]
        for output in (*self.expand_input.all_outputs(), *find_outputs(templates)):
            self.set_upstream(output.operator)

    def concrete(self, context: Context) -> BaseOperator:
        """Return the operator of the index that runs, and make the context that of this operator.

        Raises:
            AirflowSkipException: a function given to ``map`` skips this index.
            Exception: whatever such a function, or the operator's ``__init__``, raises.
        """
        chosen = self.expand_input.resolve(context)
        task = self._make(chosen.values)
        task.given_values = chosen.given
        for name, value in self._as_made.items():  # a policy, or the file itself, may have set another
            if getattr(self, name) is not value:
                setattr(task, name, getattr(self, name))
        task.is_setup, task.is_teardown = self.is_setup, self.is_teardown
        task.on_failure_fail_dagrun = self.on_failure_fail_dagrun
        task.upstream_task_ids, task.downstream_task_ids = self.upstream_task_ids, self.downstream_task_ids
        _put_into(context, task)
        return task

    def _make(self, values: Mapping[str, Any]) -> BaseOperator:
        kwargs: dict[str, Any] = {
            **self.partial_kwargs,
            "task_id": self.own_id,
            "dag": self.dag,
            "task_group": self.task_group,
            "default_args": self.default_args,
        }
        if self._into_op_kwargs:
            same: Mapping[str, Any] = self.partial_kwargs.get("op_kwargs", {})
            self._check_distinct(same, values)
            kwargs["op_kwargs"] = {**same, **values}
            _check_accepted(self.partial_kwargs["python_callable"], kwargs["op_kwargs"])
        else:
            self._check_distinct(UNMAPPABLE | self.partial_kwargs.keys() - {"params"}, values)
            kwargs |= values  # params are merged
        kwargs["params"] = _merged_params(self.params, kwargs.get("params"))
        with unmapping(self.operator_class, self.own_id):
            return self.operator_class(**kwargs)

    def _check_distinct(self, same: Any, values: Mapping[str, Any]) -> None:
        twice = sorted(set(same) & set(values)) if self._is_strict else []
        if twice:
            raise TypeError(
                f"{self.who}: {', '.join(map(repr, twice))} comes from expand_kwargs() and is given already, or cannot "
                "be mapped. Give it in one place, or say expand_kwargs(..., strict=False)."
            )

    def execute(self, context: Context) -> Any:
        """Refused: a mapped task runs as its indexes."""
        raise AirflowException(f"{self.who} is mapped: its indexes run, not the mapped task itself.")

    def for_attempt(self) -> Self:
        """Return a copy."""
        return copy.copy(self)

    def __repr__(self) -> str:
        return f"<Mapped({self.task_type}): {self.task_id}>"


def _defaults_of(operator_class: type[BaseOperator], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the class itself says of arguments that every operator has, by defaults in its ``__init__``."""
    known = given.keys() | default_args_for(given).keys()
    found: dict[str, Any] = {}
    for base in reversed(operator_class.__mro__):
        if "__init__" in vars(base) and base is not BaseOperator and issubclass(base, BaseOperator):
            for name, parameter in signature_of(base.__init__).parameters.items():
                if name in ARGUMENTS and name not in known and parameter.default is not parameter.empty:
                    found[name] = parameter.default
    return found


def _check_accepted(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raise a TypeError, as Python would, when a ``@task`` function is given an argument that it does not have."""
    parameters = signature_of(function).parameters
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return
    for name in given:
        if name not in parameters:
            raise TypeError(f"{function.__name__}() got an unexpected keyword argument {str(name)!r}")


def _merged_params(own: ParamsDict, given: Any) -> ParamsDict:
    merged = copy.copy(own)
    for name, value in (given.declared() if isinstance(given, ParamsDict) else given or {}).items():
        merged[name] = value
    return merged


def _put_into(context: Context, task: BaseOperator) -> None:
    # Late: what a context is made of is needed only where a task runs.
    from tradewind.sdk.context import params_of

    ti = context["ti"]
    ti.task = task
    context["task"] = task
    context["params"] = params_of(ti.dag_run.conf, context["dag"], task)
    context["inlets"] = getattr(task, "inlets", None) or []
    context["outlets"] = getattr(task, "outlets", None) or []
    context["map_index_template"] = task.map_index_template
    context["templates_dict"] = getattr(task, "templates_dict", None)


def check_operator_arguments(who: str, operator_class: type[BaseOperator], given: Mapping[str, Any]) -> None:
    """Refuse arguments of ``@task(...)`` that its operator does not take.

    Raises:
        DagArgumentError: one of them is unknown.
    """
    strange = given.keys() - operator_class.known_arguments()
    if strange:
        raise DagArgumentError(str(arguments.unknown(who, strange, operator_class.known_arguments())))
