"""Which arguments does every operator take? One table: name, default, check. All names are those of Airflow 3.3.

An argument is either obeyed, accepted with a warning that it has no effect, or refused. None is silently ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Required, TypedDict

from tradewind.sdk import arguments, defaults, limits, weights
from tradewind.sdk.arguments import Check
from tradewind.sdk.exceptions import IgnoredArgumentWarning
from tradewind.sdk.params import ParamsDict
from tradewind.sdk.retry_policy import RetryPolicy, retry_policy
from tradewind.sdk.rules import TriggerRule

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.deadline import DeadlineAlert
    from tradewind.sdk.task_group import TaskGroup
    from tradewind.sdk.weights import PriorityWeightStrategy

Callback = Callable[..., Any] | list[Callable[..., Any]] | None


class OperatorArguments(TypedDict, total=False):
    """The arguments, for editors and type checkers. A test holds it equal to :data:`ARGUMENTS`."""

    task_id: Required[str]
    dag: DAG | None
    task_group: TaskGroup | None
    default_args: Mapping[str, Any] | None
    owner: str
    retries: int | str | None
    retry_delay: timedelta | float
    retry_exponential_backoff: float | bool
    max_retry_delay: timedelta | float | None
    start_date: datetime | None
    end_date: datetime | None
    depends_on_past: bool
    wait_for_downstream: bool
    params: Mapping[str, Any] | None
    priority_weight: int
    weight_rule: str | PriorityWeightStrategy | type[PriorityWeightStrategy]
    queue: str
    pool: str | None
    pool_slots: int
    execution_timeout: timedelta | None
    on_execute_callback: Callback
    on_failure_callback: Callback
    on_success_callback: Callback
    on_retry_callback: Callback
    on_skipped_callback: Callback
    pre_execute: Callable[..., Any] | None
    post_execute: Callable[..., Any] | None
    trigger_rule: str
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    concurrency: limits.Key | list[limits.Key] | None
    rate_limits: limits.Rate | list[limits.Rate] | None
    executor: str | None
    do_xcom_push: bool
    multiple_outputs: bool
    doc: str | None
    doc_md: str | None
    doc_json: str | None
    doc_yaml: str | None
    doc_rst: str | None
    task_display_name: str | None
    logger_name: str | None
    allow_nested_operators: bool
    render_template_as_native_obj: bool | None
    email: str | Collection[str] | None
    email_on_retry: bool
    email_on_failure: bool
    sla: Any
    inlets: Any
    outlets: Any
    resources: Any
    executor_config: Any
    map_index_template: str | None
    ignore_first_depends_on_past: bool
    wait_for_past_depends_before_skipping: bool
    retry_policy: RetryPolicy | None
    deadline: DeadlineAlert | list[DeadlineAlert] | None
    run_as_user: str | None


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: how its value is checked, and what holds when it is not given."""

    check: Check
    default: Callable[[], Any] = lambda: None


def _is(value: Any) -> Callable[[], Any]:
    return lambda: value


def _retries(who: str, name: str, value: Any) -> int:
    if value is None:
        return defaults.current().retries
    if isinstance(value, bool):
        raise arguments.wrong(who, name, value, "a whole number")
    try:
        return int(value)
    except (TypeError, ValueError):
        raise arguments.wrong(who, name, value, "a whole number") from None


def _backoff(who: str, name: str, value: Any) -> float:
    if value is True:  # the form of Airflow 2: doubled each time
        return 2.0
    if isinstance(value, int | float) and value >= 0:
        return float(value)
    raise arguments.wrong(who, name, value, "a multiplier such as 2.0, or 0 for a constant delay")


def _pool(who: str, name: str, value: Any) -> str:
    pool: str = arguments.text(who, name, "default_pool" if value is None else value)
    return pool


def _hook(who: str, name: str, value: Any) -> Callable[..., Any] | None:
    if value is not None and not callable(value):
        raise arguments.wrong(who, name, value, "a function that takes the context")
    hook: Callable[..., Any] | None = value
    return hook


def _assets(who: str, name: str, value: Any) -> list[Any]:
    """One or many. What is no asset (Airflow takes anything, for lineage) means nothing here, which is warned of."""
    if not value:
        return []
    given = list(value) if isinstance(value, Collection) and not isinstance(value, str) else [value]
    strange = [one for one in given if not _is_asset(one)]
    if strange:
        arguments.warn_user(
            f"{who}: {name} has no effect for {strange[0]!r}, which is no asset. Name an Asset or AssetAlias.",
            IgnoredArgumentWarning,
        )
    return given


def _deadlines(who: str, name: str, value: Any) -> list[DeadlineAlert]:
    if value is None:
        return []
    from tradewind.sdk.deadline import deadlines  # late: few tasks have any

    return deadlines(who, name, value)


def _is_asset(value: Any) -> bool:
    from tradewind.sdk.assets.definitions import Asset, AssetAlias, AssetRef  # late: few tasks have any

    return isinstance(value, Asset | AssetAlias | AssetRef)


def _params(who: str, name: str, value: Any) -> ParamsDict:
    if value is not None and not isinstance(value, Mapping):
        raise arguments.wrong(who, name, value, "a dict")
    return ParamsDict(value)


_LIMITS: Final = "Use pool= and pool_slots= to limit what runs at once, or remove it."

ARGUMENTS: Final[dict[str, Argument]] = {
    # obeyed
    "owner": Argument(arguments.text, lambda: defaults.current().owner),
    "retries": Argument(_retries),
    "retry_delay": Argument(arguments.seconds_or_duration, lambda: defaults.current().retry_delay),
    "retry_exponential_backoff": Argument(_backoff, _is(0)),
    "max_retry_delay": Argument(arguments.optional_seconds_or_duration),
    "start_date": Argument(arguments.optional_instant),
    "end_date": Argument(arguments.optional_instant),
    "depends_on_past": Argument(arguments.boolean, _is(False)),
    "wait_for_downstream": Argument(arguments.boolean, _is(False)),
    "params": Argument(_params),
    "priority_weight": Argument(arguments.integer, _is(1)),
    "weight_rule": Argument(weights.weight_rule, lambda: defaults.current().weight_rule),
    "queue": Argument(arguments.text, lambda: defaults.current().queue),
    "pool": Argument(_pool),
    "pool_slots": Argument(arguments.at_least(1), _is(1)),
    "execution_timeout": Argument(arguments.optional_duration, lambda: defaults.current().execution_timeout),
    "on_execute_callback": Argument(arguments.callbacks),
    "on_failure_callback": Argument(arguments.callbacks),
    "on_success_callback": Argument(arguments.callbacks),
    "on_retry_callback": Argument(arguments.callbacks),
    "on_skipped_callback": Argument(arguments.callbacks),
    "trigger_rule": Argument(arguments.one_of(TriggerRule), _is("all_success")),
    "map_index_template": Argument(arguments.optional_text),
    "max_active_tis_per_dag": Argument(arguments.at_least(1, optional=True)),
    "max_active_tis_per_dagrun": Argument(arguments.at_least(1, optional=True)),
    "concurrency": Argument(limits.keys),
    "rate_limits": Argument(limits.rates),
    "executor": Argument(arguments.optional_text),
    "do_xcom_push": Argument(arguments.boolean, _is(True)),
    "multiple_outputs": Argument(arguments.boolean, _is(False)),
    "doc": Argument(arguments.optional_text),
    "doc_md": Argument(arguments.optional_text),
    "doc_json": Argument(arguments.optional_text),
    "doc_yaml": Argument(arguments.optional_text),
    "doc_rst": Argument(arguments.optional_text),
    "task_display_name": Argument(arguments.optional_text),
    "logger_name": Argument(arguments.optional_text),
    "allow_nested_operators": Argument(arguments.boolean, _is(True)),
    "render_template_as_native_obj": Argument(arguments.optional_boolean),
    "pre_execute": Argument(_hook),
    "post_execute": Argument(_hook),
    "email": Argument(arguments.addresses),
    "email_on_retry": Argument(arguments.boolean, _is(True)),  # means nothing without email=
    "email_on_failure": Argument(arguments.boolean, _is(True)),
    "retry_policy": Argument(retry_policy),
    "deadline": Argument(_deadlines),  # of our own
    "inlets": Argument(_assets, list),
    "outlets": Argument(_assets, list),
    # accepted, without effect
    "sla": Argument(
        arguments.ignored("Airflow 3 ignores it as well. Remove it; dagrun_timeout= and execution_timeout= limit time.")
    ),
    "resources": Argument(arguments.ignored(f"no executor here reads it. {_LIMITS}")),
    "executor_config": Argument(arguments.ignored(f"no executor here reads it. {_LIMITS}")),
    "ignore_first_depends_on_past": Argument(arguments.boolean, _is(True)),
    "wait_for_past_depends_before_skipping": Argument(arguments.boolean, _is(False)),
    # refused
    "run_as_user": Argument(arguments.refused("Tasks run as the user of their worker. Remove it.")),
}
"""Every argument of :class:`~tradewind.sdk.operator.BaseOperator` besides ids and parents, in the order of checking."""

HOOKS: Final = frozenset({"pre_execute", "post_execute"})
"""Arguments that carry the name of a method; kept as ``pre_execute_hook`` and ``post_execute_hook``."""
