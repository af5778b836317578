"""Runs are operated through the REST API: in the paths and words of Airflow, and what it has not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from scheduler.recovery import only_scheduler
from tests.webui.conftest import PASSWORD
from tests.webui.operated import TASKS, hold
from tradewind.metadata.models import AuditEntry, DagRun, RunInbox, TaskInstance
from tradewind.model.spec import GroupSpec, TaskSpec
from tradewind.model.states import RunState, RunType

DONE = dict.fromkeys((task.task_id for task in TASKS), "success")
BROKEN = {**DONE, "load": "failed", "index": "upstream_failed", "mail": "upstream_failed"}
LIVE = {"fetch": "success", "check": "running", "load": "none", "index": "none", "mail": "none"}
RUN = "/dags/d/dagRuns/r"
OURS = f"/tradewind{RUN}"


@pytest.fixture
def version(seed):
    return seed.dag("d", TASKS)


@pytest.fixture
def broken(seed, version):
    """A run ``r`` in which ``load`` failed."""
    return seed.run("d", version, BROKEN, run_id="r", state=RunState.FAILED)


@pytest.fixture
def live(seed, version):
    """A run ``r`` in which ``check`` runs."""
    return seed.run("d", version, LIVE, run_id="r", state=RunState.RUNNING)


def states(seed, run_id="r"):
    pk = seed.pks["d", run_id]
    with seed.db.read() as tx:
        query = select(TaskInstance.task_id, TaskInstance.state).where(TaskInstance.run_pk == pk)
        return {task_id: state.value for task_id, state in tx.execute(query)}


def run_of(seed, run_id="r"):
    with seed.db.read() as tx:
        return tx.execute(select(DagRun.state, DagRun.held, DagRun.note).where(DagRun.run_id == run_id)).one()


def audited(seed):
    with seed.db.read() as tx:
        rows = tx.execute(select(AuditEntry.actor, AuditEntry.via, AuditEntry.action, AuditEntry.task_id))
        return [tuple(row) for row in rows]


def ids(answer):
    assert answer[0] == 200, answer
    assert answer[1]["total_entries"] == len(answer[1]["task_instances"])
    return [task["task_id"] for task in answer[1]["task_instances"]]


# --- clear -----------------------------------------------------------------------------------------------------------


def test_what_would_be_cleared_is_told_and_nothing_done(call, seed, broken):
    path = "/dags/d/clearTaskInstances"
    assert ids(call("POST", path, json={"dag_run_id": "r"})) == ["load", "index", "mail"]
    assert ids(call("POST", path, json={"dag_run_id": "r", "only_failed": False})) == list(DONE)
    below = {"dag_run_id": "r", "only_failed": False, "task_ids": ["index"], "include_downstream": True}
    assert ids(call("POST", path, json=below)) == ["index", "mail"]
    above = {"dag_run_id": "r", "only_failed": False, "task_ids": [["check", -1]], "include_upstream": True}
    assert ids(call("POST", path, json=above)) == ["fetch", "check"]
    assert (states(seed), audited(seed)) == (BROKEN, [])


def test_failed_tasks_are_cleared_and_their_run_starts_again(call, seed, broken):
    body = {"dag_run_id": "r", "dry_run": False, "note": "disk is bigger now"}
    answer = call("POST", "/dags/d/clearTaskInstances", json=body)
    assert ids(answer) == ["load", "index", "mail"]
    load = answer[1]["task_instances"][0]
    assert (load["state"], load["note"], load["dag_run_id"]) == (None, "disk is bigger now", "r")
    assert states(seed) == {**DONE, "load": "none", "index": "none", "mail": "none"}
    assert call("GET", RUN)[1]["state"] == "queued"
    assert audited(seed) == [("user", "rest_api", "task.clear", None)]
    assert ids(call("POST", "/dags/d/clearTaskInstances", json=body)) == []  # once more changes nothing
    assert len(audited(seed)) == 1


def test_a_whole_run_is_cleared(call, seed, broken):
    assert ids(call("POST", f"{RUN}/clear", json={})) == list(DONE)
    assert ids(call("POST", f"{RUN}/clear", json={"only_failed": True})) == ["load", "index", "mail"]
    status, run = call("POST", f"{RUN}/clear", json={"dry_run": False, "note": "again"})
    assert (status, run["dag_run_id"], run["state"], run["note"]) == (200, "r", "queued", "again")
    assert set(states(seed).values()) == {"none"}


def test_earlier_and_later_runs_come_along(call, seed, version):
    for day in range(4):
        seed.run("d", version, DONE, run_id=f"day{day}", due=seed.now - timedelta(days=9 - day))

    def cleared(**body):
        body = {"only_failed": False, "task_ids": ["load"], **body}
        answer = call("POST", "/dags/d/clearTaskInstances", json=body)
        assert answer[0] == 200, answer
        return [task["dag_run_id"] for task in answer[1]["task_instances"]]

    assert cleared(dag_run_id="day1", include_future=True) == ["day1", "day2", "day3"]
    assert cleared(dag_run_id="day1", include_past=True) == ["day0", "day1"]
    assert cleared() == ["day0", "day1", "day2", "day3"]
    since = (seed.now - timedelta(days=7)).isoformat()
    assert cleared(start_date=since) == ["day2", "day3"]


def test_several_runs_are_cleared_at_once(call, seed, version):
    for day, name in enumerate(("one", "two", "three")):
        seed.run("d", version, BROKEN, run_id=name, state=RunState.FAILED, due=seed.now - timedelta(days=9 - day))
    some = {"dag_runs": [{"dag_run_id": "one"}, {"dag_run_id": "two", "dag_id": "d"}]}
    assert (
        ids(call("POST", "/dags/d/clearDagRuns", json={**some, "only_failed": True})) == ["load", "index", "mail"] * 2
    )
    status, body = call("POST", "/dags/d/clearDagRuns", json={**some, "dry_run": False})
    assert (status, [run["state"] for run in body["dag_runs"]], body["total_entries"]) == (200, ["queued"] * 2, 2)
    assert run_of(seed, "three").state is RunState.FAILED
    every = {"dag_runs": [{"dag_run_id": "three", "dag_id": "d"}], "dry_run": False}
    assert call("POST", "/dags/~/clearDagRuns", json=every)[1]["total_entries"] == 1


def test_what_runs_can_be_protected(call, seed, live):
    body = {"dag_run_id": "r", "only_failed": False, "prevent_running_task": True, "dry_run": False}
    status, answer = call("POST", "/dags/d/clearTaskInstances", json=body)
    assert status == 409 and "'check' is running" in answer["detail"]
    assert states(seed) == LIVE
    body["prevent_running_task"] = False
    assert ids(call("POST", "/dags/d/clearTaskInstances", json=body)) == ["fetch", "check"]
    assert states(seed)["check"] == "restarting"


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/dags/d/clearTaskInstances", {"only_running": True}, 422, "exclude each other"),
        ("/dags/d/clearTaskInstances", {"task_ids": []}, 422, "is empty"),
        ("/dags/d/clearTaskInstances", {"task_ids": [["load"]]}, 422, "a pair of a task id and a map index"),
        ("/dags/d/clearTaskInstances", {"task_ids": [["load", True]]}, 422, "a pair"),
        ("/dags/d/clearTaskInstances", {"task_ids": ["laod"]}, 404, "Did you mean 'load'?"),
        ("/dags/d/clearTaskInstances", {"dag_run_id": "none"}, 404, "no run of that name"),
        ("/dags/d/clearTaskInstances", {"include_past": True}, 400, "dag_run_id"),
        ("/dags/d/clearTaskInstances", {"dag_run_id": "r", "start_date": "2026-01-01T00:00:00Z"}, 422, "not both"),
        ("/dags/d/clearTaskInstances", {"start_date": "yesterday"}, 422, "ISO 8601"),
        ("/dags/d/clearTaskInstances", {"reset_dag_runs": False}, 422, "not supported"),
        ("/dags/d/clearTaskInstances", {"dry_run": "no"}, 422, "true or false"),
        ("/dags/d/clearTaskInstances", {"dry_rum": True}, 422, "Did you mean 'dry_run'?"),
        ("/dags/d/clearTaskInstances", {"note": "x" * 1001, "dry_run": False}, 422, "1000"),
        ("/dags/nod/clearTaskInstances", {}, 404, "nod"),
        (f"{RUN}/clear", {"only_new": True, "only_failed": True}, 422, "exclude each other"),
        ("/dags/d/dagRuns/none/clear", {}, 404, "no run of that name"),
        ("/dags/d/clearDagRuns", {}, 422, "in one way"),
        ("/dags/d/clearDagRuns", {"dag_runs": ["r"]}, 422, "dag_run_id"),
        ("/dags/d/clearDagRuns", {"dag_runs": [{"dag_run_id": "r", "dag_id": "e"}]}, 400, "that of the path"),
        ("/dags/~/clearDagRuns", {"dag_runs": [{"dag_run_id": "r"}]}, 400, "that of the path"),
        ("/dags/~/clearDagRuns", {"partition_key": "k"}, 400, "one DAG"),
    ],
)
def test_a_clear_that_cannot_be_meant_is_refused_in_words(call, seed, broken, path, body, status, told):
    answer = call("POST", path, json=body)
    assert answer[0] == status, answer
    assert told in answer[1]["detail"]
    assert (states(seed), audited(seed)) == (BROKEN, [])


# --- mark ------------------------------------------------------------------------------------------------------------


def test_a_run_is_marked_and_noted(call, seed, live):
    status, run = call("PATCH", RUN, json={"state": "failed", "note": "given up"})
    assert (status, run["note"]) == (200, "given up")
    assert states(seed)["load"] == "skipped"
    assert ("user", "rest_api", "run.mark", None) in audited(seed)
    assert call("PATCH", f"{RUN}?update_mask=note", json={"state": "success", "note": None})[1]["note"] is None
    assert run_of(seed).state is RunState.FAILED


def test_a_task_is_marked_and_what_it_blocked_is_done_again(call, seed, broken):
    path = f"{RUN}/taskInstances/load"
    assert ids(call("PATCH", f"{path}/dry_run", json={"new_state": "success"})) == ["load", "index", "mail"]
    assert states(seed) == BROKEN
    answer = call("PATCH", path, json={"new_state": "SUCCESS", "note": "loaded by hand"})
    assert ids(answer) == ["load", "index", "mail"]
    assert (answer[1]["task_instances"][0]["state"], answer[1]["task_instances"][0]["note"]) == (
        "success",
        "loaded by hand",
    )
    assert states(seed) == {**DONE, "index": "none", "mail": "none"}
    assert run_of(seed).state is RunState.QUEUED
    status, body = call("PATCH", path, json={"new_state": "success"})
    assert status == 409 and "already" in body["detail"]


def test_a_task_is_skipped_with_all_that_stands_below(call, seed, live):
    body = {"new_state": "skipped", "include_downstream": True}
    assert ids(call("PATCH", f"{RUN}/taskInstances/load/-1", json=body)) == ["load", "index", "mail"]
    assert [states(seed)[task] for task in ("check", "load", "index", "mail")] == ["running", *["skipped"] * 3]


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        (RUN, {"state": "running"}, 422, "It can be: queued, success, failed."),
        (RUN, {"state": "sucess"}, 422, "Did you mean 'success'?"),
        (f"{RUN}?update_mask=stat", {"state": "success"}, 422, "Did you mean 'state'?"),
        ("/dags/d/dagRuns/none", {"state": "success"}, 404, "no run"),
        (f"{RUN}/taskInstances/load", {}, 422, "'new_state', 'note' or both"),
        (f"{RUN}/taskInstances/load", {"new_state": None}, 422, "is null"),
        (f"{RUN}/taskInstances/load", {"new_state": "running"}, 422, "It can be: success, failed, skipped."),
        (f"{RUN}/taskInstances/laod", {"new_state": "failed"}, 404, "Did you mean 'load'?"),
        (f"{RUN}/taskInstances/load/7", {"new_state": "failed"}, 404, "no map index 7"),
        (f"{RUN}/taskInstances/load/dry_run", {"note": "x"}, 422, "'new_state' is missing"),
    ],
)
def test_a_mark_that_cannot_be_meant_is_refused_in_words(call, seed, broken, path, body, status, told):
    answer = call("PATCH", path, json=body)
    assert answer[0] == status, answer
    assert told in answer[1]["detail"]
    assert (states(seed), audited(seed)) == (BROKEN, [])


def test_a_run_that_has_ended_is_deleted(call, seed, version, broken):
    kind = {"run_type": RunType.MANUAL}
    seed.run("d", version, DONE, run_id="m", due=seed.now - timedelta(days=1), **kind)
    seed.run("d", version, LIVE, run_id="live", state=RunState.RUNNING, due=seed.now - timedelta(days=2), **kind)
    assert call("DELETE", "/dags/d/dagRuns/m") == (204, None)
    assert call("DELETE", "/dags/d/dagRuns/m")[0] == 404
    assert {run["dag_run_id"] for run in call("GET", "/dags/~/dagRuns")[1]["dag_runs"]} == {"r", "live"}
    assert ("user", "rest_api", "run.delete", None) in audited(seed)
    status, body = call("DELETE", "/dags/d/dagRuns/live")
    assert status == 409 and "is running" in body["detail"]
    assert call("DELETE", RUN)[0] == 409  # the schedule goes on from it


# --- what Airflow has not ---------------------------------------------------------------------------------------------


def test_a_run_is_held_and_released(call, seed, live):
    assert call("POST", f"{OURS}/hold", json={"reason": "disk full", "dry_run": True})[1]["dag_runs"] == 1
    assert run_of(seed).held is None
    assert call("POST", f"{OURS}/hold", json={"reason": "disk full"})[1]["dag_runs"] == 1
    assert "disk full" in run_of(seed).held and "user" in run_of(seed).held
    assert call("POST", f"{OURS}/hold", json={})[1]["dag_runs"] == 0  # it is so already
    assert call("POST", f"{OURS}/release", json={})[1]["dag_runs"] == 1
    assert run_of(seed).held is None
    assert [row[2] for row in audited(seed)] == ["run.hold", "run.release"]


def test_tasks_are_held_by_their_names(call, seed, live):
    body = {"task_ids": ["in*"], "include_downstream": True}
    assert ids(call("POST", f"{OURS}/hold", json=body)) == ["index", "mail"]
    assert ids(call("POST", f"{OURS}/release", json={"task_ids": ["mail"]})) == ["mail"]


def test_a_run_is_cancelled(call, seed, live):
    answer = call("POST", f"{OURS}/cancel", json={})
    assert answer[1]["dag_runs"] == 1
    assert states(seed)["load"] == "skipped"


def test_a_run_is_replayed_from_a_task_on(call, seed, broken):
    plan = call("POST", f"{OURS}/replay", json={"from_tasks": ["load"], "dry_run": True})[1]
    assert {task["task_id"] for task in plan["task_instances"]} == {"load", "index", "mail"}
    assert plan["taken_over"] == 2
    status, run = call("POST", f"{OURS}/replay", json={"from_tasks": ["load"], "note": "once more"})
    assert (status, run["dag_run_id"], run["state"], run["note"]) == (200, plan["dag_run_id"], "queued", "once more")
    assert call("POST", f"{OURS}/replay", json={"from_tasks": ["laod"]})[0] == 404
    assert call("POST", f"{OURS}/replay", json={"dag_run_id": "r"})[0] == 409


def test_a_run_says_why_it_waits(call, seed, live):
    hold(seed, "d", "r", "load")
    reasons = {one["task_id"]: one["reason"] for one in call("GET", f"{OURS}/why")[1]["reasons"]}
    assert {None, "check", "load"} <= reasons.keys()
    assert "disk of the warehouse" in reasons["load"]
    (one,) = call("GET", f"{RUN}/taskInstances/load/dependencies")[1]["dependencies"]
    assert one["reason"] == reasons["load"]
    assert call("GET", f"{RUN}/taskInstances/check/-1/dependencies")[1] == {"dependencies": []}
    assert call("GET", "/tradewind/dags/d/why")[1]["total_entries"] >= 1


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        (f"{OURS}/hold", {"task_ids": []}, "at least one name"),
        (f"{OURS}/hold", {"include_upstream": True}, "go from tasks"),
        (f"{OURS}/release", {"reason": "x"}, "belongs to hold"),
        (f"{OURS}/replay", {"from_tasks": [1]}, "list of names"),
        (f"{OURS}/cancel", {"state": "failed"}, "unknown field"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, seed, live, path, body, told):
    status, answer = call("POST", path, json=body)
    assert status == 422 and told in answer["detail"]
    assert audited(seed) == []


# --- who may ---------------------------------------------------------------------------------------------------------

WRITES = [
    ("POST", "/dags/d/clearTaskInstances"), ("POST", f"{RUN}/clear"), ("POST", "/dags/d/clearDagRuns"),
    ("PATCH", RUN), ("DELETE", RUN), ("PATCH", f"{RUN}/taskInstances/load"),
    ("PATCH", f"{RUN}/taskInstances/load/dry_run"),
    ("POST", f"{OURS}/hold"), ("POST", f"{OURS}/release"), ("POST", f"{OURS}/cancel"), ("POST", f"{OURS}/replay"),
    ("POST", "/backfills"), ("POST", "/backfills/dry_run"), ("PUT", "/backfills/1/cancel"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_viewer_may_change_nothing(app, seed, broken, method, path):
    client = app.test_client()
    token = client.post("/auth/token", json={"username": "viewer", "password": PASSWORD}).get_json()["access_token"]
    answer = client.open(f"/api/v2{path}", method=method, json={}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403 and "'user'" in answer.get_json()["detail"]
    assert app.test_client().open(f"/api/v2{path}", method=method, json={}).status_code == 401


def test_a_forged_request_of_a_browser_is_refused(app, log_in, seed, broken):
    client = log_in("admin")
    answer = client.post("/api/v2/dags/d/clearTaskInstances", json={"dry_run": False})
    assert answer.status_code == 403
    assert states(seed) == BROKEN


# --- with map indexes, groups ----------------------------------------------------------------------------------------


def test_a_group_is_a_name_of_its_tasks(call, seed):
    tasks = (TaskSpec("a"), *(TaskSpec(f"g.{one}", upstream=("a",), group_id="g") for one in "bc"))
    version = seed.dag("d", tasks, groups=(GroupSpec("g"),))
    seed.run("d", version, {task.task_id: "success" for task in tasks}, run_id="r")
    body = {"dag_run_id": "r", "only_failed": False, "task_ids": ["g"]}
    assert ids(call("POST", "/dags/d/clearTaskInstances", json=body)) == ["g.b", "g.c"]


def test_a_wish_waits_for_the_scheduler_that_holds_the_run(call, seed, live, monkeypatch):
    monkeypatch.setattr("webui.operating.PATIENCE", timedelta(0))
    seed.scheduler()
    with only_scheduler(seed.db):
        assert call("PATCH", RUN, json={"state": "success"})[1]["state"] == "running"
    with seed.db.read() as tx:
        assert tx.execute(select(RunInbox.kind)).scalars().all() == ["command"]
