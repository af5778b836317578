"""Are variables, connections and pools kept as they were given, encrypted where they are secret?"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import insert, text

from tradewind.errors import Conflict, MetadataError, UsageError
from tradewind.metadata.connections import (
    ConnectionRow,
    decrypt_connection,
    delete_connection,
    encrypt_connection,
    get_connection,
    list_connections,
    set_connection,
)
from tradewind.metadata.crypto import decrypt, encrypt, make_fernet
from tradewind.metadata.models import Attempt, Dag, DagRun, DagSource, DagVersion
from tradewind.metadata.pools import PoolData, PoolUse, delete_pool, get_pool, list_pools, pool_use, set_pool
from tradewind.metadata.variables import (
    VariableRow,
    delete_variable,
    get_variable,
    get_variable_row,
    list_variables,
    set_variable,
)
from tradewind.model.states import AttemptState, RunState, RunType

OLD, NEW = ("b2xk" * 11)[:43] + "=", ("bmV3" * 11)[:43] + "="  # constant, since they name test cases
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_key_is_changed_by_putting_the_new_one_first():
    token = encrypt(make_fernet(OLD), "secret")
    both = make_fernet(f"{NEW}, {OLD}")
    assert decrypt(both, token, "variable 'x'") == "secret"
    assert decrypt(make_fernet(NEW), encrypt(both, "secret"), "variable 'x'") == "secret"


def test_a_lost_key_is_said_with_the_thing_and_the_mend():
    token = encrypt(make_fernet(OLD), "secret")
    with pytest.raises(MetadataError, match=r"variable 'x' cannot be decrypted.*fernet_key"):
        decrypt(make_fernet(NEW), token, "variable 'x'")


@pytest.mark.parametrize(
    ("keys", "message"), [("", "is empty"), (f"{OLD},abc", "Key 2 .* this one has 3"), (OLD[:-2], "Key 1")]
)
def test_bad_keys_are_refused_without_showing_them(keys, message):
    with pytest.raises(UsageError, match=message) as caught:
        make_fernet(keys)
    assert not keys or keys.split(",")[-1] not in str(caught.value)


def test_variables_are_kept_and_paged(database):
    with database.write() as tx:
        assert set_variable(tx, "b", "token-b", "words")
        assert set_variable(tx, "a", "token-a")
        assert not set_variable(tx, "b", "token-c")
    with database.read() as tx:
        assert get_variable(tx, "b") == "token-c"
        assert get_variable_row(tx, "b") == VariableRow("b", "token-c", "words")
        assert get_variable(tx, "c") is None
        assert [row.key for row in list_variables(tx, limit=1)] == ["a"]
        assert [row.key for row in list_variables(tx, after="a")] == ["b"]
    with database.write() as tx:
        assert delete_variable(tx, "a")
        assert not delete_variable(tx, "a")


@pytest.mark.parametrize("key", ["", "k" * 251])
def test_a_key_of_impossible_length_is_refused(database, key):
    with database.write() as tx, pytest.raises(UsageError, match="1 to 250 characters"):
        set_variable(tx, key, "token")


def test_connections_are_encrypted_at_rest(database):
    fernet = make_fernet(NEW)
    row = ConnectionRow("db", "postgres", "Warehouse", "h", "s", "me", 5432, "pa55word", '{"sslmode": "require"}')
    with database.write() as tx:
        assert set_connection(tx, encrypt_connection(fernet, row))
        assert not set_connection(tx, encrypt_connection(fernet, row))
    with database.read() as tx:
        stored = get_connection(tx, "db")
        everything = " ".join(str(value) for value in tx.execute(text("SELECT * FROM connection")).one())
        assert list_connections(tx, after="db") == []
    assert "pa55word" not in everything
    assert "sslmode" not in everything
    assert stored is not None
    assert decrypt_connection(fernet, stored) == row
    with database.write() as tx:
        assert delete_connection(tx, "db")
        assert get_connection(tx, "db") is None


@pytest.mark.parametrize(("conn_id", "conn_type"), [("my db", "http"), ("", "http"), ("x" * 251, "http"), ("ok", "")])
def test_connections_that_cannot_be_named_or_used_are_refused(database, conn_id, conn_type):
    with database.write() as tx, pytest.raises(UsageError):
        set_connection(tx, ConnectionRow(conn_id, conn_type))


def test_pools_are_kept(database):
    with database.write() as tx:
        assert set_pool(tx, PoolData("db", 8, "few"))
        assert not set_pool(tx, PoolData("db", -1, "many", include_deferred=True))
    with database.read() as tx:
        assert get_pool(tx, "db") == PoolData("db", -1, "many", include_deferred=True)
        assert "db" in [pool.name for pool in list_pools(tx)]
    with database.write() as tx:
        assert delete_pool(tx, "db")
        assert not delete_pool(tx, "db")
        with pytest.raises(Conflict, match="serves every task that names no pool"):
            delete_pool(tx, "default_pool")
        with pytest.raises(UsageError, match="-1 for no limit"):
            set_pool(tx, PoolData("db", -2))


def test_a_pool_in_use_is_counted_and_not_deleted(database):
    with database.write() as tx:
        run_pk = put_run(tx)
    with database.write() as tx:
        set_pool(tx, PoolData("db", 8))
        put_attempt(tx, run_pk, 0, AttemptState.QUEUED, slots=2)
        put_attempt(tx, run_pk, 1, AttemptState.RUNNING, slots=3)
        put_attempt(tx, run_pk, 2, AttemptState.CANCELLING, slots=1)
        put_attempt(tx, run_pk, 3, AttemptState.ENDED, slots=5)
    with database.read() as tx:
        assert pool_use(tx) == {"db": PoolUse(running=4, queued=2)}
    with database.write() as tx, pytest.raises(Conflict, match="while 3 of its tasks"):
        delete_pool(tx, "db")


def put_run(tx) -> int:
    common = {"is_active": True, "is_paused": False, "max_active_runs": 16, "schedule_summary": "", "owners": ""}
    tx.execute(insert(Dag).values(dag_id="d", file_path="d.py", created_at=NOW, parsed_at=NOW, **common))
    tx.execute(insert(DagSource).values(digest="x", source=""))
    version = {
        "id": 1,
        "dag_id": "d",
        "number": 1,
        "hash": "h",
        "spec": "{}",
        "source_digest": "x",
        "file_path": "d.py",
    }
    tx.execute(insert(DagVersion).values(created_at=NOW, **version))
    names = {
        "kind": "dag",
        "dag_id": "d",
        "run_id": "r",
        "version_id": 1,
        "run_type": RunType.MANUAL,
        "triggered_by": "test",
    }
    rest = {"run_after": NOW, "conf": {}, "state": RunState.RUNNING, "queued_at": NOW, "next_seq": 1, "fence": 0}
    done = tx.execute(insert(DagRun).values(**names, **rest))
    key = done.inserted_primary_key
    assert key is not None
    return int(key[0])


def put_attempt(tx, run_pk: int, map_index: int, state: AttemptState, slots: int) -> None:
    where = {"run_pk": run_pk, "task_id": "t", "map_index": map_index, "try_number": 1}
    how = {"state": state, "fence": 0, "executor": "x", "queue": "q", "pool": "db", "pool_slots": slots}
    tx.execute(insert(Attempt).values(id=uuid4(), queued_at=NOW, **where, **how))
