"""Limits and their use are told by a page and by the REST API."""

from __future__ import annotations

from tests.webui.operated import TASKS, operated
from tests.webui.seed import Seed
from tradewind.model.spec import TaskSpec
from tradewind.model.states import RunState


def full_pool(seed: Seed) -> None:
    """Write a DAG whose tasks take all slots of a pool, and one more that waits for them."""
    seed.scheduler()
    tasks = tuple(TaskSpec(f"t{number}", pool="etl", pool_slots=4) for number in range(3))
    states = {"t0": "running", "t1": "running", "t2": "scheduled"}
    seed.run("d", seed.dag("d", tasks), states, run_id="r", state=RunState.RUNNING)


def test_every_limit_is_told(call, seed):
    seed.run("d", seed.dag("d", TASKS), {"fetch": "running"}, run_id="r", state=RunState.RUNNING)
    status, body = call("GET", "/tradewind/limits")
    assert status == 200 and body["total_entries"] == len(body["limits"])
    found = {(one["kind"], one["name"]): one for one in body["limits"]}
    assert found["parallelism", ""]["used"] == 1
    assert found["max_active_runs", "d"]["limit"] == 16
    assert found["pool", "default_pool"]["used"] == 1


def test_the_page_shows_who_uses_them(client, seed):
    operated(seed)
    page = client.get("/limits").text
    assert "Tasks at once" in page and "default_pool" in page
    assert 'href="/dags/tariffs"' in page and 'href="/backfills/1"' in page


def test_what_is_used_up_is_shown_alone(client, seed):
    full_pool(seed)
    everything = client.get("/limits").text
    assert "Runs of a DAG" in everything
    assert "Runs of a DAG" not in client.get("/limits?full=yes").text
