"""The REST API answers what is so: the fields of Airflow's client, the DAG's own values, true counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler.dagfiles.folders import EXAMPLES
from tests.webui.seed import ETL_TASKS
from tradewind.model.spec import ParamSpec, TaskSpec
from tradewind.model.states import RunState, RunType


def fields(names: str) -> list[str]:
    return sorted(names.split())


DAG = fields("""
    allowed_run_types bundle_name bundle_version dag_display_name dag_id description file_token fileloc
    has_import_errors has_task_concurrency_limits is_backfillable is_paused is_stale last_expired last_parse_duration
    last_parsed_time max_active_runs max_active_tasks max_consecutive_failed_dag_runs next_dagrun_data_interval_end
    next_dagrun_data_interval_start next_dagrun_logical_date next_dagrun_run_after owners relative_fileloc tags
    timetable_description timetable_partitioned timetable_periodic timetable_summary
""")
DETAILS = fields("""
    active_runs_count asset_expression catchup concurrency dag_run_timeout default_args doc_md end_date is_favorite
    is_paused_upon_creation last_parsed latest_dag_version owner_links params render_template_as_native_obj
    rerun_with_latest_version start_date template_search_path timezone
""")
RUN = fields("""
    bundle_version conf dag_display_name dag_id dag_run_id dag_versions data_interval_end data_interval_start duration
    end_date last_scheduling_decision logical_date note partition_date partition_key queued_at run_after run_type
    start_date state triggered_by triggering_user_name
""")
TASK = fields("""
    dag_display_name dag_id dag_run_id dag_version duration end_date executor executor_config hostname id logical_date
    map_index max_tries note operator operator_name pid pool pool_slots priority_weight queue queued_when
    rendered_fields rendered_map_index run_after scheduled_when start_date state task_display_name task_id trigger
    triggerer_job try_number unixname
""")
VERSION = fields("bundle_name bundle_url bundle_version created_at dag_display_name dag_id id version_number")

SETTINGS = {
    "catchup": True, "max_active_tasks": 3, "max_consecutive_failed_dag_runs": 5, "dagrun_timeout_seconds": 5400.0,
    "timezone": "Europe/Berlin", "start_date": "2013-01-01T00:00:00+00:00", "render_template_as_native_obj": True,
    "owner_links": {"airflow": "https://example.org"},
}  # fmt: skip


@pytest.fixture
def get(call):
    return lambda path: call("GET", path)


def test_the_fields_are_those_of_airflows_client(get, seed):
    run_id = seed.run("d", seed.dag("d", ETL_TASKS), {"clean": "success"}, run_id="r")
    assert sorted(get("/dags/d")[1]) == sorted(get("/dags")[1]["dags"][0]) == DAG
    assert sorted(get("/dags/d/details")[1]) == sorted(DAG + DETAILS)
    assert sorted(get(f"/dags/d/dagRuns/{run_id}")[1]) == sorted(get("/dags/d/dagRuns")[1]["dag_runs"][0]) == RUN
    tasks = get("/dags/d/dagRuns/r/taskInstances")[1]["task_instances"]
    assert sorted(tasks[0]) == sorted(get("/dags/d/dagRuns/r/taskInstances/clean")[1]) == TASK
    assert sorted(tasks[0]["dag_version"]) == VERSION


def test_a_dag_is_described_by_its_newest_version(get, seed):
    limited = (TaskSpec("a", "BashOperator", max_active_tis_per_dag=1),)
    params = {"n": ParamSpec({"type": "integer"}, 7, description="How many")}
    seed.run("d", seed.dag("d", limited, settings=SETTINGS, params=params), {}, state=RunState.RUNNING)
    seed.dag("plain", ETL_TASKS, schedule="")
    details = get("/dags/d/details")[1]
    expected = {
        "catchup": True, "max_active_tasks": 3, "concurrency": 3, "max_consecutive_failed_dag_runs": 5,
        "dag_run_timeout": "PT5400S", "timezone": "Europe/Berlin", "start_date": SETTINGS["start_date"],
        "render_template_as_native_obj": True, "owner_links": SETTINGS["owner_links"], "last_parse_duration": 0.02,
        "has_task_concurrency_limits": True, "timetable_periodic": True, "timetable_summary": "0 2 * * *",
        "active_runs_count": 1,
        "params": {"n": {"value": 7, "schema": {"type": "integer"}, "description": "How many", "source": "dag"}},
    }  # fmt: skip
    assert {name: details[name] for name in expected} == expected
    assert details["latest_dag_version"]["version_number"] == 1
    assert "02:00" in details["timetable_description"]
    plain = get("/dags/plain/details")[1]
    assert (plain["catchup"], plain["max_active_tasks"], plain["has_task_concurrency_limits"]) == (False, 16, False)
    assert (plain["timetable_periodic"], plain["is_backfillable"], plain["timetable_summary"]) == (False, False, None)


def test_runs_are_counted_whatever_the_page(get, seed):
    version = seed.dag("d", ETL_TASKS)
    seed.run("other", seed.dag("other", ETL_TASKS), {}, due=seed.now - timedelta(days=1))
    for hour in range(5):
        state = RunState.FAILED if hour % 2 else RunState.SUCCESS
        kind = RunType.MANUAL if hour == 4 else RunType.SCHEDULED
        seed.run("d", version, {}, run_id=f"h{hour}", state=state, run_type=kind, due=seed.now - timedelta(hours=hour))

    def found(query):
        body = get(f"/dags/{query}")[1]
        return [run["dag_run_id"] for run in body["dag_runs"]], body["total_entries"]

    assert found("d/dagRuns?limit=2") == (["h0", "h1"], 5)
    assert found("d/dagRuns?limit=2&offset=4") == (["h4"], 5)
    assert found("d/dagRuns?state=failed&limit=1") == (["h1"], 2)
    assert found("d/dagRuns?state=failed&state=success&order_by=run_after&limit=1") == (["h4"], 5)
    assert found("d/dagRuns?run_type=manual") == (["h4"], 1)
    bound = (seed.now - timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    assert found(f"d/dagRuns?run_after_gte={bound}") == (["h0", "h1", "h2"], 3)
    assert found(f"d/dagRuns?run_after_lt={bound}") == (["h3", "h4"], 2)
    assert found("~/dagRuns?limit=1")[1] == 6
    assert get("/dags/d/dagRuns")[1]["dag_runs"][0]["dag_versions"][0]["version_number"] == 1


def test_the_cap_of_a_count_is_told(get, seed, monkeypatch):
    monkeypatch.setattr("tradewind.metadata.views.run_search.COUNT_CAP", 2)
    monkeypatch.setattr("webui.api.run_routes.COUNT_CAP", 2)
    version = seed.dag("d", ETL_TASKS)
    for hour in range(3):
        seed.run("d", version, {}, due=seed.now - timedelta(hours=hour))
    body = get("/dags/d/dagRuns")[1]
    assert (len(body["dag_runs"]), body["total_entries"], body["total_entries_limit"]) == (3, 2, 2)


def test_task_instances_are_counted_and_say_what_their_version_says(get, seed):
    states = {"clean": "success", "join": "success", "load": "none"}
    seed.run("d", seed.dag("d", ETL_TASKS), states, run_id="r", state=RunState.RUNNING)
    path = "/dags/d/dagRuns/r/taskInstances"
    body = get(f"{path}?limit=1&offset=1&state=success")[1]
    assert ([task["task_id"] for task in body["task_instances"]], body["total_entries"]) == (["join"], 2)
    assert body["task_instances"][0]["hostname"] == "worker-1"
    load = get(f"{path}?state=no_status")[1]["task_instances"][0]
    assert (load["pool"], load["operator"], load["queue"]) == ("etl", "SQLExecuteQueryOperator", "default")
    assert (load["priority_weight"], load["hostname"], load["state"]) == (1, None, None)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/dags?limt=3", "Did you mean 'limit'? There are: limit, offset,"),
        ("/dags?limit=-1", "a whole number from 0"),
        ("/dags?limit=many", "a whole number from 0"),
        ("/dags?offset=99999999999", "a whole number from 0"),
        ("/dags?limit=1&limit=2", "given 2 times"),
        ("/dags?paused=perhaps", "expected true or false"),
        ("/dags?order_by=owner", "It can be: dag_id."),
        ("/dags/d/dagRuns?state=sucess", "Did you mean 'success'?"),
        ("/dags/d/dagRuns?run_after_gte=2026-01-01", "has no time zone"),
        ("/dags/d/dagRuns/r?fields=state", "has no query parameter 'fields'. It has none."),
        ("/dags/d/dagRuns/r/taskInstances?state=done", "It can be: none,"),
        ("/importErrors?offset=x", "a whole number from 0"),
        ("/dagSources/d?version_number=0", "a whole number from 1"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused_in_words(get, seed, path, told):
    seed.run("d", seed.dag("d", ETL_TASKS), {}, run_id="r")
    status, body = get(path)
    assert status == 422, body
    assert told in body["detail"]


def test_stale_dags_and_patterns(get, seed):
    for name in ("load_eu", "load_us", "loadxus"):
        seed.dag(name, ETL_TASKS)
    seed.dag("gone", ETL_TASKS)
    seed.retire("gone")

    def found(query):
        body = get(f"/dags?{query}")[1]
        assert body["total_entries"] == len(body["dags"])
        return [dag["dag_id"] for dag in body["dags"]]

    assert found("dag_id_pattern=d%25us") == ["load_us", "loadxus"]
    assert found("dag_id_pattern=~") == found("") == ["load_eu", "load_us", "loadxus"]
    assert found("exclude_stale=false")[0] == "gone"


def test_the_source_of_a_version(get, seed):
    seed.dag("d", ETL_TASKS)
    body = get("/dagSources/d?version_number=1")[1]
    assert body["version_number"] == 1 and "read_flights" in body["content"]
    assert get("/dagSources/d?version_number=2")[0] == 404


def test_import_errors_are_paged_and_keep_their_numbers(get, seed):
    for name in ("bad_a", "bad_b", "good"):
        seed.dag(name, ETL_TASKS, error="SyntaxError: no" if name != "good" else None)
    both = get("/importErrors")[1]["import_errors"]
    second = get("/importErrors?offset=1&limit=1")[1]
    assert second["import_errors"] == both[1:] and second["total_entries"] == 2
    assert both[0]["import_error_id"] != both[1]["import_error_id"]


def test_where_there_is_nothing_the_answer_is_json(get):
    status, body = get("/nonsense")
    assert status == 404 and isinstance(body["detail"], str)


def test_files_of_examples_are_told_apart(get, seed, config):
    seed.dag("shown", ETL_TASKS, path=f"{EXAMPLES}/sub/shown.py")
    seed.dag("own", ETL_TASKS)
    names = ("bundle_name", "relative_fileloc", "fileloc")
    shown = ["example_dags", "sub/shown.py", f"{EXAMPLES}/sub/shown.py"]
    assert [get("/dags/shown")[1][name] for name in names] == shown
    folder = config.core.dags_folder
    assert [get("/dags/own")[1][name] for name in names] == ["dags-folder", "own.py", f"{folder}/own.py"]
