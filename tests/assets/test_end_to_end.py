"""Do assets work with real DAG files, a real scheduler and real task processes; also when it is killed?"""

from __future__ import annotations

import pytest

from tests.assets.world import runs_of, used
from tests.e2e.conftest import stack  # noqa: F401  a fixture
from tests.e2e.stack import EFFECTS, Stack
from tests.support.waiting import wait_until
from tradewind.faults import KILL_AT
from tradewind.metadata import runs

DAGS = f"""
from airflow.sdk import DAG, Asset, AssetAlias, Metadata, asset, task
{EFFECTS}
raw, clean, found = Asset("s3://lake/raw"), Asset("clean", "s3://lake/clean"), AssetAlias("found")

with DAG("make", schedule=None):
    @task(outlets=[raw, found])
    def make(outlet_events=None, **context):
        effect(**context)
        outlet_events[raw].extra["rows"] = 3
        outlet_events[found].add(Asset("s3://lake/new"), extra={{"n": 1}})

    make()

with DAG("refine", schedule=[raw]):
    @task(outlets=[clean], inlets=[raw])
    def refine(triggering_asset_events=None, inlet_events=None, **context):
        effect(**context)
        (event,) = triggering_asset_events[raw]
        assert event.extra == {{"rows": 3}} and event.source_task_instance.task_id == "make", event
        assert inlet_events[raw][-1].extra == {{"rows": 3}}
        yield Metadata(clean, {{"of": event.extra["rows"]}})

    refine()

with DAG("both", schedule=clean & found):
    @task
    def show(triggering_asset_events=None, **context):
        effect(**context)
        return {{key.name: [e.extra for e in events] for key, events in triggering_asset_events.items()}}

    show()

@asset(schedule=[clean], uri="s3://lake/summary")
def summary(self, clean, context):
    effect(**context)
    return [self.name, self.uri, clean.uri, context["inlet_events"][clean][-1].extra]
"""


def xcom(stack: Stack, dag_id: str, task_id: str) -> str | None:  # noqa: F811
    from tradewind.metadata import xcoms

    (run,) = runs_of(stack.db, dag_id)
    with stack.db.read() as tx:
        (row,) = xcoms.find_xcoms(tx, dag_id, run.run_id, [task_id], "return_value", None)
    return row.value


def are_over(stack: Stack, *dag_ids: str) -> bool:  # noqa: F811
    with stack.db.read() as tx:
        for dag_id in dag_ids:
            found = runs.list_runs(tx, dag_id=dag_id)
            if len(found) != 1 or found[0].ended_at is None:
                return False
    return True


def test_one_update_runs_all_that_hangs_on_it(stack: Stack) -> None:  # noqa: F811
    stack.write_dag("lake.py", DAGS)
    stack.start()
    stack.wait_dag("summary")
    stack.wait_over(stack.trigger("make"))
    wait_until(lambda: are_over(stack, "refine", "both", "summary"), timeout=30, what="the runs of all consumers")

    assert {dag: runs_of(stack.db, dag)[0].state.value for dag in ("refine", "both", "summary")} == {
        "refine": "success",
        "both": "success",
        "summary": "success",
    }
    both = '{"s3://lake/new":[{"n":1}],"found":[{"n":1}],"clean":[{"of":3}]}'
    assert xcom(stack, "both", "show") == both
    assert xcom(stack, "summary", "summary") == '["summary","s3://lake/summary","s3://lake/clean",{"of":3}]'
    stack.assert_sound()


@pytest.mark.parametrize("point", ["scheduler-after-commit:3", "assets-before-commit:2"])
def test_a_scheduler_killed_at_a_bad_moment_uses_each_event_once(stack: Stack, point: str) -> None:  # noqa: F811
    stack.write_dag("lake.py", DAGS)
    stack.start()
    stack.wait_dag("summary")
    stack.kill()
    made = stack.trigger("make")

    stack.start(**{KILL_AT: point})
    wait_until(stack.is_dead, timeout=40, what=f"the kill at {point}")
    stack.start()
    stack.wait_over(made)
    wait_until(lambda: are_over(stack, "refine", "both", "summary"), timeout=40, what="the runs of all consumers")

    (both,) = runs_of(stack.db, "both")
    assert sorted(used(stack.db, both)) == ["clean", "s3://lake/new"]
    stack.assert_sound()
