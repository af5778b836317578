"""How does a DAG become plain data? ``to_spec``: canonical, deterministic, and only when the DAG can be run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tradewind.errors import DagError, did_you_mean
from tradewind.model import keys
from tradewind.model.spec import (
    DagSpec,
    GroupSpec,
    KeySpec,
    MappingSpec,
    ParamSpec,
    RateSpec,
    SchedulePolicy,
    TaskSpec,
)
from tradewind.plugins import listeners
from tradewind.sdk.assets.serialize import alias_specs, asset_specs, mentions
from tradewind.sdk.deadline import deadline_spec, task_deadline_spec
from tradewind.sdk.exceptions import ParamValidationError
from tradewind.sdk.graph import check_acyclic, effective_weights
from tradewind.sdk.mapping import mapped_groups
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.operators.empty import EmptyOperator
from tradewind.sdk.params import ParamsDict, validate
from tradewind.sdk.weights import rule_name
from tradewind.sdk.zones import zone_name

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.limits import Key
    from tradewind.sdk.task_group import TaskGroup


def to_spec(dag: DAG) -> DagSpec:
    """Return ``dag`` as plain data. The same DAG gives the same data, in any process.

    Raises:
        DagError: it cannot be run: a cycle, a wrong schedule, params that do not fit or are not JSON, a task directly
            below a setup with a trigger rule of its own.
        Exception: what a policy of the installation raised to refuse it.
    """
    if dag.refusal is not None:
        raise dag.refusal
    for task in dag.tasks:
        task.wire_outputs()
    check_acyclic(dag)
    _check_schedule(dag)
    _check_setups(dag)
    _check_fail_fast(dag)
    weights = effective_weights(dag)
    tasks = sorted(dag.tasks, key=lambda task: task.task_id)
    return DagSpec(
        dag_id=dag.dag_id,
        timetable=dag.timetable.to_spec(),
        tasks=tuple(task_spec(task, weights[task.task_id]) for task in tasks),
        groups=tuple(_group_spec(dag.group_dict[group_id]) for group_id in sorted(dag.group_dict)),
        edge_labels={f"{up}>{down}": label for (up, down), label in sorted(dag.edge_labels.items())},
        description=dag.description,
        display_name=dag.dag_display_name if dag.dag_display_name != dag.dag_id else None,
        doc_md=dag.doc_md,
        tags=tuple(sorted(set(dag.tags))),  # a policy may have put others in
        owner_links=dict(sorted(dag.owner_links.items())),
        timezone=zone_name(dag.timezone),
        start_date=_instant(dag.start_date),
        end_date=_instant(dag.end_date),
        catchup=dag.catchup,
        max_active_runs=dag.max_active_runs,
        max_active_tasks=dag.max_active_tasks,
        max_consecutive_failed_dag_runs=dag.max_consecutive_failed_dag_runs,
        concurrency=_keys(dag, dag.who, dag.concurrency, keys.RUN_NAMES),
        policy=_policy(dag),
        dagrun_timeout_seconds=_seconds(dag.dagrun_timeout),
        run_retries=dag.run_retries,
        run_retry_delay_seconds=dag.run_retry_delay.total_seconds(),
        holds_after_failure=dag.on_run_failure == "hold",
        days_kept=None if dag.runs_kept_for is None else dag.runs_kept_for / timedelta(days=1),
        fail_fast=dag.fail_fast,
        is_paused_upon_creation=dag.is_paused_upon_creation,
        params=_params(dag.who, dag.params, must_be_valid=dag.schedule is not None),
        render_template_as_native_obj=dag.render_template_as_native_obj,
        has_success_callback=bool(dag.on_success_callback),
        has_failure_callback=bool(dag.on_failure_callback),
        deadlines=tuple(deadline_spec(dag, alert) for alert in dag.deadline),
        listens=listeners.wanted(),
        assets=asset_specs(dag),
        asset_aliases=alias_specs(dag),
    )


def task_spec(task: BaseOperator, weight: int) -> TaskSpec:
    """Return one task as plain data; ``weight`` is its effective priority."""
    group = task.task_group
    return TaskSpec(
        task_id=task.task_id,
        operator=task.operator_name,
        upstream=tuple(sorted(task.upstream_task_ids)),
        trigger_rule=task.trigger_rule,
        retries=max(0, task.retries),
        retry_delay_seconds=task.retry_delay.total_seconds(),
        retry_exponential_backoff=task.retry_exponential_backoff,
        max_retry_delay_seconds=_seconds(task.max_retry_delay),
        execution_timeout_seconds=_seconds(task.execution_timeout),
        pool=task.pool,
        pool_slots=task.pool_slots,
        priority=weight,
        priority_weight=task.priority_weight,
        weight_rule=rule_name(task.weight_rule),
        queue=task.queue,
        executor=task.executor,
        owner=task.owner,
        needs_process=needs_process(task),
        is_setup=task.is_setup,
        is_teardown=task.is_teardown,
        on_failure_fail_dagrun=task.on_failure_fail_dagrun,
        depends_on_past=task.depends_on_past,
        ignore_first_depends_on_past=task.ignore_first_depends_on_past,
        wait_for_past_depends_before_skipping=task.wait_for_past_depends_before_skipping,
        wait_for_downstream=task.wait_for_downstream,
        start_date=_instant(task.start_date),
        end_date=_instant(task.end_date),
        max_active_tis_per_dag=task.max_active_tis_per_dag,
        max_active_tis_per_dagrun=task.max_active_tis_per_dagrun,
        concurrency=_keys(task.dag, task.who, task.concurrency, keys.TASK_NAMES),
        rate_limits=tuple(RateSpec(rate.name, rate.limit, rate.per.total_seconds()) for rate in task.rate_limits),
        do_xcom_push=task.do_xcom_push,
        group_id=group.group_id if group else None,
        display_name=task.task_display_name,
        template_fields=tuple(task.template_fields),
        doc_md=task.doc_md or task.doc,
        ui_color=task.ui_color,
        ui_fgcolor=task.ui_fgcolor,
        mapping=None if task.expand_input is None else MappingSpec(task.expand_input.lengths()),
        calls_back=_calls_back(task),
        inlets=mentions(task.inlets),
        outlets=mentions(task.outlets),
        deadlines=tuple(task_deadline_spec(task, alert) for alert in task.deadline),
    )


def needs_process(task: BaseOperator) -> bool:
    """Return False for an ``EmptyOperator`` that nothing hangs on: it succeeds where it stands."""
    return task.task_class.execute is not EmptyOperator.execute or bool(
        task.outlets
        or task.on_execute_callback
        or task.on_success_callback
        or task.pre_execute_hook
        or task.post_execute_hook
        or task.task_class.pre_execute is not BaseOperator.pre_execute
        or task.task_class.post_execute is not BaseOperator.post_execute
    )


def _calls_back(task: BaseOperator) -> tuple[str, ...]:
    """Return the ends after which somebody is told, so that it can be done for a task process that has died."""
    is_heard = bool(listeners.wanted(("on_task_instance_failed",)))
    told = {
        "failure": is_heard or task.on_failure_callback or (task.email and task.email_on_failure),
        "retry": is_heard or task.on_retry_callback or (task.email and task.email_on_retry),
    }
    return tuple(end for end, somebody in told.items() if somebody)


def _group_spec(group: TaskGroup) -> GroupSpec:
    assert group.group_id is not None
    return GroupSpec(
        group_id=group.group_id,
        parent_id=group.parent_group.group_id if group.parent_group else None,
        display_name=group.group_display_name or None,
        tooltip=group.tooltip,
        mapping=_group_mapping(group),
    )


def _group_mapping(group: TaskGroup) -> MappingSpec | None:
    """Return over what the tasks inside are expanded. One in an expanded group runs through both."""
    if group.expand_input is None:
        return None
    around = [one.expand_input for one in mapped_groups(group) if one.expand_input is not None]
    return MappingSpec(tuple(length for one in reversed(around) for length in one.lengths()))


def _params(who: str, params: ParamsDict, *, must_be_valid: bool) -> dict[str, ParamSpec]:
    """With a schedule, params must be valid now, since nobody gives values to its runs; without, at the trigger."""
    specs = {}
    for name, param in sorted(params.declared().items()):
        try:
            if must_be_valid:
                param.resolve(name=name)
            else:
                validate(name, param.value if param.has_default else None, {})  # at least JSON
        except ParamValidationError as error:
            mend = " A DAG with a schedule needs a valid default for each param." if must_be_valid else ""
            raise DagError(f"{who}: {error}{mend}") from None
        specs[name] = ParamSpec(
            schema=param.schema,
            default=param.value if param.has_default else None,
            has_default=param.has_default,
            description=param.description,
        )
    return specs


def _keys(dag: DAG | None, who: str, given: Sequence[Key], names: frozenset[str]) -> tuple[KeySpec, ...]:
    """Return keys as plain data, each with names that the scheduler can fill in."""
    declared = dag.params.declared() if dag is not None else {}
    for key in given:
        try:
            keys.parse(key.template, names)
        except ValueError as error:
            raise DagError(f"{who}: concurrency: {error}.") from None
        for name in sorted(keys.params_named(key.template) - declared.keys()):
            raise DagError(
                f"{who}: concurrency names params.{name}, which is no param of the DAG.{did_you_mean(name, declared)} "
                f"Declare it with params= of the DAG, or write conf.{name} for what a trigger may give."
            )
    return tuple(KeySpec(key.template, key.limit) for key in given)


def _policy(dag: DAG) -> SchedulePolicy:
    return SchedulePolicy(
        overlap=dag.overlap,
        catchup_window_seconds=_seconds(dag.catchup_window),
        jitter_seconds=_seconds(dag.jitter) or 0.0,
        excluded=dag.excluded,
    )


def _check_schedule(dag: DAG) -> None:
    if dag.start_date and dag.end_date and dag.end_date < dag.start_date:
        raise DagError(f"{dag.who}: end_date {dag.end_date} is before start_date {dag.start_date}. Exchange them.")
    if dag.catchup and dag.schedule is not None and dag.start_date is None:
        raise DagError(
            f"{dag.who}: catchup=True needs a start_date, since it says where to begin. Give one, or set catchup=False."
        )
    dag.timetable.check()
    if dag.timetable.active_runs_limit is not None and (dag.jitter or dag.excluded):
        raise DagError(
            f"{dag.who}: the schedule {dag.timetable.summary!r} has no instants of its own, so jitter and "
            "exclude_dates mean nothing to it. Remove them."
        )
    if dag.catchup_window is not None and not dag.catchup:
        raise DagError(
            f"{dag.who}: catchup_window says how far back catchup goes, but catchup is off. Set catchup=True, or "
            "remove catchup_window."
        )
    limit = dag.timetable.active_runs_limit
    if limit is not None and dag.max_active_runs > limit:
        raise DagError(
            f"{dag.who}: the schedule {dag.timetable.summary!r} needs max_active_runs={limit}, not "
            f"{dag.max_active_runs}. Set it."
        )


def _check_fail_fast(dag: DAG) -> None:
    for task in dag.tasks if dag.fail_fast else ():
        if task.trigger_rule not in ("all_success", "all_done_setup_success"):
            raise DagError(
                f"{dag.who} has fail_fast=True, so the trigger_rule of its tasks must be 'all_success', and that of "
                f"task {task.task_id!r} is {task.trigger_rule!r}. Change the rule, or remove fail_fast."
            )


def _check_setups(dag: DAG) -> None:
    for task in dag.tasks:
        if not task.is_setup:
            continue
        for below in task.downstream_list:
            if not below.is_teardown and below.trigger_rule != "all_success":
                raise DagError(
                    f"{dag.who}: task {below.task_id!r} stands directly below the setup {task.task_id!r}, so its "
                    f"trigger_rule must be 'all_success', not {below.trigger_rule!r}. "
                    "Put a task between them, or change the rule."
                )


def _seconds(value: timedelta | None) -> float | None:
    return None if value is None else value.total_seconds()


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat()
