"""Does what passes by itself pass unnoticed, and is everything else told at once? On a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from uuid import UUID

import psycopg
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from executors.control_plane import SqlControlPlane
from executors.runner.desk import ControlPlaneDesk
from executors.runner.protocol import GetVariable, Refused, Text
from tradewind.config import load_config
from tradewind.metadata.again import again, is_passing
from tradewind.metadata.crypto import encrypt
from tradewind.metadata.database import Database, is_in_doubt
from tradewind.metadata.variables import set_variable
from tradewind.model.orders import AttemptOrder

KEY = "kxLyoaQmKbZ3kyHxUyXGqVvtGHC-fWUJxyhNBr2u8iI="


@pytest.fixture
def db(postgres_url: str) -> Iterator[Database]:
    with closing(Database(postgres_url, pool_size=2)) as database:
        with database.write() as tx:
            tx.execute(text("CREATE TABLE counted (name TEXT PRIMARY KEY, n INTEGER NOT NULL)"))
            tx.execute(text("INSERT INTO counted VALUES ('a', 0), ('b', 0)"))
        yield database


def count(tx: Connection, name: str) -> None:
    tx.execute(text("UPDATE counted SET n = n + 1 WHERE name = :name"), {"name": name})


def counted(db: Database) -> dict[str, int]:
    with db.read() as tx:
        return {row.name: row.n for row in tx.execute(text("SELECT * FROM counted"))}


@contextmanager
def surgeon(db: Database) -> Iterator[Callable[[str], object]]:
    """Give somebody who ends connections from outside."""
    url = db.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection.execute


def error_of(act: Callable[[], object]) -> BaseException:
    with pytest.raises((DBAPIError, NoConnectionError)) as caught:
        act()
    return caught.value


def test_a_deadlock_costs_one_of_two_a_moment(db):
    both_have_one = threading.Barrier(2)
    tries = []

    def swap(first: str, second: str) -> None:
        def act() -> None:
            tries.append(first)
            with db.write() as tx:
                count(tx, first)
                if len(tries) <= 2:
                    both_have_one.wait(10)
                count(tx, second)

        again(act, patience_seconds=20)

    threads = [threading.Thread(target=swap, args=names) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert counted(db) == {"a": 2, "b": 2}
    assert len(tries) == 3, "one of them was the victim, once"


def test_a_lock_that_is_not_to_be_had_is_given_up_in_time_and_tried_again(db):
    with closing(Database(db.url.render_as_string(hide_password=False), statement_timeout_seconds=0.4)) as hasty:
        held, release = threading.Event(), threading.Event()
        tries = []

        def hold() -> None:
            with db.write() as tx:
                count(tx, "a")
                held.set()
                release.wait(20)

        def act() -> None:
            tries.append(1)
            if len(tries) == 2:
                release.set()
            with hasty.write() as tx:
                count(tx, "a")

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(10)
        again(act, patience_seconds=20)
        thread.join(10)
    assert counted(db)["a"] == 2
    assert len(tries) >= 2


def test_a_connection_that_was_cut_is_made_anew(db):
    tries = []

    def act() -> None:
        tries.append(1)
        with db.write() as tx:
            count(tx, "a")
            if len(tries) == 1:
                pid = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
                with surgeon(db) as do:
                    do(f"SELECT pg_terminate_backend({pid})")
            count(tx, "b")

    again(act, patience_seconds=20, is_repeatable=False)
    assert (counted(db), len(tries)) == ({"a": 1, "b": 1}, 2)


@pytest.mark.parametrize("is_repeatable", [True, False])
def test_a_commit_whose_answer_was_lost_is_repeated_only_when_that_changes_nothing(db, is_repeatable):
    tries = []

    def act() -> None:
        tries.append(1)
        with db.write() as tx:
            tx.execute(text("UPDATE counted SET n = 7 WHERE name = 'a'"))
            if len(tries) == 1:
                pid = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
                with surgeon(db) as do:
                    do(f"SELECT pg_terminate_backend({pid})")
                # Leaving commits, on a connection that is gone.

    if is_repeatable:
        again(act, patience_seconds=20)
        assert (counted(db)["a"], len(tries)) == (7, 2)
    else:
        error = error_of(lambda: again(act, patience_seconds=20, is_repeatable=False))
        assert is_in_doubt(error) and is_passing(error)
        assert len(tries) == 1


def test_what_does_not_pass_is_told_at_once(db):
    tries = []

    def act() -> None:
        tries.append(1)
        with db.write() as tx:
            tx.execute(text("SELECT no_such_column FROM counted"))

    assert not is_passing(error_of(lambda: again(act, patience_seconds=20)))
    assert len(tries) == 1


def test_patience_ends(postgres_url):
    gone = Database(postgres_url.replace("/t_", "/gone_"))
    assert is_passing(error_of(lambda: again(gone.now, patience_seconds=0.2)))
    gone.close()


def test_a_transaction_that_stands_still_is_ended_and_lets_go_of_its_rows(db):
    with closing(Database(db.url.render_as_string(hide_password=False), statement_timeout_seconds=0.3)) as slow:

        def stand_still() -> None:
            with slow.write() as tx:
                count(tx, "a")
                with db.write() as other:  # waits until the server has ended the one that stands still
                    count(other, "a")
                count(tx, "b")

        error = error_of(stand_still)
    assert is_passing(error)
    assert counted(db) == {"a": 1, "b": 0}


def test_every_connection_has_its_timeouts(db):
    with db.read() as tx:
        shown = {
            name: tx.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "TimeZone")
        }
    assert shown == {
        "statement_timeout": "1min", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "15s",
        "TimeZone": "UTC",
    }  # fmt: skip


def test_an_sqlite_file_that_is_locked_is_waited_for(sqlite_url):
    with closing(Database(sqlite_url, statement_timeout_seconds=0.1)) as db, closing(Database(sqlite_url)) as other:
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            with other.write():
                held.set()
                release.wait(20)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(10)
        tries = []

        def act() -> str:
            tries.append(1)
            if len(tries) == 2:
                release.set()
            with db.write():
                return "done"

        assert again(act, patience_seconds=20) == "done"
        thread.join(10)


def test_a_task_waits_for_its_answer_while_the_database_is_away(db, tmp_path):
    config = load_config({"TRADEWIND__CORE__FERNET_KEY": KEY}, tmp_path)
    with db.write() as tx:
        set_variable(tx, "greeting", encrypt(Fernet(KEY), "hello"), None)
    name = db.url.database
    order = AttemptOrder(
        attempt_id=UUID(int=1), fence=1, run_pk=1, dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1,
        max_tries=1, file_path="d.py", version_id=1, source_digest="", run_type="manual", run_after=db.now(),
    )  # fmt: skip
    url = db.url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as server:

        def cut(is_away: bool) -> None:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {not is_away}')
            if is_away:
                server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

        hasty = ControlPlaneDesk(SqlControlPlane(db, config, {}), tmp_path, patience_seconds=0.1)
        patient = ControlPlaneDesk(SqlControlPlane(db, config, {}), tmp_path, patience_seconds=30)
        cut(True)
        told = hasty.answer(order, GetVariable("greeting"))
        assert isinstance(told, Refused) and "the metadata DB does not answer" in told.error
        timer = threading.Timer(0.3, cut, (False,))
        timer.start()
        assert patient.answer(order, GetVariable("greeting")) == Text("hello")
        timer.join()
