"""Does an upgrade lose nothing while the version before, its real code, and this one stand side by side?"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tests.upgrade.versions import Version, previous_version, this_version
from tradewind.metadata.database import Database
from tradewind.metadata.processes import SCHEMA, list_processes
from tradewind.metadata.revision import FIRST_SIDE_BY_SIDE, HEAD, read_revision
from tradewind.metadata.runs import find_run

DAG = """
import time
from datetime import timedelta
from pathlib import Path
from airflow.sdk import DAG, task

HOME = Path(__file__).parents[1]

def effect(name, run_id, try_number):
    with (HOME / "effects").open("a") as file:
        file.write(f"{run_id} {name} {try_number}\\n")

with DAG("work", schedule=None, max_active_runs=16) as dag:

    @task(retries=2, retry_delay=timedelta(0))
    def first(run_id=None, ti=None):
        effect("first", run_id, ti.try_number)
        while not (HOME / f"go-{run_id}").exists():
            time.sleep(0.05)
        return 7

    @task
    def second(n, run_id=None, ti=None):
        effect("second", run_id, ti.try_number)
        return n + 1

    second(second.override(task_id="between")(first()))
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def old(tmp_path: Path) -> Version:
    return previous_version(tmp_path / "old")


@pytest.fixture
def new(tmp_path: Path) -> Version:
    return this_version(tmp_path / "new")


@pytest.fixture
def start(home: Path, empty_postgres_url: str) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def begin(version: Version, *words: str) -> subprocess.Popen[str]:
        running.append(version.start(home, empty_postgres_url, *words))
        return running[-1]

    yield begin
    for process in running:
        if process.poll() is None:
            process.terminate()
    for process in running:
        process.wait(30)


@pytest.fixture
def db(empty_postgres_url: str) -> Iterator[Database]:
    with closing(Database(empty_postgres_url)) as database:
        yield database


def tell(home: Path) -> str:
    return "".join(f"\n== {log.name}\n{log.read_text()[-1500:]}" for log in home.glob("*.log"))


def wait_for_schedulers(db: Database, count: int, home: Path) -> None:
    def there() -> bool:
        with db.read() as tx:
            alive = list_processes(tx, kind="scheduler", alive_at=db.now())
        assert len(alive) == count, tell(home)
        return True

    wait_until(there, 60, every=0.1)


@pytest.mark.timeout(240)
def test_the_real_version_before_works_on_while_this_one_comes(old, new, start, home, db, empty_postgres_url):
    (home / "dags" / "work.py").write_text(DAG)
    url = empty_postgres_url

    def do(version: Version, *words: str) -> str:
        done = version.run(home, url, *words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}{tell(home)}"
        return done.stdout

    def trigger(version: Version) -> str:
        (row,) = json.loads(do(version, "dags", "trigger", "work", "-o", "json"))
        return str(row["dag_run_id"])

    def let_go(run_id: str) -> None:
        (home / f"go-{run_id}").touch()

    def state(run_id: str) -> str:
        with db.read() as tx:
            run = find_run(tx, "work", run_id)
        assert run is not None
        return run.state.value

    def wait_over(run_id: str) -> None:
        def over() -> bool:
            assert state(run_id) in ("success", "failed"), tell(home)
            return True

        wait_until(over, 60, every=0.1)
        assert state(run_id) == "success", tell(home)

    def effects() -> list[str]:
        path = home / "effects"
        return path.read_text().splitlines() if path.exists() else []

    def wait_begun(run_id: str, times: int = 1) -> None:
        def begun() -> bool:
            assert sum(line.startswith(f"{run_id} first") for line in effects()) >= times, tell(home)
            return True

        wait_until(begun, 60, every=0.05)

    do(old, "db", "migrate")
    with db.read() as tx:
        assert read_revision(tx) == FIRST_SIDE_BY_SIDE
    before = start(old, "scheduler")
    wait_for_schedulers(db, 1, home)
    wait_until(lambda: old.run(home, url, "dags", "unpause", "work").returncode == 0, 60, every=0.2)
    through = trigger(old)
    wait_begun(through)

    # 1. The schema goes ahead, under a run of the version before, which goes on as if nothing were.
    assert f"now at revision {HEAD}" in new.run(home, url, "db", "migrate").stderr
    let_go(through)
    wait_over(through)
    alone = trigger(new)
    let_go(alone)
    wait_over(alone)

    # 2. This version comes beside it; both take runs.
    after = start(new, "scheduler")
    wait_for_schedulers(db, 2, home)
    with db.read() as tx:
        schemas = {one.info.get(SCHEMA) for one in list_processes(tx, kind="scheduler", alive_at=db.now())}
    assert schemas == {None, HEAD}
    together = [trigger(new) for _ in range(4)]
    for run_id in together:
        wait_begun(run_id)

    # 3. The version before is killed in the middle: what it held goes to this one.
    before.send_signal(signal.SIGKILL)
    before.wait(20)
    for run_id in together:
        let_go(run_id)
    for run_id in together:
        wait_over(run_id)
    last = trigger(new)
    let_go(last)
    wait_over(last)

    assert do(new, "db", "migrate", "--finish") == ""
    after.terminate()
    assert after.wait(30) == 0
    do(new, "db", "verify")
    runs = (through, alone, *together, last)
    for run_id in runs:
        assert sum(line.startswith(f"{run_id} second ") for line in effects()) == 2, effects()
