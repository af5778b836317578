"""Does the table of limits show each with its use and with what waits for it, as admission counts it?"""

from __future__ import annotations

from datetime import UTC, datetime

from scheduler.limits import Limit, list_limits
from tests.engine.world import add_run, dag, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.metadata.pools import PoolData, set_pool
from tradewind.model.spec import KeySpec, ParamSpec, RateSpec


def table(db: Database) -> dict[tuple[str, str], Limit]:
    with db.read() as tx:
        found = list_limits(tx, datetime.now(UTC), parallelism=32, backfill_share=0.5)
    assert len({(limit.kind, limit.name) for limit in found}) == len(found)
    return {(limit.kind, limit.name): limit for limit in found}


def test_an_installation_at_rest_shows_what_is_set_for_all(database: Database) -> None:
    with database.write() as tx:
        set_pool(tx, PoolData("db", 3))
        set_pool(tx, PoolData("free", -1))

    found = table(database)

    assert found["parallelism", ""] == Limit("parallelism", "", 32, 0)
    assert found["backfill_share", ""] == Limit("backfill_share", "", 16, 0)
    assert found["pool", "db"] == Limit("pool", "db", 3, 0)
    assert found["pool", "free"] == Limit("pool", "free", None, 0)
    assert {kind for kind, _ in found} == {"parallelism", "backfill_share", "pool"}


def test_each_limit_is_shown_with_its_use_and_with_what_waits_for_it(database: Database) -> None:
    rate = (RateSpec("api", 2, 3600.0),)
    etl = dag("etl", *[task(f"t{n}", pool="db") for n in range(3)], task("once", max_active_tis_per_dag=1))
    crawl = dag("crawl", *[task(f"c{n}", rate_limits=rate) for n in range(5)], max_active_runs=1)
    tenants = dag(
        "tenants",
        task("load", concurrency=(KeySpec("{{ conf.table }}", 1),)),
        concurrency=(KeySpec("{{ params.tenant }}", 2),),
        params={"tenant": ParamSpec({}, "acme")},
    )
    with database.write() as tx:
        set_pool(tx, PoolData("db", 2))
    versions = {spec.dag_id: store(database, spec) for spec in (etl, crawl, tenants)}
    for number in range(2):
        add_run(database, versions["etl"], "etl", number)
        add_run(database, versions["crawl"], "crawl", number)
    for number in range(5):
        add_run(database, versions["tenants"], "tenants", number, conf={"table": "orders"})

    with running_scheduler(database, lambda _order: None, parallelism=16) as executor:
        wait_until(lambda: len(executor.orders) == 6, timeout=30)  # 2 of the pool, once, 2 of the rate, 1 of the key
        wait_until(lambda: table(database)["task_key", "orders"].waiting == 1, timeout=30)
        found = table(database)

    assert (found["parallelism", ""].limit, found["parallelism", ""].used) == (16, 6)
    assert found["backfill_share", ""].limit == 12  # as the scheduler says of itself
    assert found["pool", "db"] == Limit("pool", "db", 2, 2, 4, "etl (2)")
    assert found["max_active_runs", "crawl"] == Limit("max_active_runs", "crawl", 1, 1, 1)
    assert (found["max_active_tasks", "etl"].limit, found["max_active_tasks", "etl"].waiting) == (16, 0)
    assert found["max_active_tis_per_dag", "etl.once"] == Limit("max_active_tis_per_dag", "etl.once", 1, 1, 1)
    assert found["task_key", "orders"] == Limit("task_key", "orders", 1, 1, 1, "tenants (1)")
    assert found["run_key", "acme"] == Limit("run_key", "acme", 2, 2, 3, "tenants (2)")
    assert found["rate", "api"] == Limit("rate", "api", 2, 2, 3, "starts in 1:00:00")
    assert [limit.kind for limit in found.values() if limit.is_full] == [
        "pool", "max_active_runs", "max_active_tis_per_dag", "task_key", "run_key", "rate",
    ]  # fmt: skip


def test_a_pool_that_is_not_there_is_shown_with_what_waits_for_it(database: Database) -> None:
    add_run(database, store(database, dag("etl", task("t", pool="gone"))), "etl")

    with running_scheduler(database, lambda _order: None):
        wait_until(lambda: ("pool", "gone") in table(database), timeout=30)
        found = table(database)["pool", "gone"]

    assert found == Limit("pool", "gone", 0, 0, 1, "it is not there")
