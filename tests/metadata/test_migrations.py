"""Is the schema that migrations make the schema that the models describe, and is a migration safe to run?"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from tradewind.errors import MetadataError, UsageError
from tradewind.metadata import migrate as migrating
from tradewind.metadata import revision
from tradewind.metadata.database import Database
from tradewind.metadata.migrate import downgrade, known_revisions, migrate, migration_sql, reset
from tradewind.metadata.models import Base
from tradewind.metadata.pools import PoolData, get_pool, set_pool
from tradewind.metadata.revision import HEAD, REVISIONS, VERSION_TABLE, read_revision, require_current


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A metadata DB that nothing has ever been written to; on SQLite not even its folder is there."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/folder/that/is/missing/tradewind.db")
    else:
        database = Database(request.getfixturevalue("empty_postgres_url"))
    yield database
    database.close()


def tables(database: Database) -> set[str]:
    with database.read() as tx:
        return set(inspect(tx).get_table_names())


def definitions(tx: Connection) -> dict[str, str]:
    """Everything that the database says about its schema, checks and index conditions included."""
    if tx.dialect.name == "sqlite":
        rows = tx.execute(
            text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> :v"), {"v": VERSION_TABLE}
        )
        return {name: sql_in_order(sql) for name, sql in rows}
    queries = {
        "column": "SELECT table_name || '.' || column_name, concat_ws(' ', data_type, character_maximum_length,"
        " is_nullable, column_default, is_identity) FROM information_schema.columns WHERE table_schema = 'public'",
        "constraint": "SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype <> 'n'",
        "index": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    }
    found = {f"{kind} {name}": str(what) for kind, query in queries.items() for name, what in tx.execute(text(query))}
    return {name: what for name, what in found.items() if VERSION_TABLE not in name}


def sql_in_order(sql: str) -> str:
    """One statement with its columns and constraints sorted, without quotes and line ends: none of it means anything.

    A column that a migration added stands at the end, on the last line.
    """
    parts, depth = [""], 0
    for sign in " ".join(sql.replace('"', "").split()):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 1:
            parts.append("")
        else:
            parts[-1] += sign
    head, _, first = parts[0].partition("(")
    columns = [first, *parts[1:]]
    columns[-1] = columns[-1].rstrip().removesuffix(")")
    return "\n".join([head.strip(), *sorted(column.strip() for column in columns)])


def test_migrations_make_the_schema_of_the_models(empty):
    migrate(empty)
    with empty.read() as tx:
        differences = compare_metadata(MigrationContext.configure(tx, opts={"compare_type": True}), Base.metadata)
        migrated = definitions(tx)
    assert differences == []

    # Alembic does not look at CHECK constraints, nor at AUTOINCREMENT: compare what the database itself says.
    reset(empty, empty=True)
    with empty.write() as tx:
        Base.metadata.create_all(tx)
        created = definitions(tx)
    assert migrated == created
    assert any("ended_iff_final" in name or "ended_iff_final" in what for name, what in created.items())


def test_known_revisions_are_the_files(empty):
    assert known_revisions() == REVISIONS


def test_migrating_twice_changes_nothing(empty):
    assert migrate(empty) == (None, HEAD)
    with empty.write() as tx:
        set_pool(tx, PoolData("default_pool", 7, "mine"))

    assert migrate(empty, default_pool_slots=99) == (HEAD, HEAD)

    with empty.read() as tx:
        assert get_pool(tx, "default_pool") == PoolData("default_pool", 7, "mine")


def test_the_default_pool_has_the_configured_size(empty):
    migrate(empty, default_pool_slots=5)
    with empty.read() as tx:
        pool = get_pool(tx, "default_pool")
    assert pool is not None
    assert pool.slots == 5


def test_processes_that_start_together_migrate_once(empty):
    url = empty.url.render_as_string(hide_password=False)
    together = threading.Barrier(3)
    results: list[tuple[str | None, str]] = []

    def start() -> None:
        database = Database(url)
        together.wait()
        results.append(migrate(database))
        database.close()

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results, key=str) == [(HEAD, HEAD), (HEAD, HEAD), (None, HEAD)]


def test_a_migration_that_fails_leaves_nothing_behind(empty, monkeypatch):
    def break_off(tx: Connection, slots: int) -> None:
        tx.execute(text("INSERT INTO no_such_table VALUES (1)"))

    monkeypatch.setattr(migrating, "ensure_default_pool", break_off)
    with pytest.raises(MetadataError, match="Nothing was changed"):
        migrate(empty)
    assert tables(empty) == set()


def test_down_to_base_and_up_again(empty):
    migrate(empty)
    assert downgrade(empty, "base") == (HEAD, None)
    assert tables(empty) <= {VERSION_TABLE}
    assert migrate(empty) == (None, HEAD)


def test_an_unknown_revision_is_refused_with_the_known_ones(empty):
    with pytest.raises(UsageError, match=r"no revision '0001x'\. Did you mean '0001'\? Known: base, 0001"):
        downgrade(empty, "0001x")


def test_reset_drops_our_tables_and_no_others(empty):
    migrate(empty)
    with empty.write() as tx:
        tx.execute(text("CREATE TABLE somebody_elses (id INTEGER)"))
        set_pool(tx, PoolData("db", 3))

    reset(empty)

    assert {"somebody_elses", "dag_run", VERSION_TABLE} <= tables(empty)
    with empty.read() as tx:
        assert get_pool(tx, "db") is None
        assert get_pool(tx, "default_pool") is not None

    reset(empty, empty=True)
    assert tables(empty) == {"somebody_elses"}


def test_reset_spares_the_database_of_another_program(empty):
    with empty.write() if not empty.is_sqlite else migrated_then_emptied(empty) as tx:
        tx.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32))"))
        tx.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('82dbd68e6171')"))
        tx.execute(text("CREATE TABLE dag (dag_id VARCHAR(250))"))
    with pytest.raises(MetadataError, match="of another program, so nothing was dropped"):
        reset(empty)
    assert "dag" in tables(empty)


def migrated_then_emptied(database: Database):
    reset(database, empty=True)  # makes the folder
    return database.write()


def test_a_database_that_is_missing_or_empty_says_what_to_run(empty):
    with pytest.raises(MetadataError, match="tradewind db migrate"):
        require_current(empty)


def test_a_database_that_is_migrated_is_accepted(empty):
    migrate(empty)
    require_current(empty)


def test_a_database_from_the_future_is_left_alone(empty):
    migrate(empty)
    with empty.write() as tx:
        tx.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        tx.execute(text("UPDATE schema_state SET works_from = '9998'"))
    for act in (require_current, migrate):
        with pytest.raises(MetadataError, match="9999, which takes away what .* needs: versions that know 9998 can"):
            act(empty)
    with empty.write() as tx:
        tx.execute(text("DROP TABLE schema_state"))
    for act in (require_current, migrate):
        with pytest.raises(MetadataError, match="revision 9999, which this version of Tradewind does not know"):
            act(empty)
    with empty.read() as tx:
        assert read_revision(tx) == "9999"


def test_a_database_behind_the_code_says_what_to_run(empty, monkeypatch):
    migrate(empty)
    monkeypatch.setattr(revision, "REVISIONS", (*REVISIONS, "9999"))
    monkeypatch.setattr(revision, "HEAD", "9999")
    monkeypatch.setattr(revision, "LEAST", "9999")
    with pytest.raises(
        MetadataError, match=rf"at revision {HEAD}, and this version of Tradewind needs 9999\..*db migrate.*meanwhile"
    ):
        require_current(empty)


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database, however long they may be" * 20)
    database = Database(f"sqlite:///{path}")
    for act in (require_current, migrate):
        with pytest.raises(MetadataError, match=r"notes\.txt.*file is not a database"):
            act(database)
    database.close()


def test_the_sql_that_is_shown_makes_the_same_schema(tmp_path):
    planned, real = Database(f"sqlite:///{tmp_path}/planned.db"), Database(f"sqlite:///{tmp_path}/real.db")
    connection = sqlite3.connect(tmp_path / "planned.db")
    connection.executescript(migration_sql(planned))
    connection.close()
    migrate(real)
    with planned.read() as one, real.read() as other:
        assert definitions(one) == definitions(other)
        assert read_revision(one) == HEAD
    planned.close()
    real.close()
