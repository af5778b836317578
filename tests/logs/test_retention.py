"""Do logs leave the store with their run, and only they?"""

from __future__ import annotations

from pathlib import Path

from executors.logs.store import LogStore, open_store
from scheduler.retention.leftovers import remove_stored_logs
from tests.retention.old import clean, finished_runs, wish
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database


def test_logs_of_removed_runs_leave_the_store(sqlite_url: str, tmp_path: Path) -> None:
    database = Database(sqlite_url)
    finished_runs(database, 2)
    store = open_store(str(tmp_path / "store"))
    for run_id in ("r1", "r2"):
        store.put(f"dag_id=etl/run_id={run_id}/task_id=a/attempt=1.log", b"done")
        store.put(f"dag_id=etl/run_id={run_id}/callbacks/1/attempt=1.log", b"called")

    clean(database, wish(tmp_path, 1, log_store=store))

    assert not (tmp_path / "store" / "dag_id=etl" / "run_id=r1").exists()
    assert store.sizes("dag_id=etl/run_id=r2/task_id=a") == {"attempt=1.log": 4}
    database.close()


def test_what_cannot_be_removed_is_left_and_said(tmp_path: Path, caplog) -> None:
    (tmp_path / "store").write_text("a file in the way")
    remove_stored_logs(open_store(str(tmp_path / "store")), "etl", "r1")
    assert "the logs of run 'r1' of DAG 'etl' are left in the log store" in caplog.text


def test_all_of_a_run_goes_from_every_kind_of_store(store: LogStore) -> None:
    for task_id in ("a", "b"):
        store.put(f"dag_id=d/run_id=r/task_id={task_id}/attempt=1.log", b"x")
    remove_stored_logs(store, "d", "r")
    wait_until(lambda: store.sizes("dag_id=d/run_id=r/task_id=a") == {})
    assert store.sizes("dag_id=d/run_id=r/task_id=b") == {}
