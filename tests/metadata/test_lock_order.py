"""Does the log of locks see what it must? The order itself is held by every test on PostgreSQL: ``tests/conftest``."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import text

from tests.support.lock_order import Lock, LockLog, locks_of, unordered_lock
from tradewind.metadata.database import Database


@pytest.fixture
def violations(_locks: LockLog) -> list[str]:
    """What this test finds is what it wants to find; it is not held against it."""
    return _locks.violations


def test_taking_the_row_of_a_dag_behind_that_of_a_pool_is_seen(postgres_url, violations):
    with closing(Database(postgres_url)) as db, db.write() as tx:
        tx.execute(text("SELECT name FROM pool ORDER BY name FOR UPDATE"))
        tx.execute(text("UPDATE dag SET is_paused = true WHERE dag_id = 'd'"))
    assert [one.split(";")[0] for one in violations] == ["waits for rows of dag behind those of pool"]
    violations.clear()


def test_another_transaction_begins_anew(postgres_url, violations):
    with closing(Database(postgres_url)) as db:
        with db.write() as tx:
            tx.execute(text("SELECT name FROM pool ORDER BY name FOR UPDATE"))
        with db.write() as tx:
            tx.execute(text("UPDATE dag SET is_paused = true WHERE dag_id = 'd'"))
    assert violations == []


@pytest.mark.parametrize(
    ("statement", "locks"),
    [
        ("SELECT dag.dag_id FROM dag ORDER BY dag.dag_id FOR UPDATE OF dag", [Lock("dag", True)]),
        ("SELECT attempt.id FROM attempt WHERE x FOR UPDATE SKIP LOCKED", [Lock("attempt", False)]),
        ("UPDATE attempt SET state='ended' WHERE attempt.id = 1", [Lock("attempt", True)]),
        ("DELETE FROM backfill WHERE backfill.id = 1", [Lock("backfill", True)]),
        ("INSERT INTO dag_tag (dag_id, name) VALUES (1, 2)", [Lock("dag", True)]),  # its foreign key holds the row
        ("INSERT INTO rate_limit VALUES (1) ON CONFLICT (name) DO UPDATE SET n = 1", [Lock("rate_limit", True)]),
        ("SELECT dag.dag_id FROM dag", []),
        ("UPDATE dag_run SET state = 'failed' WHERE dag_run.id = 1", []),
    ],
)  # fmt: skip
def test_locks_are_read_from_statements(statement, locks):
    assert list(locks_of(statement)) == locks


def test_several_rows_are_locked_in_an_order():
    assert unordered_lock("SELECT pool.name FROM pool FOR UPDATE").startswith("locks several rows in no order")
    assert unordered_lock("SELECT pool.name FROM pool ORDER BY pool.name FOR UPDATE") == ""
    assert unordered_lock("SELECT dag.dag_id FROM dag WHERE dag.dag_id = %(id)s FOR UPDATE") == ""
    assert unordered_lock("SELECT dag_run.id FROM dag_run FOR UPDATE SKIP LOCKED") == ""
