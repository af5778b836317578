"""How does a function become a DAG? ``@dag``: calling the function makes the DAG, with what is made inside."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, overload

from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.params import DagParam, Param
from tradewind.sdk.signatures import signature_of


@overload
def dag(dag_id: Callable[..., Any], /) -> Callable[..., DAG]: ...
@overload
def dag(dag_id: str = "", **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., DAG]]: ...
def dag(dag_id: Any = "", **settings: Any) -> Any:
    """Make a DAG maker of a function: ``@dag`` or ``@dag(schedule=...)``; the arguments are those of ``DAG``.

    The function's own parameters become params of the DAG. Inside they are promises of the param's value at run time.
    """
    if callable(dag_id):
        return _maker(dag_id, "", settings)
    return lambda function: _maker(function, dag_id, settings)


def _maker(function: Callable[..., Any], dag_id: str, settings: dict[str, Any]) -> Callable[..., DAG]:
    signature = signature_of(function)

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> DAG:
        try:
            bound = signature.bind_partial(*args, **kwargs)
        except TypeError as error:
            raise DagArgumentError(f"@dag function {function.__name__}(): {error}. Check the call.") from None
        bound.apply_defaults()
        chosen = dict(settings)
        if function.__doc__ and chosen.get("doc_md") is None:
            chosen["doc_md"] = inspect.getdoc(function)
        with DAG(dag_id or function.__name__, **chosen) as made:
            promises = {name: _as_param(made, name, bound, signature) for name in signature.parameters}
            function(**promises)
        return made

    return make


def _as_param(made: DAG, name: str, bound: inspect.BoundArguments, signature: inspect.Signature) -> DagParam:
    parameter = signature.parameters[name]
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise DagArgumentError(f"{made.who}: a @dag function cannot take *{name}. Name each param.")
    if name in bound.arguments:
        made.params.declare(name, bound.arguments[name])
    elif name not in made.params:
        made.params.declare(name, Param(description=f"{name} has no default: it must be given for each run"))
    return DagParam(name)
