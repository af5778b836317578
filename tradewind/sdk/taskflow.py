"""How does a function become a task? ``@task``: a call of the function in a DAG file makes a task of it."""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, overload

from tradewind.errors import did_you_mean
from tradewind.sdk.conditions import Condition, conditional
from tradewind.sdk.context_names import CONTEXT_NAMES
from tradewind.sdk.context_values import Context
from tradewind.sdk.current import current_dag, current_group
from tradewind.sdk.exceptions import AirflowException, DagArgumentError, NotSupportedYet
from tradewind.sdk.expand_input import ArgumentDicts, ExpandInput, ValueLists
from tradewind.sdk.mapped_operator import MappedOperator, check_operator_arguments
from tradewind.sdk.mapping import (
    check_always,
    check_dicts,
    check_distinct,
    check_function_names,
    check_no_context_names,
    check_place,
    check_values,
)
from tradewind.sdk.operator_arguments import ARGUMENTS
from tradewind.sdk.operators.bash import BashOperator
from tradewind.sdk.operators.python import PythonOperator, call_in
from tradewind.sdk.signatures import signature_of
from tradewind.sdk.task_group_decorator import TaskGroupFactory
from tradewind.sdk.xcom_arg import XComArg

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.operator import BaseOperator
    from tradewind.sdk.task_group import TaskGroup

Function = TypeVar("Function", bound=Callable[..., Any])

_LATER: Final = ["kubernetes", "pyspark", "stub"]
_NOW: Final = (
    "bash", "branch", "branch_external_python", "branch_virtualenv", "docker", "external_python", "python", "run_if",
    "sensor", "short_circuit", "skip_if", "sql", "virtualenv",
)  # fmt: skip


class PythonTask(PythonOperator):
    """The task that a call of a ``@task`` function makes."""

    template_fields: Sequence[str] = ("templates_dict", "op_args", "op_kwargs")
    custom_operator_name = "@task"

    def execute(self, context: Context) -> Any:
        """Call the function; with ``multiple_outputs`` check that it returned a dict with text keys."""
        result = super().execute(context)
        return _checked_outputs(self.who, result) if self.multiple_outputs else result


class BashTask(BashOperator):
    """The task that a call of a ``@task.bash`` function makes: the function returns the command."""

    template_fields: Sequence[str] = (*BashOperator.template_fields, "op_args", "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **BashOperator.template_fields_renderers,
        "op_args": "py",
        "op_kwargs": "py",
    }
    custom_operator_name = "@task.bash"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any],
        op_kwargs: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(bash_command="", **kwargs)
        self.python_callable = python_callable
        self.op_args: Any = op_args
        self.op_kwargs: Any = op_kwargs

    def execute(self, context: Context) -> Any:
        """Call the function, render the command that it returns, and run it."""
        command = call_in(context, self.python_callable, self.op_args, self.op_kwargs)
        if not isinstance(command, str) or not command.strip():
            raise TypeError(
                f"{self.who}: the function must return the command as a text that is not empty, not {command!r}."
            )
        self.bash_command = Context.of(context).render(self, command)
        if "ti" in context:  # a unit test's context may be empty
            context["ti"].show_fields(self)
        return super().execute(context)


def _checked_outputs(who: str, result: Any) -> Any:
    if result is None:
        return None
    if not isinstance(result, dict):
        raise AirflowException(
            f"{who} has multiple_outputs=True, so it must return a dict, not {type(result).__name__}. "
            "Return a dict or remove multiple_outputs."
        )
    for key in result:
        if not isinstance(key, str):
            raise AirflowException(
                f"{who} has multiple_outputs=True, so the keys of the dict it returns must be texts, not {key!r} "
                f"({type(key).__name__}). Use text keys or remove multiple_outputs."
            )
    return result


class TaskFactory:
    """A decorated function. Calling it in a DAG makes a task and returns the promise of its output."""

    def __init__(
        self,
        function: Callable[..., Any],
        operator: type[Any],
        settings: Mapping[str, Any],
        given: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            given: arguments of the function that are the same for each index of a mapped task.
        """
        self.function = function
        self.operator_class = operator
        self.settings = dict(settings)
        self.given = dict(given or {})
        self.is_setup = self.is_teardown = self.on_failure_fail_dagrun = False
        functools.update_wrapper(self, function)
        self._check_context_parameters()

    def _check_context_parameters(self) -> None:
        parameters = signature_of(self.function).parameters
        if "self" in parameters:
            raise DagArgumentError(
                f"@task function {self.__name__} is a method: it has a parameter 'self', which no task can fill. "
                "Decorate a function that stands outside of classes."
            )
        for parameter in parameters.values():
            if parameter.name in CONTEXT_NAMES and parameter.default not in (None, parameter.empty):
                raise DagArgumentError(
                    f"@task function {self.__name__}: the parameter {parameter.name!r} gets its value from the context,"
                    f" so its default must be None, not {parameter.default!r}. Use None or rename the parameter."
                )

    @property
    def __wrapped_signature__(self) -> inspect.Signature:
        """The function's signature, where parameters that the context fills may be left out."""
        signature = signature_of(self.function)
        loosened, optional_from_here = [], False
        for parameter in signature.parameters.values():
            fillable = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            if fillable and parameter.name in CONTEXT_NAMES and parameter.default is parameter.empty:
                parameter = parameter.replace(default=None)
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                # A parameter after one that may be left out would be illegal without a default: make it keyword-only.
                if optional_from_here and parameter.default is parameter.empty:
                    parameter = parameter.replace(kind=parameter.KEYWORD_ONLY)
                optional_from_here = optional_from_here or parameter.default is not parameter.empty
            loosened.append(parameter)
        loosened.sort(key=lambda p: p.kind)
        return signature.replace(parameters=loosened)

    def __call__(self, *args: Any, **kwargs: Any) -> XComArg:
        if self.given:
            raise DagArgumentError(
                f"{self._who}: partial() begins a mapped task, so expand() or expand_kwargs() must follow. "
                "For a single task give all arguments in the call."
            )
        try:
            _bind(self, args, kwargs)
        except TypeError as error:
            raise DagArgumentError(
                f"@task function {self.__name__}() was called with arguments that do not fit: {error}. "
                f"Its signature is {self.__name__}{signature_of(self.function)}."
            ) from None
        task = self.operator_class(
            python_callable=self.function,
            op_args=args,
            op_kwargs=kwargs,
            **self._task_settings(),
        )
        return self._marked(task)

    def _task_settings(self) -> dict[str, Any]:
        """Return the operator's arguments, with an id that is free and the docstring as documentation."""
        if self.is_teardown and "trigger_rule" in self.settings:
            raise DagArgumentError(
                f"{self._who} makes teardowns, whose trigger_rule is always 'all_done_setup_success'. Remove it."
            )
        settings = {"multiple_outputs": returns_mapping(self.function), **self.settings}
        settings.pop("on_failure_fail_dagrun", None)
        settings["task_id"] = free_task_id(
            settings.get("task_id") or self.__name__, settings.get("dag"), settings.get("task_group")
        )
        doc = inspect.getdoc(self.function)
        if doc and not settings.get("doc_md"):
            settings["doc_md"] = doc
        return settings

    def _marked(self, task: BaseOperator) -> XComArg:
        if self.is_setup:
            task.as_setup()
        if self.is_teardown:
            task.as_teardown(
                on_failure_fail_dagrun=self.settings.get("on_failure_fail_dagrun", self.on_failure_fail_dagrun)
            )
        return XComArg(task)

    def override(self, **settings: Any) -> TaskFactory:
        """Return the same task maker with other operator arguments, e.g. ``task_id`` or ``retries``."""
        return self._other({**self.settings, **settings}, self.given)

    def _other(self, settings: Mapping[str, Any], given: Mapping[str, Any]) -> TaskFactory:
        other = TaskFactory(self.function, self.operator_class, settings, given)
        other.is_setup, other.is_teardown = self.is_setup, self.is_teardown
        other.on_failure_fail_dagrun = self.on_failure_fail_dagrun
        return other

    # --- mapping ------------------------------------------------------------------------------------

    @property
    def _who(self) -> str:
        return f"@task function {self.__name__}"

    def partial(self, **kwargs: Any) -> TaskFactory:
        """Return the same task maker with arguments that are the same for each index of a mapped task."""
        check_no_context_names(self._who, "partial", kwargs)
        check_function_names(self.function, "partial", kwargs)
        check_distinct(self._who, "partial", self.given, kwargs)
        return self._other(self.settings, {**self.given, **kwargs})

    def expand(self, **mapped: Any) -> XComArg:
        """Make a task for each combination of these values: lists, dicts, or outputs of tasks.

        Raises:
            DagArgumentError: nothing to expand over, an unknown argument, a value without elements.
        """
        check_values(self._who, mapped)
        check_no_context_names(self._who, "expand", mapped)
        check_function_names(self.function, "expand", mapped)
        check_always(self._who, self.settings.get("trigger_rule"), list(mapped.values()))
        return self._expanded(ValueLists(mapped), is_strict=False)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> XComArg:
        """Make a task for each dict of arguments.

        Args:
            kwargs: a list of dicts, or the output of a task that returns one.
            strict: an argument that partial() has given as well fails its index; otherwise the dict's value counts.
        """
        check_dicts(self._who, kwargs)
        if not isinstance(kwargs, XComArg):
            dicts = [one for one in kwargs if isinstance(one, Mapping)]
            check_always(self._who, self.settings.get("trigger_rule"), [v for one in dicts for v in one.values()])
        return self._expanded(ArgumentDicts(kwargs), is_strict=strict)

    def _expanded(self, over: ExpandInput, *, is_strict: bool) -> XComArg:
        settings = self._task_settings()
        check_operator_arguments(self._who, self.operator_class, settings)
        dag = settings.get("dag") or current_dag()
        check_place(self._who, settings.get("task_group") or current_group(dag))
        task = MappedOperator(
            operator_class=self.operator_class,
            expand_input=over,
            partial_kwargs={"python_callable": self.function, "op_args": (), "op_kwargs": self.given, **settings},
            is_strict=is_strict,
            into_op_kwargs=True,
            **{name: value for name, value in settings.items() if name in _OF_EVERY_TASK},
        )
        return self._marked(task)

    if TYPE_CHECKING:  # set by functools.update_wrapper
        __name__: str


_OF_EVERY_TASK: Final = ARGUMENTS.keys() | {"task_id", "dag", "task_group", "default_args"}


def _bind(factory: TaskFactory, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise a TypeError unless a call fits: as written, or with what the context fills left out."""
    try:
        signature_of(factory.function).bind(*args, **kwargs)
    except TypeError:
        factory.__wrapped_signature__.bind(*args, **kwargs)


def free_task_id(wanted: str, dag: DAG | None, group: TaskGroup | None) -> str:
    """Return ``wanted``, with ``__1``, ``__2`` ... behind it when a task or group of the DAG has that id already."""
    dag = dag or (group.dag if group else None) or current_dag()
    if dag is None:
        return wanted
    place = group or current_group(dag) or dag.task_group
    taken = dag.taken_ids()
    if place.child_id(wanted) not in taken:
        return wanted
    stem = re.sub(r"__\d+$", "", wanted)
    number = 1
    while place.child_id(f"{stem}__{number}") in taken:
        number += 1
    return f"{stem}__{number}"


def returns_mapping(function: Callable[..., Any]) -> bool:
    """Return whether the function says by its annotation that it returns a dict; then it has multiple outputs."""
    try:
        annotation = typing.get_type_hints(function).get("return")
    except Exception:
        return False
    origin = typing.get_origin(annotation) or annotation
    if origin in (typing.Union, types.UnionType):
        return False
    return isinstance(origin, type) and issubclass(origin, Mapping)


class TaskDecorator:
    """``@task`` and its kinds: ``@task.bash``."""

    @overload
    def __call__(self, python_callable: Callable[..., Any], /) -> TaskFactory: ...
    @overload
    def __call__(self, **settings: Any) -> Callable[[Callable[..., Any]], TaskFactory]: ...
    def __call__(self, *given: Any, **settings: Any) -> Any:
        """Make a task maker of a function: ``@task`` or ``@task(task_id=..., retries=...)``."""
        return _decorate(PythonTask, "@task", given[0] if given else None, settings)

    python = __call__

    def bash(self, python_callable: Any = None, /, **settings: Any) -> Any:
        """Make a task maker of a function that returns a shell command."""
        return _decorate(BashTask, "@task.bash", python_callable, settings)

    def branch(self, python_callable: Any = None, /, **settings: Any) -> Any:
        """Make a task maker of a function that returns the ids of the tasks or groups to follow."""
        from tradewind.sdk.task_kinds import BranchTask  # late, as below: most files do without

        return _decorate(BranchTask, "@task.branch", python_callable, settings)

    def short_circuit(self, python_callable: Any = None, /, **settings: Any) -> Any:
        """Make a task maker of a function that says whether to go on."""
        from tradewind.sdk.task_kinds import ShortCircuitTask

        return _decorate(ShortCircuitTask, "@task.short_circuit", python_callable, settings)

    def sensor(self, python_callable: Any = None, /, **settings: Any) -> Any:
        """Make a task maker of a function that is called until it returns something true."""
        from tradewind.sdk.task_kinds import SensorTask

        return _decorate(SensorTask, "@task.sensor", python_callable, settings)

    def virtualenv(self, python_callable: Any = None, /, **settings: Any) -> Any:
        """Make a task maker of a function that runs in an environment with packages of its own."""
        from tradewind.sdk.task_environments import VirtualenvTask

        return _decorate(VirtualenvTask, "@task.virtualenv", python_callable, settings)

    def external_python(self, python_callable: Any = None, /, **settings: Any) -> Any:
        """Make a task maker of a function that another Python runs: ``@task.external_python(python=...)``."""
        from tradewind.sdk.task_environments import ExternalPythonTask

        return _decorate(ExternalPythonTask, "@task.external_python", python_callable, settings)

    def branch_virtualenv(self, python_callable: Any = None, /, **settings: Any) -> Any:
        """Make a task maker of a function that decides what to follow, with packages of its own."""
        from tradewind.sdk.task_environments import BranchVirtualenvTask

        return _decorate(BranchVirtualenvTask, "@task.branch_virtualenv", python_callable, settings)

    def branch_external_python(self, python_callable: Any = None, /, **settings: Any) -> Any:
        """Make a task maker of a function that decides what to follow, run by another Python."""
        from tradewind.sdk.task_environments import BranchExternalPythonTask

        return _decorate(BranchExternalPythonTask, "@task.branch_external_python", python_callable, settings)

    def docker(self, python_callable: Any = None, /, **settings: Any) -> Any:
        """Make a task maker of a function that runs in a container: ``@task.docker(image=...)``."""
        from tradewind.sdk.task_systems import DockerTask

        return _decorate(DockerTask, "@task.docker", python_callable, settings)

    def sql(self, python_callable: Any = None, /, **settings: Any) -> Any:
        """Make a task maker of a function that returns the statement to run: ``@task.sql(conn_id=...)``."""
        from tradewind.sdk.task_systems import SqlTask

        return _decorate(SqlTask, "@task.sql", python_callable, settings)

    def run_if(self, condition: Condition, skip_message: str | None = None) -> Callable[[TaskFactory], TaskFactory]:
        """Skip the tasks of the ``@task`` below unless ``condition(context)`` is true when they start."""
        return conditional("@task.run_if", condition, skip_message, skips_when=False)

    def skip_if(self, condition: Condition, skip_message: str | None = None) -> Callable[[TaskFactory], TaskFactory]:
        """Skip the tasks of the ``@task`` below when ``condition(context)`` is true as they start."""
        return conditional("@task.skip_if", condition, skip_message, skips_when=True)

    def __getattr__(self, name: str) -> Any:
        from tradewind.compat.providers import decorator_of  # late: only files that use provider packages need it

        brought = None if name.startswith("_") else decorator_of(name)
        if brought is not None:
            return brought
        if name in _LATER:
            raise NotSupportedYet(
                f"@task.{name} is not supported yet. Use @task, and call the client library of that system in it."
            )
        raise AttributeError(f"@task.{name} does not exist.{did_you_mean(name, [*_NOW, *_LATER])}")


def _decorate(operator: type[Any], word: str, function: Any, settings: dict[str, Any]) -> Any:
    if function is None:
        return lambda given: _decorate(operator, word, given, settings)
    if isinstance(function, TaskFactory):
        raise DagArgumentError(f"{function.__name__} is a task already; use {word} once, with all its arguments.")
    if not callable(function):
        raise DagArgumentError(f"{word} takes keyword arguments only, and got {function!r}. Write {word}(task_id=...).")
    if inspect.isclass(function):
        raise DagArgumentError(
            f"{word} turns functions into tasks, and {function.__name__} is a class. Decorate a function."
        )
    return TaskFactory(function, operator, settings)


task: Final = TaskDecorator()
"""The decorator that DAG files use."""


def setup(function: Any) -> Any:
    """Mark a ``@task`` function, or a plain one, as making setup tasks."""
    factory = _of_tasks(function, "@setup")
    factory.is_setup = True
    return factory


def teardown(function: Any = None, *, on_failure_fail_dagrun: bool = False) -> Any:
    """Mark a ``@task`` function, or a plain one, as making teardown tasks."""
    if function is None:
        return lambda given: teardown(given, on_failure_fail_dagrun=on_failure_fail_dagrun)
    factory = _of_tasks(function, "@teardown")
    factory.is_teardown = True
    factory.on_failure_fail_dagrun = on_failure_fail_dagrun
    return factory


def _of_tasks(function: Any, word: str) -> Any:
    if isinstance(function, TaskGroupFactory):
        raise DagArgumentError(
            f"{word} is for tasks, and {getattr(function, '__name__', function)!r} makes a group. Mark tasks inside it."
        )
    return function if isinstance(function, TaskFactory) else task(function)
