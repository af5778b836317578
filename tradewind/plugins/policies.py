"""What does the installation ask of every DAG? Cluster policies: they may change a DAG and its tasks, or refuse it.

They come from ``airflow_local_settings.py`` and from entry points, and are applied wherever a DAG file is read: in the
parse process, and in the same way in the task process. So what the scheduler sees is what runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tradewind.errors import DagError
from tradewind.plugins import hooks, load
from tradewind.plugins.entry_points import POLICY_GROUPS, entry_points
from tradewind.plugins.first_instance import mutate
from tradewind.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from tradewind.sdk.context import Context
    from tradewind.sdk.dag import DAG


class AirflowClusterPolicyViolation(AirflowException):
    """Raised by a policy to refuse a DAG: an import error of its file."""


class AirflowClusterPolicyError(AirflowException):
    """Raised by a policy that cannot decide: an import error of the file as well."""


class AirflowClusterPolicySkipDag(AirflowException):
    """Raised by a policy to leave a DAG out, without an error."""


HEARD: Final = {
    "dag_policy": ("dag",),
    "task_policy": ("task",),
    "task_instance_mutation_hook": ("task_instance",),
    "get_airflow_context_vars": ("context",),
    "get_dagbag_import_timeout": ("dag_file_path",),
}
"""The policies that are obeyed, with their arguments."""

UNHEARD: Final = {"pod_mutation_hook": "tasks run in no pods"}
"""Policies of Airflow that are not called, and why."""


def apply(dag: DAG) -> bool:
    """Let the policies change ``dag`` and its tasks. Returns False when one of them leaves the DAG out.

    Raises:
        DagError: the local settings cannot be imported, so that nobody knows what is asked.
        Exception: what a policy raises to refuse the DAG.
    """
    _refuse_broken_settings()
    try:
        for policy in functions("dag_policy"):
            policy(dag)
        for policy in functions("task_policy"):
            for task in dag.tasks:
                policy(task)
        mutations = functions("task_instance_mutation_hook")
        for task in dag.tasks if mutations else ():
            mutate(task, mutations)
    except AirflowClusterPolicySkipDag:
        return False
    return True


def import_timeout(path: str, default: float) -> float:
    """Return how many seconds the import of a DAG file may take; 0 or less is no limit."""
    for policy in functions("get_dagbag_import_timeout"):
        found = policy(path)
        if found is not None:
            return float(found)
    return default


def context_variables(context: Context) -> dict[str, str]:
    """Return the environment variables that a policy adds for a task.

    Raises:
        TypeError: one of them is no text.
    """
    for policy in functions("get_airflow_context_vars"):
        found = policy(context)
        if found is not None:
            return {_variable_name(name): _text(name, value) for name, value in found.items()}
    return {}


def functions(name: str) -> list[Callable[..., Any]]:
    """Return the policies under a name, in the order of calling: the local settings have the first word.

    None in a process that has loaded no plugins.
    """
    return list(_all().get(name, ())) if load.is_loaded() else []


def notes(loaded: load.Loaded) -> list[load.Note]:
    """Return what the author of the local settings should know: policies that are never called."""
    settings = loaded.settings
    if settings is None:
        return []
    place = getattr(settings, "__file__", None) or load.SETTINGS_MODULE
    names = [name for name in UNHEARD if callable(getattr(settings, name, None))]
    return [load.Note(place, f"{name} is never called: {UNHEARD[name]}.") for name in names]


@cache
def _all() -> dict[str, list[Callable[..., Any]]]:
    loaded = load.current()
    found: dict[str, list[Callable[..., Any]]] = {name: [] for name in HEARD}
    if loaded.settings is not None:
        public = set(getattr(loaded.settings, "__all__", ())) or {n for n in vars(loaded.settings) if n[:2] != "__"}
        for name in HEARD.keys() & public:
            function = getattr(loaded.settings, name)
            if callable(function):
                found[name].append(function)
    owners = list(_owners(loaded))
    for name in HEARD:
        found[name] += [_by_name(function, name) for function in hooks.policy.in_order(owners, name)]
    return found


def forget() -> None:
    """Look for policies anew when they are asked for next."""
    _all.cache_clear()


def _owners(loaded: load.Loaded) -> Iterator[Any]:
    for point in entry_points(POLICY_GROUPS):
        try:
            yield point.load()
        except BaseException as error:  # the edge of user code
            loaded.errors[f"{point.dist.name if point.dist else ''}: {point.name}"] = error


def _by_name(function: Callable[..., Any], hook: str) -> Callable[..., Any]:
    """Call a marked function with the arguments that it names, given in the order of the hook."""
    names = HEARD[hook]
    taken = set(inspect.signature(function).parameters)

    def call(*values: Any) -> Any:
        return function(**{name: value for name, value in zip(names, values, strict=True) if name in taken})

    return call


def _refuse_broken_settings() -> None:
    for place, error in load.current().errors.items():
        if load.SETTINGS_MODULE in place:
            raise DagError(
                f"The policies of this installation cannot be imported: {place}: {type(error).__name__}: {error}. "
                "Correct that file; until then no DAG is taken."
            )


def _variable_name(name: Any) -> str:
    text = _text("name", name)
    return text if text.startswith("AIRFLOW_CTX_") else f"AIRFLOW_CTX_{text.upper()}"


def _text(name: Any, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"get_airflow_context_vars: {name!r} must be a text, not {value!r}. Write str(...).")
    return value
