"""Which runs does each probe DAG get, on Airflow and on Tradewind alike? Plain data, for both their Pythons.

A DAG that is named nowhere here gets one run, ``r1``, at ``DATE``, without conf.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

NOW_YEARS: Final = (2026, 2190)
DATE: Final = "2024-03-05T02:00:00+00:00"


@dataclass(frozen=True)
class Ask:
    """One run that is asked for. ``logical_date``: ISO 8601 with offset, or None for a run without one."""

    run_id: str = "r1"
    logical_date: str | None = DATE
    conf: dict[str, Any] = field(default_factory=dict)


_THREE: Final = tuple(Ask(f"r{n}", f"2024-03-0{n}T00:00:00+00:00") for n in (1, 2, 3))


def _confs(*confs: dict[str, Any]) -> tuple[Ask, ...]:
    return tuple(Ask(f"r{n}", f"2024-03-{n:02}T02:00:00+00:00", conf) for n, conf in enumerate(confs, 1))


ASKED: Final[dict[str, tuple[Ask, ...]]] = {
    "depends_on_past": _THREE,
    "depends_on_past_failed": _THREE,
    "depends_on_past_mapped": _THREE,
    "depends_on_past_skip": _THREE,
    "wait_for_downstream": _THREE,
    "wait_for_downstream_failed": _THREE,
    "xcom_runs": _THREE,
    "no_date": (Ask(logical_date=None),),
    "params_conf": _confs(
        {}, {"p": "conf"}, {"n": 5}, {"n": "5"}, {"n": 0}, {"extra": [1]}, {"own": "conf"}, {"p": None}
    ),
    "params_without": _confs({}, {"x": 1}),
    "param_integer": _confs({}, {"x": 5}, {"x": 5.0}, {"x": 5.5}, {"x": "5"}, {"x": True}, {"x": None}),
    "param_number": _confs({"x": 1.5}, {"x": 1}, {"x": "1"}),
    "param_string": _confs({"x": "ab"}, {"x": "a"}, {"x": "abcde"}, {"x": 5}),
    "param_boolean": _confs({"x": True}, {"x": 1}, {"x": "true"}),
    "param_enum": _confs({"x": "a"}, {"x": 1}, {"x": "b"}),
    "param_const": _confs({"x": "c"}, {"x": "d"}),
    "param_array": _confs({"x": ["a"]}, {"x": []}, {"x": ["a", "a"]}, {"x": [1]}, {"x": "a"}),
    "param_object": _confs({"x": {"k": 1}}, {"x": {}}, {"x": []}),
    "param_pattern": _confs({"x": "aaa"}, {"x": "ab"}),
    "param_date": _confs({"x": "2024-01-31"}, {"x": "2024-02-30"}, {"x": "no"}),
    "param_datetime": _confs({"x": "2024-01-31T00:00:00Z"}, {"x": "no"}),
    "param_time": _confs({"x": "10:00:00Z"}, {"x": "no"}),
    "param_email": _confs({"x": "a@b.c"}, {"x": "no"}),
    "param_nullable": _confs({}, {"x": 1}, {"x": "a"}),
    "param_range": _confs({"x": 2}, {"x": 3}, {"x": 6}),
    "param_one_of": _confs({"x": "a"}, {"x": 1}, {"x": 1.5}),
    "param_any": _confs({}, {"x": [1]}),
    **dict.fromkeys(("target", "target_fails", "target_paused_never", "example_trigger_target_dag"), ()),
}
"""Runs to ask for, by DAG, in this order. An empty tuple: the runs come by themselves."""

COMING: Final[dict[str, int]] = {
    **{
        f"consumer_{name}": 1
        for name in (
            "one", "both", "and", "or_and", "or", "name", "alias", "alias_target", "empty", "mapped", "inlets", "multi",
        )
    },
    "follows": 1,
    "asset_consumes_1": 1,
    "asset_consumes_1_and_2": 1,
    "consume_1_and_2_with_asset_expressions": 1,
    "asset_alias_example_alias_consumer": 1,
    "asset_alias_example_alias_consumer_with_no_taskflow": 1,
}  # fmt: skip
"""How many runs of a DAG are started by assets."""

STAYING: Final[frozenset[str]] = frozenset({"depends_on_past_failed", "wait_for_downstream_failed"})
"""DAGs of which a run never ends: what is compared is where it stands when all others have ended."""


def asked(dag_id: str, has_schedule: bool) -> tuple[Ask, ...]:
    """Return the runs to ask for."""
    return ASKED.get(dag_id, () if has_schedule else (Ask(),))


ENVIRONMENT: Final[dict[str, str]] = {"AIRFLOW_VAR_PLAIN": "a variable", "AIRFLOW_VAR_DICT": '{"a": [1, 2]}'}
"""Settings of the processes that both sides see."""

NOT_RUN: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("example_branch_operator", "example_branch_python_operator_decorator"),
        "chooses at random, and installs packages from the network while it runs",
    ),
    **dict.fromkeys(
        ("example_task_state_store", "example_task_state_store_mapped", "example_asset_state_store_producer",
         "example_asset_state_store_consumer"),
        "its values are random",
    ),
    **dict.fromkeys(
        ("example_dag_decorator", "tutorial_objectstorage", "example_retry_policy"), "asks a server on the internet"
    ),
    **dict.fromkeys(
        ("tutorial_taskflow_api_virtualenv", "example_python_decorator", "example_python_operator"),
        "installs packages from the network while it runs",
    ),
    **dict.fromkeys(("example_external_task", "child_dag"), "looks again only after a minute"),
    "example_hitl_operator": "waits for a person",
    "example_asset_with_watchers": "waits for files that nobody writes",
    **dict.fromkeys(
        ("example_branch_datetime_operator_2", "example_weekday_branch_operator", "example_sensors"),
        "what it does depends on the time of day or the day of the week",
    ),
    **dict.fromkeys(
        ("consume_1_or_2_with_asset_expressions", "consume_1_or_both_2_and_3_with_asset_expressions",
         "asset_s3_bucket_consumer", "asset_s3_bucket_consumer_with_no_taskflow", "consumes_asset_decorator"),
        "how many runs it gets depends on which producer ends first",
    ),
    "conditional_asset_and_time_based_timetable": "its runs come by the hour of the recording",
    **dict.fromkeys(
        ("read_asset_event", "read_asset_event_from_classic"), "what it reads depends on which producers have ended"
    ),
    **dict.fromkeys(
        ("aggregate_regional_sales", "clean_and_combine_player_stats", "compute_player_odds", "daily_inference",
         "daily_team_a_rollup", "ingest_region_stats", "ingest_regional_sales", "ingest_team_a_player_stats",
         "live_region_player_stats", "monthly_team_a_rollup", "multi_region_player_stats",
         "player_odds_quality_check_wont_ever_to_trigger", "regional_stats_breakdown",
         "scatter_live_region_to_segments",
         "segment_region_stats_early_rollup", "segment_region_stats_rollup", "summarize_live_region_stats",
         "team_b_player_stats", "team_c_player_stats", "trailing_week_inference", "train_weekly_model"),
        "its partitions come by the hour of the recording",
    ),
}  # fmt: skip
"""Example DAGs that are read but not run, with the reason."""

OWN_KEYS: Final[frozenset[str]] = frozenset({"skipmixin_key"})
"""XComs that Airflow leaves for itself."""

_VARYING: Final[dict[str, frozenset[str]]] = {
    "describe_dag_folder": frozenset({"dag_folder", "file_count", "return_value"}),
    "get_file_stats": frozenset({"return_value"}),
    "show_dag_folder_stats": frozenset({"return_value"}),
    "test_trigger_dagrun": frozenset({"trigger_run_id"}),
    "print_date": frozenset({"return_value"}),
}
"""XComs of example tasks that hold the time or a path: that they are there is compared, not what they hold."""


def varies(task_id: str, key: str) -> bool:
    """Whether an XCom is not the same twice."""
    return key in _VARYING.get(task_id, ())


def instant(value: datetime | None) -> str | None:
    """Return an instant in UTC as text; ``now`` for one of the run itself: the probes are about other years."""
    if value is not None and NOW_YEARS[0] <= value.year < NOW_YEARS[1]:
        return "now"
    return None if value is None else value.astimezone(UTC).isoformat().removesuffix("+00:00")
