"""What goes beside runs, in any order, and what of it stays since somebody needs it?"""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, UniqueConstraint, insert, select, update

from scheduler.retention.tables import TABLES
from tests.engine.world import T0, dag, store
from tests.retention.old import NOW, clean, finished_runs, rows, wish
from tradewind.metadata import audit
from tradewind.metadata.database import Database
from tradewind.metadata.models import (
    Asset,
    AssetEvent,
    AssetEventUse,
    AssetPending,
    AuditEntry,
    Backfill,
    BackfillSlot,
    Base,
    Callback,
    Dag,
    DagSource,
    DagVersion,
    Process,
    Session,
    User,
    XCom,
)
from tradewind.metadata.retention_rest import KINDS
from tradewind.metadata.retention_runs import CHILDREN

KEPT = {
    "alembic_version", "app_user", "asset", "asset_alias", "asset_alias_target", "asset_event_alias", "asset_pending",
    "asset_reference", "asset_state", "asset_watcher", "backfill_slot", "bundle_content", "bundle_head", "coming_runs",
    "connection", "dag_file", "dag_source", "dag_tag", "passed_tick", "pool", "rate_limit", "schema_state", "variable",
}  # fmt: skip
"""What is set by people or files, or goes with what it belongs to."""


def test_every_table_is_cleaned_or_known_to_stay() -> None:
    cleaned = {"dag_run", *KINDS, *(table.__tablename__ for table in CHILDREN)}
    unknown = set(Base.metadata.tables) - cleaned - KEPT

    assert unknown == set()
    assert set(TABLES) == {"dag_run", "xcom", *KINDS}
    assert list(TABLES)[2:] == list(KINDS)


def test_whatever_hangs_on_a_run_is_found_by_an_index_and_goes_with_it() -> None:
    hanging = {
        table.name
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name == "dag_run" and key.ondelete == "CASCADE"
    }

    assert hanging == {table.__tablename__ for table in CHILDREN}
    for name in hanging:
        table = Base.metadata.tables[name]
        indexes = [[*one.columns] for one in table.indexes if one.dialect_options["sqlite"]["where"] is None]
        uniques = [[*one.columns] for one in table.constraints if isinstance(one, UniqueConstraint)]
        indexes += [*uniques, [*table.primary_key.columns]]
        assert any(columns[0].name == "run_pk" for columns in indexes), name


def add(tx: Connection, table: type[Base], **values: object) -> int:
    key: int = tx.execute(insert(table).values(**values).returning(table.__table__.c.id)).scalar_one()
    return key


def make_events(tx: Connection, run_pk: int) -> dict[str, int]:
    """Events of one asset, all old: one that a run used, one that a DAG waits to use, a free one, and the last."""
    asset = add(
        tx, Asset, digest="d", name="a", uri="u", group_name="", extra={}, is_active=True, created_at=T0, updated_at=T0
    )
    made = {
        name: add(tx, AssetEvent, asset_id=asset, at=T0, extra={}, source_dag_id="etl", source_map_index=-1)
        for name in ("used", "pending", "free", "last")
    }
    tx.execute(insert(AssetEventUse).values(run_pk=run_pk, event_id=made["used"]))
    tx.execute(
        insert(AssetPending).values(dag_id="etl", event_id=made["pending"], partition_key="", counts=True, is_new=False)
    )
    return made


def events_left(database: Database) -> set[int]:
    with database.read() as tx:
        return set(tx.execute(select(AssetEvent.id)).scalars())


def test_events_go_that_nobody_uses(database: Database, tmp_path: Path) -> None:
    pks = finished_runs(database, 2)
    with database.write() as tx:
        made = make_events(tx, pks[0])

    clean(database, wish(tmp_path, 1, "asset_event"), max_rows=1)
    assert events_left(database) == {made[name] for name in ("used", "pending", "last")}

    clean(database, wish(tmp_path, 1, "asset_event", "dag_run"))  # the run that used it goes first
    assert events_left(database) == {made["pending"], made["last"]}


def test_versions_go_that_no_run_began_with(database: Database, tmp_path: Path) -> None:
    pks = finished_runs(database, 3)
    with database.write() as tx:
        used = tx.execute(select(DagVersion.id)).scalar_one()
        old = tx.execute(select(DagVersion.__table__)).one()._mapping
        for number in (2, 3):
            tx.execute(insert(DagSource).values(digest=f"d{number}", source=f"# {number}"))
            newer = {**old, "number": number, "hash": f"h{number}", "source_digest": f"d{number}"}
            del newer["id"]
            newest = add(tx, DagVersion, **newer)
        tx.execute(update(Dag).values(version_id=newest))
        tx.execute(update(DagVersion).values(created_at=T0))

    clean(database, wish(tmp_path, 1, "dag_version"))

    with database.read() as tx:
        assert set(tx.execute(select(DagVersion.id)).scalars()) == {used, newest}
        assert "# 2" not in set(tx.execute(select(DagSource.source)).scalars())
    assert len(pks) == 3


def make_rest(tx: Connection, run_pk: int) -> None:
    """One of everything that is old and free, and one of each that is not."""
    for at in (T0, NOW):
        audit.note(tx, at, actor="ann", via="cli", action="dag.pause", dag_id="etl")
        process = {"kind": "scheduler", "hostname": "h", "pid": 1, "started_at": T0, "heartbeat_at": T0, "info": {}}
        tx.execute(insert(Process).values(id=uuid4(), expires_at=at, **process))
        call = {"kind": "run", "map_index": -1, "payload": {}, "starts": 1, "losses": 0, "created_at": T0}
        tx.execute(insert(Callback).values(run_pk=run_pk, state="done", ended_at=at, **call))
    user = add(tx, User, username="ann", password_hash="", role="user", is_active=True, created_at=T0, failed_logins=0)
    for token, at in (("old", T0), ("new", NOW)):
        login = {"user_id": user, "created_at": T0, "seen_at": T0, "user_agent": "", "address": ""}
        tx.execute(insert(Session).values(token_hash=token, expires_at=at, **login))
    for completed in (T0, None):
        asked = {
            "dag_ids": ["etl"], "from_date": T0, "to_date": NOW, "reprocess_behavior": "none", "makes_missing": True,
            "max_active_runs": 1, "run_backwards": False, "run_on_latest_version": True, "plan": {},
            "is_paused": False, "created_at": T0, "updated_at": T0, "outcome": completed and "success",
        }  # fmt: skip
        backfill = add(tx, Backfill, completed_at=completed, **asked)
        for ordinal in (1, 2, 3):
            slot = {"dag_id": "etl", "run_after": T0, "run_id": f"x{ordinal}", "state": "done"}
            tx.execute(insert(BackfillSlot).values(backfill_id=backfill, ordinal=ordinal, **slot))


@pytest.mark.parametrize("max_rows", [2, 1000])
def test_half_of_the_rest_is_old(database: Database, tmp_path: Path, max_rows: int) -> None:
    (pk,) = finished_runs(database, 1)
    with database.write() as tx:
        make_rest(tx, pk)
    names = ("callback", "backfill", "backfill_slot", "process", "session")
    before = rows(database)

    clean(database, wish(tmp_path, 1, *KINDS), max_rows)

    after = rows(database)
    assert {name: after[name] for name in names} == {name: before[name] // 2 for name in names}
    with database.read() as tx:
        noted = tx.execute(select(AuditEntry.at).where(AuditEntry.action == "dag.pause")).scalars().all()
    assert noted == [NOW]


def test_a_dag_goes_when_its_file_and_its_runs_are_gone(database: Database, tmp_path: Path) -> None:
    store(database, dag("gone"))
    finished_runs(database, 1, "with_runs")
    store(database, dag("with_file"))
    with database.write() as tx:
        tx.execute(update(Dag).values(parsed_at=T0))
        tx.execute(update(Dag).where(Dag.dag_id != "with_file").values(is_active=False))

    clean(database, wish(tmp_path, 1, "dag"))

    with database.read() as tx:
        assert set(tx.execute(select(Dag.dag_id)).scalars()) == {"with_runs", "with_file"}


def test_the_order_of_tables_does_not_matter(database: Database, tmp_path: Path) -> None:
    pks = finished_runs(database, 2)
    with database.write() as tx:
        make_rest(tx, pks[0])
    with database.write() as tx:
        made = make_events(tx, pks[0])

    clean(database, wish(tmp_path, 1, *reversed([*TABLES])))

    assert events_left(database) == {made["pending"], made["last"]}
    assert rows(database)["dag_run"] == 1


def test_xcoms_go_alone_of_runs_that_stay(database: Database, tmp_path: Path) -> None:
    pks = finished_runs(database, 3)
    with database.write() as tx:
        for pk in pks:
            values = {"task_id": "a", "map_index": -1, "key": "k", "value": "1", "size_bytes": 1, "created_at": T0}
            tx.execute(insert(XCom).values(run_pk=pk, **values))

    clean(database, wish(tmp_path, 1, "xcom"))

    with database.read() as tx:
        assert list(tx.execute(select(XCom.run_pk)).scalars()) == pks[2:]
    assert rows(database)["dag_run"] == 3
