"""Does a scheduler remove what the configuration says is old, and nothing else?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from scheduler.retention.service import Retention, standing_wish
from tests.engine.world import T0
from tests.retention.old import end_at, finished_runs, runs_left
from tests.support.waiting import wait_until
from tradewind.config import Config, load_config
from tradewind.metadata.database import Database
from tradewind.metadata.models import Dag
from tradewind.metadata.retention_lock import only_cleaner


def configured(tmp_path: Path, **options: str) -> Config:
    names = {f"TRADEWIND__RETENTION__{name.upper()}": value for name, value in options.items()}
    return load_config(names, tmp_path)


def test_by_default_half_a_year_of_runs_and_a_year_of_audit_are_kept(tmp_path: Path) -> None:
    wish = standing_wish(configured(tmp_path), {"short": 7.0, "ever": 0.0}, T0)

    assert {name: T0 - scope.before for name, scope in wish.scopes.items()} == {
        **dict.fromkeys(("dag_run", "asset_event", "backfill", "dag_version"), timedelta(days=180)),
        "audit": timedelta(days=365),
        "dag_bundle": timedelta(days=1),
        "process": timedelta(days=7),
        "session": timedelta(0),
    }
    assert [wish.cutoff("dag_run", name) for name in ("usual", "short", "ever")] == [
        T0 - timedelta(days=180),
        T0 - timedelta(days=7),
        None,
    ]
    assert (wish.min_runs, wish.archive) == (10, None)


def test_zero_keeps_for_ever_what_no_dag_says_otherwise_of(tmp_path: Path) -> None:
    config = configured(tmp_path, run_days="0", audit_days="0", archive_folder="{home}/kept")

    wish = standing_wish(config, {"short": 7.0}, T0)

    assert set(standing_wish(config, {}, T0).scopes) == {"dag_bundle", "process", "session"}
    assert wish.cutoff("dag_run", "usual") is None
    assert wish.cutoff("dag_run", "short") == T0 - timedelta(days=7)
    assert wish.archive == tmp_path / "kept"


def test_a_scheduler_removes_what_is_old(database: Database, tmp_path: Path) -> None:
    """The runs end at the turn of 2026: what is old is measured against the clock of the database."""
    pks = finished_runs(database, 4)
    now = database.now()
    for pk, days in zip(pks, (200, 181, 179, 1), strict=True):
        end_at(database, pk, now - timedelta(days=days))
    retention = Retention(configured(tmp_path, min_runs="1"), database, first=0)

    retention.start()
    try:
        wait_until(lambda: runs_left(database) == pks[2:], 60)
    finally:
        retention.stop()


def test_a_dag_says_how_long_its_runs_are_kept(database: Database, tmp_path: Path) -> None:
    short, usual = finished_runs(database, 2, "short"), finished_runs(database, 2, "usual")
    now = database.now()
    for pk in (*short, *usual):
        end_at(database, pk, now - timedelta(days=30))
    with database.write() as tx:
        tx.execute(update(Dag).where(Dag.dag_id == "short").values(days_kept=7.0))

    gone = Retention(configured(tmp_path, min_runs="1"), database).clean()

    assert gone["dag_run"] == 1
    assert runs_left(database) == [short[1], *usual]


def test_while_another_is_at_it_nothing_is_done(database: Database, tmp_path: Path) -> None:
    pks = finished_runs(database, 2)
    now = database.now()
    for pk in pks:
        end_at(database, pk, now - timedelta(days=300))
    retention = Retention(configured(tmp_path, min_runs="1"), database)

    with only_cleaner(database):
        assert not retention.clean()
    assert runs_left(database) == pks
    assert retention.clean()["dag_run"] == 1
