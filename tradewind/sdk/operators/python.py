"""How is a Python function run as a task? ``PythonOperator``: with its arguments, and what it asks of the context."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final, Unpack, cast

from tradewind.sdk import arguments
from tradewind.sdk.assets.yields import run_through
from tradewind.sdk.context_values import Context
from tradewind.sdk.current import get_current_context
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.operator_arguments import OperatorArguments
from tradewind.sdk.signatures import signature_of

log: Final = logging.getLogger("airflow.task")


class PythonOperator(BaseOperator):
    """Calls ``python_callable``; what it returns is the task's output.

    Args:
        python_callable: a function, async or not. Parameters named like entries of the context (``ti``, ``ds``,
            ``params`` ...) get them; ``**kwargs`` gets the whole context.
        op_args, op_kwargs: its arguments; templates.
        templates_dict: templates, given to the function as ``templates_dict``.
        templates_exts: endings of template files in ``templates_dict``, e.g. ``[".sql"]``.
        show_return_value_in_logs: off for large or secret results.
    """

    template_fields: Sequence[str] = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}
    ui_color = "#ffefeb"
    shallow_copy_attrs: Sequence[str] = ("python_callable", "op_kwargs")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        templates_exts: Sequence[str] | None = None,
        show_return_value_in_logs: bool = True,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(**_without_airflow_2(kwargs))
        if not callable(python_callable):
            raise arguments.wrong(self.who, "python_callable", python_callable, "a function")
        if isinstance(op_args, str):
            raise arguments.wrong(self.who, "op_args", op_args, "a list or tuple of arguments")
        self.python_callable = python_callable
        self.op_args: Any = op_args if op_args is not None else ()
        self.op_kwargs: Any = op_kwargs if op_kwargs is not None else {}
        self.templates_dict = templates_dict
        if templates_exts:
            self.template_ext = tuple(templates_exts)
        self.show_return_value_in_logs = show_return_value_in_logs

    def execute(self, context: Context) -> Any:
        """Call the function and return what it returns."""
        extra = {"templates_dict": self.templates_dict}
        result = call_in(context, self.python_callable, self.op_args, self.op_kwargs, extra)
        if self.show_return_value_in_logs:
            self.log.info("Done. Returned value was: %s", result)
        else:
            self.log.info("Done. Returned value not shown")
        return result


def _without_airflow_2(kwargs: OperatorArguments) -> OperatorArguments:
    given: dict[str, Any] = dict(kwargs)
    if given.pop("provide_context", None) is not None:
        arguments.removed(
            f"PythonOperator {given.get('task_id')!r}", "provide_context", "the context is always provided"
        )
    return cast(OperatorArguments, given)


def call_in(
    context: Mapping[str, Any],
    function: Callable[..., Any],
    args: Collection[Any],
    given: Mapping[str, Any],
    extra: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    """Call ``function`` as the function of a task: with what it is given, and what it asks of the context by name.

    Args:
        extra: more names that it may ask for.

    Raises:
        DagArgumentError: see :func:`keyword_arguments`.
    """
    full = Context.of(context).with_extra({**given, **extra})
    return call(function, args, keyword_arguments(function, args, full, given))


def call(function: Callable[..., Any], args: Collection[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call ``function``; a coroutine function runs on an event loop of its own.

    A generator function is run to its end: what it yields is about assets (``Metadata``), what it returns is returned.
    """
    result = function(*args, **kwargs)
    if inspect.isgenerator(result) and inspect.isgeneratorfunction(function):
        return run_through(result, get_current_context()["outlet_events"])
    if inspect.iscoroutine(result):
        import asyncio  # late: as heavy as all the rest of a DAG file's imports, and few functions are coroutines

        return asyncio.run(result)
    return result


def keyword_arguments(
    function: Callable[..., Any], args: Collection[Any], context: Context, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the keyword arguments of a call: the given ones, and what ``function`` asks of the context by name.

    Given ones for which it has no parameter are left out, as in Airflow.

    Raises:
        DagArgumentError: a positional argument takes the place of a parameter that the context fills.
    """
    try:
        parameters = list(signature_of(function).parameters.values())
    except ValueError:  # some built-in functions have no signature; they take what they are given
        return dict(given)
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    taken = positional[: len(args)]
    for name in taken:
        if name in context.names() and name not in given:
            raise DagArgumentError(
                f"Function {getattr(function, '__name__', function)!r}: the parameter {name!r} gets its value from the "
                "context, and an argument in op_args as well. Rename the parameter, or pass fewer op_args."
            )
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return {name: value for name, value in {**context.everything(), **given}.items() if name not in taken}
    asked = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in taken]
    from_context = {name: context[name] for name in asked if name in context.names() and name not in given}
    strange = given.keys() - {*asked, *taken}
    if strange:
        log.warning("Not given to %s, which has no such parameter: %s", function, ", ".join(sorted(map(str, strange))))
    return {**from_context, **{name: value for name, value in given.items() if name not in strange}}
