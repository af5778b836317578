"""The REST API: the shapes that Airflow's clients need, paging, errors."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.webui.conftest import PASSWORD, TOKEN_PATH
from tests.webui.seed import ETL_TASKS, FAILED_LOG
from tradewind import __version__
from tradewind.metadata.models import DagVersion
from tradewind.model.spec import ParamSpec
from tradewind.model.states import RunState


def test_the_version_needs_no_login(app):
    assert app.test_client().get("/api/v2/version").get_json()["version"] == __version__


def test_dags_are_paged_and_counted(call, seed):
    for number in range(7):
        seed.dag(f"dag_{number}", ETL_TASKS, tags=("etl",))
    status, body = call("GET", "/dags?limit=3&offset=5")
    assert status == 200
    assert [dag["dag_id"] for dag in body["dags"]] == ["dag_5", "dag_6"]
    assert body["total_entries"] == 7
    assert call("GET", "/dags?limit=&dag_id_pattern=%25dag_2%25")[1]["total_entries"] == 1
    required = {"dag_id", "dag_display_name", "fileloc", "file_token", "is_paused", "is_stale", "has_import_errors",
                "owners", "tags", "max_active_tasks", "timetable_periodic"}  # fmt: skip
    assert required <= body["dags"][0].keys()
    assert all(body["dags"][0][name] is not None for name in required)


def test_a_run_is_created_read_and_listed(call, seed):
    seed.dag("d", ETL_TASKS, schedule="", params={"n": ParamSpec({"type": "integer"}, 1)})
    status, run = call("POST", "/dags/d/dagRuns", json={"dag_run_id": "mine", "logical_date": None, "conf": {"n": 2}})
    assert status == 200, run
    assert (run["dag_run_id"], run["run_type"], run["state"]) == ("mine", "manual", "queued")
    assert (run["conf"], run["logical_date"], run["triggered_by"]) == ({"n": 2}, None, "rest_api")
    assert call("GET", "/dags/d/dagRuns/mine")[1]["triggering_user_name"] == "user"
    assert [found["dag_run_id"] for found in call("GET", "/dags/~/dagRuns?state=queued")[1]["dag_runs"]] == ["mine"]


def test_a_run_says_in_which_state_of_the_dag_folder_it_began(call, seed, database):
    version = seed.dag("d", ETL_TASKS)
    bundle = f"git-{'a' * 40}:dags"
    with database.write() as tx:
        tx.execute(update(DagVersion).where(DagVersion.id == version).values(bundle=bundle))
    call("POST", "/dags/d/dagRuns", json={"dag_run_id": "mine", "logical_date": None})

    assert call("GET", "/dags/d/dagRuns/mine")[1]["bundle_version"] == bundle


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"conf": {"n": "x"}}, 400),
        ({"conf": [1]}, 422),
        ({"dag_run_id": "taken"}, 409),
        ({"logical_date": "yesterday"}, 422),
        ({"logical_date": "2026-01-01T00:00:00"}, 422),
        ({"note": 5}, 422),
        ({"dag_run_di": "x"}, 422),
        ({"run_after": "2026-01-01T00:00:00Z"}, 422),
        (None, 422),
    ],
)
def test_a_bad_request_is_answered_with_what_is_wrong(call, seed, body, status):
    version = seed.dag("d", ETL_TASKS, schedule="", params={"n": ParamSpec({"type": "integer"}, 1)})
    seed.run("d", version, {}, run_id="taken")
    answer = call("POST", "/dags/d/dagRuns", json=body)
    assert answer[0] == status
    assert isinstance(answer[1]["detail"], str) and answer[1]["detail"]


def test_what_does_not_exist_is_404_with_a_hint(call, seed):
    seed.dag("nightly", ETL_TASKS)
    status, body = call("GET", "/dags/nightli")
    assert status == 404 and "Did you mean 'nightly'?" in body["detail"]


def test_a_viewer_may_not_trigger(app, seed):
    seed.dag("d", ETL_TASKS)
    client = app.test_client()
    token = client.post(TOKEN_PATH, json={"username": "viewer", "password": PASSWORD}).get_json()["access_token"]
    answer = client.post("/api/v2/dags/d/dagRuns", json={}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403 and "role" in answer.get_json()["detail"]


def test_task_instances_and_their_logs_are_read(call, seed):
    states = {"clean": "success", "load": "failed", "join": "none"}
    seed.run("d", seed.dag("d", ETL_TASKS), states, run_id="r", state=RunState.FAILED)
    seed.log("d", "r", "load", FAILED_LOG)

    body = call("GET", "/dags/d/dagRuns/r/taskInstances?state=failed")[1]
    assert [task["task_id"] for task in body["task_instances"]] == ["load"]
    task = call("GET", "/dags/d/dagRuns/r/taskInstances/load")[1]
    assert (task["state"], task["try_number"], task["hostname"], task["pool"]) == (
        "failed",
        1,
        "worker-1",
        "default_pool",
    )
    assert call("GET", "/dags/d/dagRuns/r/taskInstances/join")[1]["state"] is None
    log = call("GET", "/dags/d/dagRuns/r/taskInstances/load/logs/1")[1]
    assert log["content"][-1].startswith("ValueError: 842") and log["continuation_token"] is None
    assert call("GET", "/dags/d/dagRuns/r/taskInstances/load/logs/7")[0] == 404


def test_import_errors_are_listed(call, seed):
    seed.dag("bad", ETL_TASKS, error="SyntaxError: invalid syntax")
    body = call("GET", "/importErrors")[1]
    assert body["total_entries"] == 1
    assert (body["import_errors"][0]["filename"], "SyntaxError" in body["import_errors"][0]["stack_trace"]) == (
        "bad.py",
        True,
    )


def test_runs_come_newest_first(call, seed):
    version = seed.dag("d", ETL_TASKS)
    for hours in (3, 1, 2):
        seed.run("d", version, {}, run_id=f"h{hours}", due=seed.now - timedelta(hours=hours))
    assert [run["dag_run_id"] for run in call("GET", "/dags/d/dagRuns")[1]["dag_runs"]] == ["h1", "h2", "h3"]
