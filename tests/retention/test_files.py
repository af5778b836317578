"""What becomes of what lies outside of the metadata DB: archives, logs, XCom files? And of one that is killed?"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert

from executors.runner.log_paths import attempt_log_path
from scheduler.retention.archive import export, list_archive, new_folder, read_rows, write_rows
from scheduler.retention.leftovers import remove_logs, remove_xcoms
from scheduler.retention.pace import AIM_SECONDS, FIRST_ROWS, MIN_ROWS, Pace
from scheduler.verify import verify
from tests.engine.world import T0, add_run
from tests.retention.old import NOW, clean, finished_runs, rows, runs_left, wish
from tradewind.metadata import runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import XCom
from tradewind.metadata.retention_lock import only_cleaner
from tradewind.metadata.retention_runs import put_out_of_sight


def write_log(folder: Path, run_id: str) -> Path:
    path = attempt_log_path(folder, "etl", run_id, "a", 1)
    path.parent.mkdir(parents=True)
    path.write_text("done")
    return path


def test_logs_and_xcoms_of_removed_runs_go_too(database: Database, tmp_path: Path) -> None:
    pks = finished_runs(database, 2)
    logs = [write_log(tmp_path / "logs", f"r{number}") for number in (1, 2)]
    store = tmp_path / "store"
    values = [store / "etl" / run_id / "a" / "-1" / "1" / "k.json" for run_id in ("r1", "r2")]
    for pk, path in zip(pks, values, strict=True):
        path.parent.mkdir(parents=True)
        path.write_text("1")
        key = {"run_pk": pk, "task_id": "a", "map_index": -1, "key": "k"}
        with database.write() as tx:
            tx.execute(insert(XCom).values(**key, location=str(path), size_bytes=1, created_at=T0))

    clean(database, wish(tmp_path, 1, object_store=str(store)))

    assert [path.exists() for path in (*logs, *values)] == [False, True, False, True]
    assert not (store / "etl" / "r1").exists()


def test_a_new_run_with_the_name_of_a_leaving_one_keeps_its_logs(database: Database, tmp_path: Path) -> None:
    pks = finished_runs(database, 2)
    with database.write() as tx:
        version = runs.get_runs(tx, pks)[0].version_id
        put_out_of_sight(tx, "etl", NOW, needed=[pks[1]], limit=1, archive=None)
    again = add_run(database, version, "etl", 1)
    log = write_log(tmp_path / "logs", "r1")

    clean(database, wish(tmp_path, 1))

    assert log.exists()
    assert runs_left(database) == [pks[1], again]


def test_no_id_leads_out_of_the_folder_of_logs(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()

    remove_logs(tmp_path / "logs", "../other", "..")
    remove_xcoms([str(tmp_path / "missing")], str(tmp_path / "store"), "../other", "..")

    assert (tmp_path / "other").is_dir()


def test_what_goes_is_archived_and_can_be_exported(database: Database, tmp_path: Path) -> None:
    finished_runs(database, 4)
    before = rows(database)

    clean(database, wish(tmp_path, 1, archive=tmp_path / "archive"))

    kept = {one.table: one for one in list_archive(tmp_path / "archive")}
    after = rows(database)
    names = {"dag_run", "task_instance", "attempt", "run_event"}
    assert {name: len(list(read_rows(kept[name].path))) for name in names} == {
        name: before[name] - after[name] for name in names
    }
    assert [row["run_id"] for row in read_rows(kept["dag_run"].path)] == ["r1", "r2", "r3"]
    assert {row["dag_id"] for row in read_rows(kept["dag_run"].path)} == {"etl"}
    target, number = export(kept["run_event"], tmp_path, "csv")
    with target.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == number == before["run_event"] - after["run_event"]
    assert found[0]["kind"] == "run_created"


def test_a_torn_end_of_an_archive_spoils_nothing(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, NOW)
    write_rows(folder, "audit", [{"id": number, "at": NOW} for number in range(7000)])
    path = folder / "audit.jsonl.gz"
    whole = path.read_bytes()
    write_rows(folder, "audit", [{"id": number} for number in range(7000, 7010)])

    longer = path.read_bytes()

    for end in (len(whole) + 3, len(longer) - 1):
        path.write_bytes(longer[:end])
        assert [row["id"] for row in read_rows(path)] == list(range(7000))
    assert new_folder(tmp_path, NOW) != folder


def test_a_transaction_is_made_to_fit_the_time() -> None:
    pace = Pace(4 * FIRST_ROWS, rests=3.0)
    for _ in range(5):
        assert pace.note(pace.rows, AIM_SECONDS / 2) == pytest.approx(AIM_SECONDS * 1.5)
    assert pace.rows == 4 * FIRST_ROWS
    for _ in range(20):
        pace.note(pace.rows, 1.0)
    assert pace.rows == MIN_ROWS
    assert Pace(1, rests=0).rows == 1


def test_one_cleans_at_a_time(database: Database) -> None:
    with only_cleaner(database) as first:
        with only_cleaner(database) as second:
            assert (first, second) == (True, False)
    with only_cleaner(database) as third:
        assert third


KILLED = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.retention.old import NOW, wish
from scheduler.retention.cleaning import Cleaner
from scheduler.retention.pace import Pace
from tradewind.metadata.database import Database

folder = Path(sys.argv[2])
db = Database(sys.argv[1])
for step in Cleaner(db, wish(folder, 1, archive=folder / "archive"), Pace(5, rests=0), NOW).steps():
    pass
"""


@pytest.mark.parametrize(
    "point",
    [
        "retention-before-hiding",
        "retention-after-hiding",
        "retention-before-deleting",
        "retention-while-deleting:2",
        "retention-after-deleting:3",
        "retention-after-deleting:6",
    ],
)
def test_a_clean_up_that_is_killed_leaves_what_is_sound_and_the_next_goes_on(
    database: Database, tmp_path: Path, point: str
) -> None:
    pks = finished_runs(database, 3)
    before = rows(database)
    url = database.url.render_as_string(hide_password=False)
    environment = {**os.environ, "TRADEWIND_TEST_KILL_AT": point}
    killed = subprocess.run([sys.executable, "-c", KILLED, url, str(tmp_path)], env=environment, timeout=60)
    assert killed.returncode == -signal.SIGKILL

    assert verify(database) == []
    clean(database, wish(tmp_path, 1))

    assert runs_left(database) == pks[2:]
    assert rows(database)["run_event"] * 3 == before["run_event"]
    kept = [row["run_id"] for one in list_archive(tmp_path / "archive", ["dag_run"]) for row in read_rows(one.path)]
    assert set(kept) == (set() if point.endswith("before-hiding") else {"r1", "r2"})
