"""Can the version before go on beside this one while the schema is upgraded? What each revision may do, and when."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text, update

from tradewind.errors import MetadataError
from tradewind.metadata import migrate as migrating
from tradewind.metadata import processes, revision
from tradewind.metadata.database import Database
from tradewind.metadata.migrate import downgrade, in_the_way, migrate
from tradewind.metadata.models import Process
from tradewind.metadata.revision import FIRST_SIDE_BY_SIDE, HEAD, LEAST, POST, REVISIONS, read_works_from

SINCE = REVISIONS[REVISIONS.index(FIRST_SIDE_BY_SIDE) + 1 :]
ADDING = [one for one in SINCE if one not in POST]
LEASE = timedelta(minutes=10)


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/tradewind.db" if request.param == "sqlite" else None
    database = Database(url or request.getfixturevalue("empty_postgres_url"))
    yield database
    database.close()


def bring_to(db: Database, target: str) -> None:
    with db.write() as tx:
        command.upgrade(migrating._alembic(tx), target)


class Schema(NamedTuple):
    columns: dict[tuple[str, str], dict[str, Any]]
    checks: dict[tuple[str, str], str]
    uniques: dict[tuple[str, str], tuple[str, ...]]
    keys: dict[tuple[str, str], str]


def schema_of(tx: Connection) -> Schema:
    look = inspect(tx)
    columns, checks, uniques, keys = {}, {}, {}, {}
    for table in look.get_table_names():
        for column in look.get_columns(table):
            columns[table, column["name"]] = {**column, "type": str(column["type"])}
        for check in look.get_check_constraints(table):
            checks[table, str(check["name"])] = str(check["sqltext"])
        for unique in look.get_unique_constraints(table):
            uniques[table, str(unique["name"])] = tuple(unique["column_names"])
        for index in look.get_indexes(table):
            if index["unique"]:
                uniques[table, str(index["name"])] = tuple(map(str, index["column_names"]))
        keys[table, "primary"] = str(look.get_pk_constraint(table)["constrained_columns"])
        for foreign in look.get_foreign_keys(table):
            keys[table, str(foreign["name"])] = str(foreign)
    return Schema(columns, checks, uniques, keys)


def words_in(check: str) -> set[str]:
    return set(re.findall(r"'([^']*)'", check))


def what_old_code_would_miss(before: Schema, after: Schema) -> list[str]:
    """Whatever could break code that was written for ``before``."""
    tables = {table for table, _ in before.columns}
    wrong = []
    for place, column in before.columns.items():
        now = after.columns.get(place)
        if now is None:
            wrong.append(f"{'.'.join(place)} is gone")
        elif now["type"] != column["type"]:
            wrong.append(f"{'.'.join(place)} was {column['type']} and is {now['type']}")
        elif column["nullable"] and not now["nullable"]:
            wrong.append(f"{'.'.join(place)} must not be empty any more")
        elif column["default"] is not None and now["default"] is None:
            wrong.append(f"{'.'.join(place)} has no default any more")
    for (table, name), column in after.columns.items():
        is_new = table in tables and (table, name) not in before.columns
        if is_new and not column["nullable"] and column["default"] is None:
            wrong.append(f"{table}.{name} is new and old code would leave it empty")
    for place, check in after.checks.items():
        was = before.checks.get(place)
        is_wider = was is not None and words_in(was) <= words_in(check)
        if place[0] in tables and was != check and not is_wider:
            wrong.append(f"{'.'.join(place)} demands what it did not: {check}")
    for place, names in after.uniques.items():
        is_old = all((place[0], name) in before.columns for name in names)
        if place[0] in tables and is_old and before.uniques.get(place) != names:
            wrong.append(f"{'.'.join(place)} makes unique what was not")
    for place, key in before.keys.items():
        if after.keys.get(place) != key:
            wrong.append(f"{'.'.join(place)} was {key} and is {after.keys.get(place)}")
    return wrong


def test_revisions_since_versions_stand_side_by_side_only_add(empty):
    bring_to(empty, FIRST_SIDE_BY_SIDE)
    for target in SINCE:
        with empty.read() as tx:
            before = schema_of(tx)
        bring_to(empty, target)
        with empty.read() as tx:
            after = schema_of(tx)
        if target in ADDING:
            assert what_old_code_would_miss(before, after) == [], f"revision {target} belongs into POST"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE pool DROP COLUMN description", "pool.description is gone"),
        (
            "ALTER TABLE variable ADD COLUMN owner TEXT NOT NULL",
            "variable.owner is new and old code would leave it empty",
        ),
        ("ALTER TABLE pool ALTER COLUMN slots TYPE BIGINT", "pool.slots was INTEGER and is BIGINT"),
        ("ALTER TABLE process ALTER COLUMN ended_at SET NOT NULL", "process.ended_at must not be empty any more"),
        ("ALTER TABLE pool ADD CONSTRAINT few CHECK (slots < 999)", "pool.few demands what it did not"),
        ("CREATE UNIQUE INDEX one_host ON process (hostname)", "process.one_host makes unique what was not"),
        ("DROP TABLE asset_watcher", "asset_watcher"),
    ],
)
def test_what_old_code_would_miss_is_seen(postgres_url, change, said):
    db = Database(postgres_url)
    with db.read() as tx:
        before = schema_of(tx)
        tx.execute(text(change))
        wrong = what_old_code_would_miss(before, schema_of(tx))
    db.close()
    assert any(said in one for one in wrong), wrong


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE pool ADD COLUMN owner TEXT",
        "ALTER TABLE pool ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
        "CREATE TABLE more (id INTEGER PRIMARY KEY, what TEXT NOT NULL UNIQUE)",
        "CREATE INDEX by_host ON process (hostname)",
    ],
)
def test_what_only_adds_is_let_pass(postgres_url, change):
    db = Database(postgres_url)
    with db.read() as tx:
        before = schema_of(tx)
        tx.execute(text(change))
        assert what_old_code_would_miss(before, schema_of(tx)) == []
    db.close()


def test_revisions_that_take_away_name_one_that_the_version_before_knew():
    assert all(works_from in REVISIONS and works_from < one for one, works_from in POST.items())
    assert LEAST not in POST


# --- a version to come: it adds with 9001, and takes away with 9002 ---

TO_COME = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{revision}", "{before}"
branch_labels = depends_on = None

def upgrade():
    {up}

def downgrade():
    {down}
"""


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let this process be the next version: it knows two revisions more."""
    for name, before, up, down in (
        ("9001", HEAD, 'op.add_column("pool", sa.Column("owner", sa.Text()))', 'op.drop_column("pool", "owner")'),
        ("9002", "9001", 'op.drop_table("audit")', "pass"),
    ):
        (tmp_path / f"{name}.py").write_text(TO_COME.format(revision=name, before=before, up=up, down=down))

    as_it_is = migrating._alembic

    def alembic(tx: Connection) -> Any:
        config = as_it_is(tx)
        folders = f"{migrating._folder()}/versions {tmp_path}"
        config.set_main_option("version_locations", folders)
        config.set_main_option("path_separator", "space")
        return config

    monkeypatch.setattr(migrating, "_alembic", alembic)
    known = (*REVISIONS, "9001", "9002")
    for module in (revision, migrating):
        monkeypatch.setattr(module, "REVISIONS", known)
        monkeypatch.setattr(module, "POST", {"9002": "9001"})
        monkeypatch.setattr(module, "HEAD", "9002")
        monkeypatch.setattr(module, "LEAST", "9001")
    monkeypatch.setattr(processes, "HEAD", "9002")


def begin(db: Database, knows: str | None, kind: str = "scheduler") -> Any:
    process_id = uuid4()
    with db.write() as tx:
        processes.register(
            tx, process_id=process_id, kind=kind, hostname="h", pid=7, now=db.now(), lease=LEASE,
            info={"version": "0.1"},
        )  # fmt: skip
        info = {"version": "0.1"} | ({} if knows is None else {processes.SCHEMA: knows})
        tx.execute(update(Process).where(Process.id == process_id).values(info=info))
    return process_id


@pytest.mark.parametrize("knows", [None, HEAD])
def test_what_takes_away_waits_for_the_processes_that_need_it(empty, request, knows):
    migrate(empty)
    old = begin(empty, knows)
    request.getfixturevalue("next_version")
    begin(empty, "9002", "worker")

    assert migrate(empty) == (HEAD, "9001")
    assert migrate(empty) == ("9001", "9001")
    assert [one.kind for one in in_the_way(empty)] == ["scheduler"]
    revision.require_current(empty)  # the new version works before the end of the upgrade
    with pytest.raises(MetadataError, match=r"cannot go on from revision 9001: .* needed by scheduler h:7 \(0\.1\)"):
        migrate(empty, must_finish=True)

    with empty.write() as tx:
        processes.mark_ended(tx, [old], empty.now())
    assert migrate(empty, must_finish=True) == ("9001", "9002")
    with empty.read() as tx:
        assert read_works_from(tx) == "9001"
        assert "audit" not in inspect(tx).get_table_names()
    revision.require_current(empty)


def test_the_version_before_works_until_something_is_taken_from_it(empty, request, monkeypatch):
    migrate(empty)
    with monkeypatch.context() as patch:
        begin(empty, HEAD)
        request.getfixturevalue("next_version")
        migrate(empty)
        patch.undo()
    monkeypatch.undo()
    revision.require_current(empty)  # as this version, which does not know 9001
    assert migrate(empty) == ("9001", "9001"), "it leaves the newer schema as it is"

    with empty.write() as tx:
        tx.execute(text("UPDATE schema_state SET works_from = '9001'"))
    with pytest.raises(MetadataError, match=r"takes away what .* needs: versions that know 9001 can use it"):
        revision.require_current(empty)


def test_a_version_cannot_skip_what_was_left_of_the_one_before(empty, request, monkeypatch):
    migrate(empty)
    begin(empty, HEAD)
    request.getfixturevalue("next_version")
    migrate(empty)
    for module in (revision, migrating):
        monkeypatch.setattr(module, "REVISIONS", (*REVISIONS, "9001", "9002", "9003"))
        monkeypatch.setattr(module, "HEAD", "9003")
        monkeypatch.setattr(module, "LEAST", "9003")
    with pytest.raises(MetadataError, match=r"cannot go on from revision 9001: .* scheduler h:7"):
        migrate(empty)


def test_going_back_lets_older_versions_in_again(empty, request):
    request.getfixturevalue("next_version")
    assert migrate(empty) == (None, "9002")
    with empty.read() as tx:
        assert read_works_from(tx) == "9001"
    downgrade(empty, HEAD)
    with empty.read() as tx:
        assert read_works_from(tx) == FIRST_SIDE_BY_SIDE


def test_a_table_in_use_keeps_neither_the_upgrade_nor_the_others_for_long(postgres_url, monkeypatch):
    """Whoever waits to change a table keeps all others waiting behind, so it waits shortly, again and again."""
    monkeypatch.setattr(migrating, "_WAIT_SECONDS", 0.2)
    monkeypatch.setattr(migrating, "_PAUSE_SECONDS", 0.05)
    db, other = Database(postgres_url), Database(postgres_url)
    downgrade(db, FIRST_SIDE_BY_SIDE)
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(migrate(db)))
    with other.read() as tx:
        tx.execute(text("SELECT count(*) FROM dag_run"))
        thread.start()
        for _ in range(5):  # each waits for the migration's turn to be over, and no longer
            with other.write() as beside:
                beside.execute(text("UPDATE dag_run SET note = 'x'"))
        assert not done
    thread.join(30)
    assert done == [(FIRST_SIDE_BY_SIDE, HEAD)]
    db.close()
    other.close()


def test_the_folder_knows_no_other_order(empty):
    config = AlembicConfig()
    config.set_main_option("script_location", str(migrating._folder()))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1
