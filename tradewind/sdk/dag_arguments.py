"""Which arguments does a DAG take? One table: name, default, check. All names are those of Airflow 3.3."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

from tradewind.sdk import arguments, defaults, limits
from tradewind.sdk.deadline import DeadlineAlert, deadlines
from tradewind.sdk.operator_arguments import Argument
from tradewind.sdk.params import ParamsDict

OVERLAPS: Final = ("allow", "skip", "buffer_one", "buffer_all", "cancel_other")
"""What a scheduled run can do when another run of its DAG is under way."""

AFTER_FAILURE: Final = ("continue", "hold")
"""What the DAG does once a run has failed for good: go on, or start no later run until somebody has seen to it."""

Callbacks = Callable[..., Any] | list[Callable[..., Any]] | None


class DagArguments(TypedDict, total=False):
    """The arguments, for editors and type checkers. A test holds it equal to :data:`ARGUMENTS`."""

    schedule: Any
    description: str | None
    default_args: Mapping[str, Any] | None
    start_date: datetime | None
    end_date: datetime | None
    template_searchpath: str | list[str] | None
    template_undefined: type
    user_defined_macros: Mapping[str, Any] | None
    user_defined_filters: Mapping[str, Callable[..., Any]] | None
    max_active_tasks: int
    max_active_runs: int
    max_consecutive_failed_dag_runs: int
    pause_on_failure: bool
    concurrency: limits.Key | list[limits.Key] | None
    run_retries: int
    run_retry_delay: timedelta | float
    on_run_failure: str
    runs_kept_for: timedelta | None
    overlap: str
    catchup_window: timedelta | None
    jitter: timedelta | None
    exclude_dates: Any
    dagrun_timeout: timedelta | None
    catchup: bool
    on_success_callback: Callbacks
    on_failure_callback: Callbacks
    doc_md: str | None
    params: Mapping[str, Any] | None
    is_paused_upon_creation: bool | None
    jinja_environment_kwargs: Mapping[str, Any] | None
    render_template_as_native_obj: bool
    tags: Collection[str] | None
    owner_links: Mapping[str, str] | None
    auto_register: bool
    fail_fast: bool
    dag_display_name: str | None
    access_control: Any
    sla_miss_callback: Any
    disable_bundle_versioning: bool
    rerun_with_latest_version: bool | None
    deadline: DeadlineAlert | list[DeadlineAlert] | None
    allowed_run_types: Any
    task_group: Any


def _is(value: Any) -> Callable[[], Any]:
    return lambda: value


def _dict(who: str, name: str, value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise arguments.wrong(who, name, value, "a dict")
    return dict(value or {})


def _params(who: str, name: str, value: Any) -> ParamsDict:
    if value is not None and not isinstance(value, Mapping):
        raise arguments.wrong(who, name, value, "a dict")
    return ParamsDict(value)


def _paths(who: str, name: str, value: Any) -> list[str]:
    given = [] if value is None else [value] if not isinstance(value, list | tuple) else list(value)
    try:
        return [arguments.text(who, name, path if isinstance(path, str) else path.__fspath__()) for path in given]
    except AttributeError:
        raise arguments.wrong(who, name, value, "a folder or a list of folders") from None


def _tags(who: str, name: str, value: Any) -> set[str]:
    if isinstance(value, str) or (value is not None and not isinstance(value, Collection)):
        raise arguments.wrong(who, name, value, "a list of texts")
    for tag in value or ():
        if not isinstance(tag, str) or not tag or len(tag) > 100:
            raise arguments.wrong(who, name, tag, "texts of 1 to 100 characters")
    return set(value or ())


def _links(who: str, name: str, value: Any) -> dict[str, str]:
    links = _dict(who, name, value)
    for owner, link in links.items():
        if not isinstance(link, str) or not link.startswith(("http://", "https://", "mailto:")):
            raise arguments.wrong(
                who, f"{name}[{owner!r}]", link, "a link that begins with https://, http:// or mailto:"
            )
    return links


def _positive(who: str, name: str, value: Any) -> timedelta | None:
    duration: timedelta | None = arguments.optional_duration(who, name, value)
    if duration is not None and duration <= timedelta(0):
        raise arguments.wrong(who, name, value, "a duration above zero, or None")
    return duration


def _not_negative(who: str, name: str, value: Any) -> timedelta:
    duration = arguments.seconds_or_duration(who, name, value)
    if duration < timedelta(0):
        raise arguments.wrong(who, name, value, "a duration of zero or more")
    return duration


def _kept(who: str, name: str, value: Any) -> timedelta | None:
    duration: timedelta | None = arguments.optional_duration(who, name, value)
    if duration is not None and duration < timedelta(0):
        raise arguments.wrong(who, name, value, "a duration; timedelta(0) for ever, or None as is configured")
    return duration


def _undefined(who: str, name: str, value: Any) -> Any:
    if value is not None and not isinstance(value, type):
        raise arguments.wrong(who, name, value, "a class of jinja2 such as jinja2.Undefined")
    return value


ARGUMENTS: Final[dict[str, Argument]] = {
    # obeyed
    "schedule": Argument(lambda _who, _name, value: value),  # checked by the timetables
    "description": Argument(arguments.optional_text),
    "default_args": Argument(_dict),
    "start_date": Argument(arguments.optional_instant),
    "end_date": Argument(arguments.optional_instant),
    "template_searchpath": Argument(_paths),
    "template_undefined": Argument(_undefined),  # None: jinja2.StrictUndefined
    "user_defined_macros": Argument(_dict),
    "user_defined_filters": Argument(_dict),
    "max_active_tasks": Argument(arguments.at_least(1), lambda: defaults.current().max_active_tasks),
    "max_active_runs": Argument(arguments.at_least(1), lambda: defaults.current().max_active_runs),
    "max_consecutive_failed_dag_runs": Argument(
        arguments.at_least(0), lambda: defaults.current().max_consecutive_failed_dag_runs
    ),
    "dagrun_timeout": Argument(arguments.optional_duration),
    "catchup": Argument(arguments.boolean, lambda: defaults.current().catchup),
    # schedule policies of our own
    "pause_on_failure": Argument(arguments.boolean, _is(False)),
    "concurrency": Argument(limits.keys),  # a number is the old name of max_active_tasks
    "run_retries": Argument(arguments.at_least(0), _is(0)),
    "run_retry_delay": Argument(_not_negative, _is(timedelta(minutes=5))),
    "on_run_failure": Argument(arguments.one_of(AFTER_FAILURE), _is("continue")),
    "runs_kept_for": Argument(_kept),  # None: as [retention] run_days says
    "overlap": Argument(arguments.one_of(OVERLAPS), _is("allow")),
    "catchup_window": Argument(_positive),
    "jitter": Argument(_positive),
    "exclude_dates": Argument(lambda _who, _name, value: value),  # made plain by the DAG, which knows its folder
    # Airflow's again
    "doc_md": Argument(arguments.optional_text),
    "params": Argument(_params),
    "is_paused_upon_creation": Argument(arguments.optional_boolean),
    "jinja_environment_kwargs": Argument(_dict),
    "render_template_as_native_obj": Argument(arguments.boolean, _is(False)),
    "tags": Argument(_tags),
    "owner_links": Argument(_links),
    "auto_register": Argument(arguments.boolean, _is(True)),
    "fail_fast": Argument(arguments.boolean, _is(False)),
    "dag_display_name": Argument(arguments.optional_text),
    "on_success_callback": Argument(arguments.callbacks),
    "on_failure_callback": Argument(arguments.callbacks),
    "deadline": Argument(deadlines),
    # accepted, without effect
    "access_control": Argument(arguments.ignored("roles hold for all DAGs. Remove it.")),
    "sla_miss_callback": Argument(
        arguments.ignored("Airflow 3 ignores it as well. Remove it; dagrun_timeout= limits the time of a run.")
    ),
    "disable_bundle_versioning": Argument(
        arguments.ignored("a run always keeps the version it started with. Remove it."), _is(False)
    ),
    "rerun_with_latest_version": Argument(
        arguments.ignored("a run always keeps the version it started with. Remove it.")
    ),
    # refused
    "allowed_run_types": Argument(arguments.refused("Remove it.")),
    "task_group": Argument(arguments.refused("The root group is made by the DAG itself. Remove it.")),
}
"""Every argument of :class:`~tradewind.sdk.dag.DAG` besides its id, in the order of checking."""

OVERLOADED: Final = {"concurrency": int}
"""Names of Airflow 2 that mean something of ours today, unless they have a value of the old kind."""

RENAMED: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "schedule_interval": ("schedule", lambda value: value),
    "timetable": ("schedule", lambda value: value),
    "concurrency": ("max_active_tasks", lambda value: value),
    "fail_stop": ("fail_fast", lambda value: value),
}
"""Names of Airflow 2 that are taken with a DeprecationWarning: old name, new name, how the value changes."""
