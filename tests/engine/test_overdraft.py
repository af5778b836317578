"""Is a slot given away twice when the run of the attempt that holds it is taken over by another scheduler?"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from scheduler.advance import Advancer
from scheduler.held import Lanes
from scheduler.overdraft import Overdrawn
from scheduler.plan import Policy
from scheduler.versions import VersionCache
from tests.engine.world import add_run, dag, store, task
from tradewind.metadata import runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt, DagRun
from tradewind.metadata.pools import PoolData, set_pool
from tradewind.model.orders import AttemptEnded, Outcome
from tradewind.model.states import AttemptState

NOW = datetime.now(UTC)


def test_an_end_that_is_not_written_frees_no_slot(database: Database) -> None:
    """The fault suite found two tasks in a place for one: a limit was exceeded when a paused scheduler came back."""
    version = store(database, dag("d", task("t", pool="one")))
    with database.write() as tx:
        set_pool(tx, PoolData("one", 1))
    first, second = (add_run(database, version, "d", number) for number in (1, 2))
    holder, lanes = uuid4(), Lanes("Far", {"Far": None}, lambda: {"Far": None})
    advancer = Advancer(holder, policy=Policy(), parallelism=8, lanes=lanes, versions=VersionCache())
    with database.write() as tx:
        (order,) = advancer.step(tx, NOW, starts=runs.claim_startable(tx, "d", holder, 10)).orders
    assert order.run_pk in (first, second)
    with database.write() as tx:  # another scheduler takes the run over
        tx.execute(update(DagRun).where(DagRun.id == order.run_pk).values(claimed_by=uuid4(), fence=DagRun.fence + 1))

    end = AttemptEnded(order.attempt_id, order.fence, order.run_pk, Outcome.SUCCESS, NOW, started_at=NOW)
    with pytest.raises(Overdrawn), database.write() as tx:
        advancer.step(tx, NOW, facts=[end])

    with database.read() as tx:
        active = select(func.count()).select_from(Attempt).where(Attempt.state != AttemptState.ENDED)
        assert tx.execute(active).scalar_one() == 1

    # Having forgotten all, it tells the one who has the run, and hands out nothing.
    advancer.forget()
    with database.write() as tx:
        advancer.adopt(tx, [pk for pk in (first, second) if pk != order.run_pk])
        assert advancer.step(tx, NOW, facts=[end]).orders == []
