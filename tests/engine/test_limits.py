"""Are concurrency keys and rates kept, whatever DAG their tasks and runs come from, and is the time to go on found?"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from scheduler.plan import Policy
from scheduler.usage import read_usage
from scheduler.verify import verify
from scheduler.why import explain
from tests.engine.world import (
    ScriptedExecutor,
    add_run,
    dag,
    is_over,
    run_state,
    running_scheduler,
    states,
    store,
    task,
)
from tests.support.waiting import wait_until
from tradewind.metadata import run_keys, runs
from tradewind.metadata.database import Database, ring
from tradewind.metadata.models import Attempt, DagRun, DagVersion
from tradewind.metadata.rates import read_rates
from tradewind.model.keys import run_limits
from tradewind.model.orders import Aftermath, AttemptOrder, Outcome
from tradewind.model.spec import DagSpec, KeySpec, ParamSpec, RateSpec
from tradewind.model.states import TaskState

TENANT = KeySpec("{{ params.tenant }}", 2)
PARAMS = {"tenant": ParamSpec({}, "acme")}


def keyed(dag_id: str, key: KeySpec = TENANT, **fields: int) -> DagSpec:
    return dag(dag_id, task("t"), concurrency=(key,), params=PARAMS, **fields)


def started(executor: ScriptedExecutor) -> list[str]:
    return [f"{order.dag_id}/{order.run_id}/{order.task_id}" for order in executor.orders]


def has_looked(db: Database, executor: ScriptedExecutor, probe: int, number: int) -> None:
    """Return once the scheduler has looked at everything that is there: it starts a run that was made last."""
    add_run(db, probe, "probe", number)
    wait_until(lambda: f"probe/r{number}/t" in started(executor), timeout=30)


# --- keys of runs ----------------------------------------------------------------------------------------------------


def test_runs_of_two_dags_share_the_places_of_a_key(database: Database) -> None:
    one, two = store(database, keyed("one")), store(database, keyed("two"))
    probe = store(database, dag("probe", task("t")))
    pks = [add_run(database, one, "one", 1), add_run(database, one, "one", 2), add_run(database, two, "two", 3)]

    with running_scheduler(database, lambda _order: None, poll_seconds=60) as executor:
        has_looked(database, executor, probe, 9)
        assert sorted(run_state(database, pk) for pk in pks) == ["queued", "running", "running"]
        waiting = next(pk for pk in pks if run_state(database, pk) == "queued")
        with database.read() as tx:
            (record,) = runs.get_runs(tx, [waiting])
        said = explain(database, record.dag_id, record.run_id)[0].text
        assert said.startswith("concurrency key 'acme' is used up: 2 of 2 runs (one r")

        ended = next(order for order in executor.orders if order.dag_id != "probe")
        executor.end(ended, Outcome.SUCCESS)
        wait_until(lambda: run_state(database, waiting) == "running", timeout=30)


def test_those_who_have_to_wait_do_not_stand_in_the_way_of_those_who_need_not(database: Database) -> None:
    version = store(database, keyed("etl", KeySpec("{{ params.tenant }}", 1), max_active_runs=2))
    for number in range(300):
        add_run(database, version, "etl", number)
    other = add_run(database, version, "etl", 300, conf={"tenant": 'o"%_\\ther'})
    free = add_run(database, version, "etl", 301, conf={"tenant": None})

    with running_scheduler(database, lambda _order: None, poll_seconds=60) as executor:
        wait_until(lambda: len(executor.orders) == 2, timeout=30)
        assert [order.run_id for order in executor.orders] == ["r0", "r300"]
        executor.end(executor.orders[1], Outcome.SUCCESS)
        wait_until(lambda: run_state(database, free) == "running", timeout=30)
        assert run_state(database, other) == "success"


def test_runs_with_several_keys_of_different_limits_wait_only_where_they_must(database: Database) -> None:
    keys = (KeySpec("region {{ conf.region }}", 1), KeySpec("{{ params.tenant }}", 3))
    spec = dag("etl", task("t"), concurrency=keys, params=PARAMS, max_active_runs=4)
    version = store(database, spec)
    for number in range(3):
        add_run(database, version, "etl", number, conf={"region": "eu"})
    add_run(database, version, "etl", 3, conf={"region": "us"})
    add_run(database, version, "etl", 4)
    add_run(database, version, "etl", 5)
    probe = store(database, dag("probe", task("t")))

    with running_scheduler(database, lambda _order: None, poll_seconds=60) as executor:
        has_looked(database, executor, probe, 9)
        assert [name for name in started(executor) if name[0] == "e"] == ["etl/r0/t", "etl/r3/t", "etl/r4/t"]


def test_runs_that_waited_already_obey_keys_that_come_with_a_new_version(database: Database) -> None:
    version = store(database, dag("etl", task("t")))
    probe = store(database, dag("probe", task("t")))
    pks = [add_run(database, version, "etl", number) for number in range(3)]
    with database.write() as tx:
        limits = run_limits(keyed("etl", KeySpec("{{ dag_id }}", 1)))
        tx.execute(update(DagVersion).where(DagVersion.dag_id == "etl").values(concurrency=limits))

    with running_scheduler(database, lambda _order: None, poll_seconds=60) as executor:
        has_looked(database, executor, probe, 9)
        assert [run_state(database, pk) for pk in pks] == ["running", "queued", "queued"]

        with database.write() as tx:
            tx.execute(update(DagVersion).where(DagVersion.dag_id == "etl").values(concurrency=None))
            ring(tx, "version")
        wait_until(lambda: {run_state(database, pk) for pk in pks} == {"running"}, timeout=30)
        with database.read() as tx:
            assert run_keys.read_running(tx) == Counter({"etl": 1})  # of the one that started under it


class Watch:
    """Counts how many runs are under way for each tenant, over all schedulers."""

    def __init__(self) -> None:
        self.most: Counter[str] = Counter()
        self.executors: list[ScriptedExecutor] = []
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    def behave(self, order: AttemptOrder) -> None:
        if order.task_id == "begin":
            with self._lock:
                tenant = order.conf["tenant"]
                self._now[tenant] += 1
                self.most[tenant] = max(self.most[tenant], self._now[tenant])
        threading.Timer(0.005, self._end, [order]).start()

    def _end(self, order: AttemptOrder) -> None:
        if order.task_id == "end":
            with self._lock:
                self._now[order.conf["tenant"]] -= 1
        holder = next(e for e in self.executors if any(o.attempt_id == order.attempt_id for o in e.orders))
        holder.end(order, Outcome.SUCCESS)


@pytest.mark.timeout(180)
def test_three_schedulers_never_give_more_places_than_a_key_has(postgres_url: str) -> None:
    db = Database(postgres_url, pool_size=10)
    names = ["one", "two", "three"]
    specs = {
        name: dag(name, task("begin"), task("end", "begin"), concurrency=(TENANT,), params=PARAMS) for name in names
    }
    versions = {name: store(db, spec) for name, spec in specs.items()}
    pks = [
        add_run(db, versions[name], name, number, conf={"tenant": tenant})
        for number, tenant in enumerate(["acme", "beta", "acme", "gamma"] * 4)
        for name in names
    ]
    watch = Watch()

    with ExitStack() as stack:
        for _ in range(3):
            watch.executors.append(stack.enter_context(running_scheduler(db, watch.behave, parallelism=32)))
        wait_until(is_over(db, *pks), timeout=120)

    assert {run_state(db, pk) for pk in pks} == {"success"}
    assert watch.most == {"acme": 2, "beta": 2, "gamma": 2}
    assert verify(db) == []
    db.close()


# --- keys of tasks ---------------------------------------------------------------------------------------------------


def test_tasks_of_two_dags_share_the_places_of_a_key(database: Database) -> None:
    key = (KeySpec("{{ conf.table }}", 1),)
    specs = [dag(name, task("load", concurrency=key), task("free")) for name in ("one", "two")]
    pks = [add_run(database, store(database, spec), spec.dag_id, conf={"table": "orders"}) for spec in specs]

    def behave(order: AttemptOrder) -> Outcome | None:
        return Outcome.SUCCESS if order.task_id == "free" else None

    with running_scheduler(database, behave, poll_seconds=60) as executor:
        wait_until(lambda: all(states(database, pk).get("free") is TaskState.SUCCESS for pk in pks), timeout=30)
        loads = [order for order in executor.orders if order.task_id == "load"]
        assert len(loads) == 1
        waiting = next(pk for pk, spec in zip(pks, specs, strict=True) if spec.dag_id != loads[0].dag_id)
        said = explain(database, "two" if loads[0].dag_id == "one" else "one", task_id="load")[-1]
        assert f"concurrency key 'orders' is used up: 1 of 1 tasks, used by {loads[0].dag_id} (1)" in said.text
        executor.end(loads[0], Outcome.SUCCESS)
        wait_until(lambda: states(database, waiting)["load"] is TaskState.QUEUED, timeout=30)


# --- rates -----------------------------------------------------------------------------------------------------------


def test_the_scheduler_wakes_when_a_rate_lets_the_next_task_start(database: Database) -> None:
    rate = (RateSpec("api", 2, 0.4),)
    version = store(database, dag("etl", *[task(f"t{n}", rate_limits=rate) for n in range(5)]))
    pk = add_run(database, version, "etl")

    with running_scheduler(database, poll_seconds=600):
        wait_until(is_over(database, pk), timeout=60)

    with database.read() as tx:
        at = sorted(tx.execute(select(Attempt.queued_at)).scalars())
    for first, after_two in zip(at, at[2:], strict=False):
        assert after_two - first >= timedelta(seconds=0.4)


def test_a_task_that_waits_for_a_rate_says_until_when(database: Database) -> None:
    rate = (RateSpec("api", 1, 3600.0),)
    version = store(database, dag("etl", task("a", rate_limits=rate), task("b", rate_limits=rate)))
    add_run(database, version, "etl")

    with running_scheduler(database, poll_seconds=60) as executor:
        wait_until(lambda: len(executor.orders) == 1, timeout=30)
        with database.read() as tx:
            last = read_rates(tx)["api"].starts[-1].last
        text = explain(database, "etl", task_id="b")[-1].text
        until = (last + timedelta(hours=1)).isoformat(timespec="seconds")
        assert f"rate 'api' is used up: 1 starts in 1:00:00; the next is at {until}" in text


# --- RetryAfter ------------------------------------------------------------------------------------------------------


def retry_after(seconds: float = 0.0, *, is_free: bool = True, rate: str | None = None) -> tuple[Outcome, Aftermath]:
    return Outcome.FAILED, Aftermath(retry_delay_seconds=seconds, retry_is_free=is_free, pause_rate=rate)


def test_coming_back_later_uses_up_no_retry(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("t"))), "etl")

    def behave(order: AttemptOrder) -> Outcome | tuple[Outcome, Aftermath]:
        return Outcome.SUCCESS if order.try_number == 4 else retry_after()

    with running_scheduler(database, behave):
        wait_until(is_over(database, pk), timeout=30)

    assert run_state(database, pk) == "success"
    with database.read() as tx:
        (view,) = runs.list_task_instances(tx, pk)
    assert (view.try_number, view.failures, view.postponed, view.max_tries) == (4, 0, 3, 3)
    assert verify(database) == []


def test_coming_back_later_uses_up_retries_after_too_many_times_or_when_it_says_so(database: Database) -> None:
    version = store(database, dag("etl", task("often", retries=1), task("counted", retries=1)))
    pk = add_run(database, version, "etl")

    def behave(order: AttemptOrder) -> tuple[Outcome, Aftermath]:
        return retry_after(is_free=order.task_id == "often")

    with running_scheduler(database, behave, policy=Policy(max_postponements=2)) as executor:
        wait_until(is_over(database, pk), timeout=30)

    tries = Counter(order.task_id for order in executor.orders)
    # Two free ones, one that counts, after which two are free again, and the last.
    assert tries == {"often": 6, "counted": 2}
    assert run_state(database, pk) == "failed"
    assert verify(database) == []


def test_a_task_that_was_told_to_wait_pauses_its_rate_for_everybody(database: Database) -> None:
    rate = (RateSpec("api", 100, 1.0),)
    first = add_run(database, store(database, dag("one", task("t", rate_limits=rate))), "one")
    version = store(database, dag("two", task("t", rate_limits=rate)))

    def behave(order: AttemptOrder) -> Outcome | tuple[Outcome, Aftermath]:
        is_told = order.dag_id == "one" and order.try_number == 1
        return retry_after(1.0, rate="api") if is_told else Outcome.SUCCESS

    with running_scheduler(database, behave, poll_seconds=600) as executor:
        wait_until(lambda: states(database, first).get("t") is TaskState.UP_FOR_RETRY, timeout=30)
        second = add_run(database, version, "two")
        wait_until(lambda: states(database, second).get("t") is TaskState.SCHEDULED, timeout=30)
        with database.read() as tx:
            paused = read_rates(tx)["api"]
            usage = read_usage(tx, 32, {}, now=datetime.now(UTC), lock=False)
        assert paused.paused_until is not None
        assert usage.rates["api"].paused_by == "one.t: failed"
        assert "is paused until" in explain(database, "two", task_id="t")[-1].text
        wait_until(is_over(database, first, second), timeout=30)

    assert len(executor.orders) == 3
    with database.read() as tx:
        at = tx.execute(select(Attempt.queued_at).where(Attempt.run_pk == second)).scalar_one()
    assert at >= paused.paused_until


def test_a_run_loses_the_keys_that_its_dag_no_longer_has(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("t"))), "etl")
    with database.write() as tx:
        tx.execute(update(DagRun).where(DagRun.id == pk).values(keys=["leftover"]))

    with running_scheduler(database):
        wait_until(is_over(database, pk), timeout=30)

    with database.read() as tx:
        assert runs.get_runs(tx, [pk])[0].keys is None  # the DAG has no keys any more
