"""Is a spec canonical, complete, and refused when the DAG cannot be run?"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.authoring.support import load, only
from tradewind import DAG, EmptyOperator, Label, PythonOperator, TaskGroup, task
from tradewind.errors import DagCycle, DagError
from tradewind.model.spec import decode_spec, encode_spec
from tradewind.sdk.graph import effective_weights
from tradewind.sdk.serialize import to_spec
from tradewind.timetables import ContinuousTimetable

FILE = """
from datetime import datetime, timedelta
from tradewind import DAG, BashOperator, EmptyOperator, Label, Param, TaskGroup, task

with DAG("etl", schedule="0 2 * * *", start_date=datetime(2024, 1, 1), tags={"b", "a", "c"},
         params={"z": 1, "a": Param("x", type="string", description="d")},
         owner_links={"b": "https://b", "a": "https://a"}) as dag:
    with TaskGroup("g", tooltip="tip"):
        many = [EmptyOperator(task_id=f"t{i}") for i in range(20)]
    join = BashOperator(task_id="join", bash_command="true", retries=3, execution_timeout=timedelta(minutes=5))
    many >> Label("all") >> join
    @task(priority_weight=5, pool="db")
    def last(x):
        '''Says what.'''
    last(join.output)
"""


def test_the_same_file_gives_the_same_bytes_in_any_process(tmp_path):
    (tmp_path / "dag.py").write_text(FILE)
    code = (
        "import sys; from tradewind.sdk.loader import load_dag_file; from tradewind.sdk.serialize import to_spec\n"
        "from tradewind.model.spec import encode_spec\n"
        "sys.stdout.buffer.write(encode_spec(to_spec(load_dag_file(sys.argv[1])[0])))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "dag.py")],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(seen) == 1 and decode_spec(seen.pop()).dag_id == "etl"


def test_a_spec_says_all_that_the_scheduler_needs(tmp_path):
    spec = to_spec(only(load(tmp_path, FILE)))
    by_id = {one.task_id: one for one in spec.tasks}

    assert [one.task_id for one in spec.tasks] == sorted(by_id)
    assert spec.timetable.summary == "0 2 * * *"
    assert (spec.tags, spec.start_date, spec.timezone) == (("a", "b", "c"), "2024-01-01T00:00:00+00:00", "UTC")
    assert by_id["join"].upstream == tuple(sorted(f"g.t{i}" for i in range(20)))
    assert (by_id["join"].retries, by_id["join"].execution_timeout_seconds, by_id["join"].priority) == (3, 300.0, 6)
    assert (by_id["last"].operator, by_id["last"].pool, by_id["last"].doc_md) == ("@task", "db", "Says what.")
    assert (by_id["g.t0"].needs_process, by_id["join"].needs_process) == (False, True)
    assert (spec.groups[0].group_id, spec.groups[0].tooltip, by_id["g.t0"].group_id) == ("g", "tip", "g")
    assert spec.edge_labels["g.t3>join"] == "all"
    assert spec.params["a"].description == "d" and list(spec.params) == ["a", "z"]
    assert decode_spec(encode_spec(spec)) == spec


@pytest.mark.parametrize(
    "settings",
    [
        {"on_success_callback": print},
        {"on_execute_callback": [print]},
        {"pre_execute": print},
        {"post_execute": print},
    ],
)
def test_an_empty_task_that_something_hangs_on_needs_a_process(settings):
    made = DAG("etl")
    EmptyOperator(task_id="it", dag=made, **settings)

    assert to_spec(made).tasks[0].needs_process


def test_a_subclass_of_empty_that_does_something_needs_a_process():
    class Busy(EmptyOperator):
        def execute(self, context):
            return 1

    class Idle(EmptyOperator):
        pass

    made = DAG("etl")
    Busy(task_id="busy", dag=made)
    Idle(task_id="idle", dag=made)

    assert {one.task_id: one.needs_process for one in to_spec(made).tasks} == {"busy": True, "idle": False}


def test_a_cycle_is_named():
    with DAG("etl") as made:
        a, b, c = (EmptyOperator(task_id=name) for name in "abc")
        a >> b >> c >> a

    with pytest.raises(DagCycle, match=r"DAG 'etl' has a cycle: \w -> \w -> \w -> \w\. Remove one of these arrows"):
        to_spec(made)


def test_a_task_that_waits_for_itself_is_a_cycle():
    with DAG("etl") as made:
        a = EmptyOperator(task_id="a")
        a >> a

    with pytest.raises(DagCycle, match="a -> a"):
        to_spec(made)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"schedule": "@dayly", "start_date": datetime(2024, 1, 1)}, "@dayly"),
        ({"schedule": "61 * * * *"}, "61"),
        ({"schedule": 5}, "schedule"),
        ({"schedule": "@daily", "catchup": True}, "catchup=True needs a start_date"),
        ({"schedule": "@continuous", "start_date": datetime(2024, 1, 1)}, "needs max_active_runs=1"),
        ({"schedule": ContinuousTimetable(), "max_active_runs": 2}, "needs max_active_runs=1, not 2"),
        ({"start_date": datetime(2024, 2, 1), "end_date": datetime(2024, 1, 1)}, "is before start_date"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused_by_name(arguments, says):
    with pytest.raises(DagError, match=says) as caught:
        to_spec(DAG("etl", **arguments))

    assert "etl" in str(caught.value)


@pytest.mark.parametrize("schedule", ["@continuous", ContinuousTimetable()])
def test_a_continuous_schedule_is_taken_with_one_run_at_a_time(schedule):
    assert to_spec(DAG("etl", schedule=schedule, max_active_runs=1)).timetable.kind == "ContinuousTimetable"


def test_what_stands_directly_below_a_setup_keeps_the_plain_rule():
    with DAG("etl") as made:
        EmptyOperator(task_id="make").as_setup() >> EmptyOperator(task_id="work", trigger_rule="all_done")

    with pytest.raises(DagError, match="'work' stands directly below the setup 'make'"):
        to_spec(made)


def test_durations_and_dates_are_plain():
    made = DAG("etl", start_date=datetime(2024, 1, 1), dagrun_timeout=timedelta(hours=1, milliseconds=500))
    PythonOperator(
        task_id="it", python_callable=print, dag=made, retry_delay=2.5, retry_exponential_backoff=True, retries=-3,
        max_retry_delay=60, start_date=datetime(2024, 5, 1, tzinfo=UTC),
    )  # fmt: skip
    spec = to_spec(made)
    it = spec.tasks[0]

    assert spec.dagrun_timeout_seconds == 3600.5
    assert (it.retry_delay_seconds, it.retry_exponential_backoff, it.max_retry_delay_seconds) == (2.5, 2.0, 60.0)
    assert (it.retries, it.start_date) == (0, "2024-05-01T00:00:00+00:00")


def test_labels_and_groups_of_groups():
    with DAG("etl") as made:
        with TaskGroup("a"), TaskGroup("b", group_display_name="Bee"):
            x = EmptyOperator(task_id="x")
        x >> Label("why") >> EmptyOperator(task_id="y")
    spec = to_spec(made)

    assert [(g.group_id, g.parent_id, g.display_name) for g in spec.groups] == [("a", None, None), ("a.b", "a", "Bee")]
    assert spec.edge_labels == {"a.b.x>y": "why"}


@settings(deadline=None)  # the first example pays for imports
@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] < e[1])),
            st.lists(st.integers(-5, 5), min_size=n, max_size=n),
            st.lists(st.sampled_from(["downstream", "upstream", "absolute"]), min_size=n, max_size=n),
        )
    )
)
def test_weights_are_the_sums_over_the_graph(drawn):
    n, arrows, weights, rules = drawn
    with DAG("etl") as made:
        tasks = [EmptyOperator(task_id=str(i), priority_weight=weights[i], weight_rule=rules[i]) for i in range(n)]
        for up, down in arrows:
            tasks[up] >> tasks[down]
    graph: nx.DiGraph[int] = nx.DiGraph(arrows)
    graph.add_nodes_from(range(n))
    relatives: dict[str, Any] = {"downstream": nx.descendants, "upstream": nx.ancestors, "absolute": lambda *_: set()}

    assert effective_weights(made) == {
        str(i): weights[i] + sum(weights[j] for j in relatives[rules[i]](graph, i)) for i in range(n)
    }


def test_weights_stay_within_32_bits():
    with DAG("etl") as made:
        EmptyOperator(task_id="a", priority_weight=2**31 - 1) >> EmptyOperator(task_id="b", priority_weight=2**31 - 1)

    assert effective_weights(made)["a"] == 2**31 - 1


def test_a_large_dag_is_serialised_in_reasonable_work():
    with DAG("large") as made:
        rows = [[EmptyOperator(task_id=f"r{r}_{c}") for c in range(40)] for r in range(25)]
        for upper, lower in pairwise(rows):
            for one in upper:
                one >> lower

    spec = to_spec(made)

    assert len(spec.tasks) == 1000 and max(one.priority for one in spec.tasks) == 961


def test_an_output_given_late_is_wired_by_the_time_of_the_spec():
    with DAG("etl") as made:

        @task
        def find():
            return 1

        holder: dict[str, Any] = {}
        PythonOperator(task_id="use", python_callable=print, op_kwargs=holder)
        holder["x"] = find()

    assert {one.task_id: one.upstream for one in to_spec(made).tasks} == {"find": (), "use": ("find",)}


@pytest.mark.parametrize("name", ["depends_on_past", "wait_for_downstream"])
def test_what_a_task_asks_of_the_run_before_is_kept(name):
    made = DAG("etl")
    said: dict[str, Any] = {name: True}
    EmptyOperator(task_id="it", dag=made, **said)

    (spec,) = to_spec(made).tasks

    assert getattr(spec, name)


def test_a_teardown_says_whether_it_decides_the_run():
    with DAG("etl") as made:
        EmptyOperator(task_id="said").as_teardown(on_failure_fail_dagrun=True)
        EmptyOperator(task_id="unsaid").as_teardown()

    assert {one.task_id: one.on_failure_fail_dagrun for one in to_spec(made).tasks} == {"said": True, "unsaid": False}
