"""Do the fixtures that all tests stand on hold what they promise?"""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest
from sqlalchemy import func, insert, select

from tests.support.servers import OWNER_VARIABLE, ROOT, SHARED_VARIABLE
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.metadata.models import Pool


@pytest.mark.parametrize("round_", [1, 2])
def test_each_test_gets_an_empty_database(database: Database, round_: int):
    with database.write() as tx:
        assert tx.execute(select(func.count()).where(Pool.name == "left over")).scalar_one() == 0
        tx.execute(insert(Pool).values(name="left over", slots=round_, description="", include_deferred=False))


def test_a_killed_test_run_leaves_no_server_behind():
    script = (
        "from tests.support import servers; servers.share_between_workers();"
        "print(servers.address_of('redis'), flush=True); input()"
    )
    clean = {k: v for k, v in os.environ.items() if k not in (SHARED_VARIABLE, OWNER_VARIABLE)}
    run = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=clean, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None and run.stdin is not None
    port = int(run.stdout.readline().strip().rpartition(":")[2])
    run.kill()
    run.wait()
    run.stdout.close()
    run.stdin.close()

    def listening() -> bool:
        return any(c.laddr and c.laddr.port == port and c.status == "LISTEN" for c in psutil.net_connections("tcp"))

    wait_until(lambda: not listening(), 20, what="the end of the server")


def test_waiting_says_what_did_not_happen():
    with pytest.raises(AssertionError, match="a miracle did not come true within 0.05 s"):
        wait_until(lambda: False, 0.05, what="a miracle")


def test_redis_answers(redis_url: str):
    import redis

    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


@pytest.mark.xdist_group("of its own")
def test_tests_of_a_group_stay_together(request: pytest.FixtureRequest):
    """What is costly to set up is set up once: pytest-xdist knows the groups of tests."""
    if request.config.getoption("loadgroup", False):  # set in its workers only
        assert request.node.nodeid.endswith("@of its own")
