"""Do DAGs say in which state of their folder they hold? A real manager, real files, real parse processes, real git."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from scheduler.dagfiles import snapshot
from scheduler.runs import trigger_run
from tests.bundles.repository import Repository
from tests.dagfiles.place import Place, source
from tests.support.waiting import wait_until
from tradewind.config import load_config
from tradewind.metadata import bundles, dags, runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import Dag, DagVersion
from tradewind.model.bundles import read_name

USES_HELPER = "import helper\n" + source("user")
SHIPPED = {"DAG_PROCESSOR__DAG_BUNDLE": "database"}


ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)


@pytest.fixture(params=["sqlite"])
def database(request):
    """A metadata DB; where nothing hangs on its kind, one of one kind."""
    database = Database(request.getfixturevalue(f"{request.param}_url"))
    yield database
    database.close()


@pytest.fixture
def place(home, database):
    place = Place(home, database)
    yield place
    place.stop()


def bundles_by_dag(database: Database) -> dict[str, str | None]:
    """Return in which bundle each active DAG holds."""
    query = select(Dag.dag_id, DagVersion.bundle).join(DagVersion, DagVersion.id == Dag.version_id).where(Dag.is_active)
    with database.read() as tx:
        return {row.dag_id: row.bundle for row in tx.execute(query)}


def files_in(database: Database, bundle: str | None) -> dict[str, bytes]:
    assert bundle is not None
    with database.read() as tx:
        manifest = bundles.load_manifest(tx, bundle)
        contents = bundles.load_contents(tx, [file.digest for file in manifest.files])
    return {file.path: contents[file.digest] for file in manifest.files}


@ON_BOTH
def test_each_state_of_the_folder_is_kept_and_all_dags_move_on_together(place, database):
    place.put("a.py", source("a"))
    place.put("user.py", USES_HELPER)
    place.put("helper.py", "X = 1\n")
    place.put("data/words.txt", "one\n")
    made = place.manager(**SHIPPED)
    made.sync_once()
    first = bundles_by_dag(database)
    assert first["a"] == first["user"]
    assert files_in(database, first["a"]) == {
        "a.py": source("a").encode(), "user.py": USES_HELPER.encode(), "helper.py": b"X = 1\n",
        "data/words.txt": b"one\n",
    }  # fmt: skip

    place.put("data/words.txt", "two\n")  # no DAG file reads it, but tasks may
    made.sync_once()

    second = bundles_by_dag(database)
    assert second["a"] == second["user"] != first["a"]
    assert files_in(database, second["a"])["data/words.txt"] == b"two\n"
    assert files_in(database, first["a"])["data/words.txt"] == b"one\n"
    assert (place.versions("a"), place.versions("user")) == (1, 1)


def test_a_helper_that_changes_has_its_dags_read_again_where_it_stands(place, database):
    place.put("user.py", "import helper\nfrom airflow import DAG\ndag = DAG(helper.NAME)\n")
    place.put("helper.py", "NAME = 'before'\n")
    made = place.manager(**SHIPPED)
    made.sync_once()
    assert place.active() == {"before": "user.py"}

    place.put("helper.py", "NAME = 'after'\n")
    made.sync_once()

    assert place.active() == {"after": "user.py"}
    assert place.errors() == {}


def test_only_what_changed_is_parsed_again(place, database, monkeypatch):
    for name in "abc":
        place.put(f"{name}.py", source(name))
    made = place.manager(**SHIPPED)
    made.sync_once()
    submitted: list[str] = []
    submit = made._client.submit

    def note(job):
        submitted.append(job.name)
        submit(job)

    monkeypatch.setattr(made._client, "submit", note)

    place.put("b.py", source("b", description="new"))
    made.sync_once()

    assert submitted == ["b.py"]
    assert len(set(bundles_by_dag(database).values())) == 1


@ON_BOTH
def test_a_broken_file_leaves_its_dags_in_the_state_in_which_they_were_well(place, database):
    place.put("a.py", source("a"))
    place.put("user.py", USES_HELPER)
    place.put("helper.py", "")
    made = place.manager(**SHIPPED)
    made.sync_once()
    well = bundles_by_dag(database)

    (place.folder / "helper.py").unlink()
    made.sync_once()

    now = bundles_by_dag(database)
    assert now["user"] == well["user"]
    assert now["a"] != well["a"]
    assert list(place.errors()) == ["user.py"]


def test_a_running_manager_hears_of_files_that_hold_no_python(place, database):
    place.put("a.py", source("a"))
    place.put("queries/a.sql", "select 1")
    place.started(**SHIPPED)
    first = bundles_by_dag(database)["a"]

    place.put("queries/a.sql", "select 2")

    wait_until(lambda: bundles_by_dag(database)["a"] != first, 20)
    assert files_in(database, bundles_by_dag(database)["a"])["queries/a.sql"] == b"select 2"


def test_a_folder_that_is_too_large_is_told_where_errors_are_shown_and_what_was_known_stays(
    place, database, monkeypatch
):
    monkeypatch.setattr(snapshot, "MAX_BYTES", 10_000)
    place.put("a.py", source("a"))
    made = place.manager(**SHIPPED)
    made.sync_once()
    first = bundles_by_dag(database)

    place.put("data.bin", b"\0" * 20_000)
    place.put("b.py", source("b"))
    made.sync_once()

    assert bundles_by_dag(database) == first
    (problem,) = place.errors().values()
    assert "The largest is data.bin with 0.0 MiB" in problem
    assert "name what tasks do not need in .bundleignore" in problem

    place.put(".bundleignore", "*.bin\n")
    made.sync_once()

    assert place.errors() == {}
    assert set(bundles_by_dag(database)) == {"a", "b"}
    assert set(files_in(database, bundles_by_dag(database)["a"])) == {"a.py", "b.py"}


def test_what_only_tools_write_and_what_is_hidden_is_left_out(place, database):
    place.put("a.py", source("a"))
    place.put("team/tool.sh", "#!/bin/sh\n").chmod(0o755)
    place.put("team/.airflowignore", "*\n")
    place.put(".git/config", "x")
    place.put(".env", "PASSWORD=1")
    place.put("__pycache__/a.cpython-312.pyc", "x")
    os.symlink(place.folder, place.folder / "team" / "loop")
    os.symlink("/nowhere", place.folder / "gone")
    place.manager(**SHIPPED).sync_once()

    bundle = bundles_by_dag(database)["a"]

    assert set(files_in(database, bundle)) == {"a.py", "team/tool.sh", "team/.airflowignore"}
    with database.read() as tx:
        assert [file.path for file in bundles.load_manifest(tx, bundle or "").files if file.is_executable] == [
            "team/tool.sh"
        ]


def test_a_folder_that_cannot_be_read_is_unknown_and_not_empty(place, database):
    place.put("a.py", source("a"))
    made = place.manager(**SHIPPED)
    made.sync_once()

    place.folder.rename(place.home / "elsewhere")
    made.sync_once()

    assert place.is_active("a")
    assert "There is no DAG folder" in str(place.errors())
    again = place.manager(**SHIPPED)
    again.sync_once()
    assert place.is_active("a")


@ON_BOTH
def test_a_scheduler_with_an_older_folder_changes_nothing(place, database, home, tmp_path, caplog):
    place.put("a.py", source("a", description="old"))
    behind = place.manager(**SHIPPED)
    behind.sync_once()
    other = Place(tmp_path / "other", database)
    other.put("a.py", source("a", description="new"))
    other.manager(**SHIPPED).sync_once()
    newest = bundles_by_dag(database)

    behind.parse_now(["a.py"])

    assert place.description("a") == "new"
    assert bundles_by_dag(database) == newest
    assert "another scheduler reads a newer state of the DAG folder" in caplog.text
    place.put("a.py", source("a", description="newest"))
    behind.sync_once()
    assert place.description("a") == "newest"
    other.stop()


def test_without_bundles_dags_hold_in_the_folder_as_it_is(place, database):
    place.put("a.py", source("a"))
    place.manager(**SHIPPED).sync_once()
    assert bundles_by_dag(database)["a"] is not None

    place.manager().sync_once()

    assert bundles_by_dag(database) == {"a": None}


@ON_BOTH
def test_a_repository_is_followed_commit_by_commit(place, database, tmp_path):
    repository = Repository(tmp_path / "repository")
    first = repository.commit({"team/dags/a.py": source("a"), "team/dags/b.py": source("b"), "README.md": "text"})
    made = place.manager(DAG_PROCESSOR__DAG_BUNDLE=f"git+{repository.url}@main#subdirectory=team/dags")
    made.sync_once()

    assert bundles_by_dag(database) == dict.fromkeys("ab", f"git-{first}:team/dags")
    assert place.active() == {"a": "a.py", "b": "b.py"}
    second = repository.commit({"team/dags/a.py": source("a", description="new"), "team/dags/b.py": None})
    made.sync_once()

    assert bundles_by_dag(database) == {"a": f"git-{second}:team/dags"}
    assert place.description("a") == "new"
    assert read_name(f"git-{second}:team/dags").folder == "team/dags"


def test_a_repository_that_is_away_is_told_and_takes_nothing_away(place, database, tmp_path):
    repository = Repository(tmp_path / "repository")
    repository.commit({"a.py": source("a")})
    where = {"DAG_PROCESSOR__DAG_BUNDLE": f"git+{repository.url}", "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1"}
    place.started(**where)
    wait_until(lambda: place.active() == {"a": "a.py"}, 20)
    place.stop()

    repository.path.rename(tmp_path / "away")
    place.started(**where)

    wait_until(lambda: "git fetch of file://" in str(place.errors()), 20)
    assert place.is_active("a")
    (tmp_path / "away").rename(repository.path)
    wait_until(lambda: place.errors() == {}, 20)
    repository.commit({"b.py": source("b")})
    wait_until(lambda: set(place.active()) == {"a", "b"}, 20)


def test_a_folder_that_the_commit_lacks_is_told(place, database, tmp_path):
    repository = Repository(tmp_path / "repository")
    repository.commit({"a.py": source("a")})

    place.manager(DAG_PROCESSOR__DAG_BUNDLE=f"git+{repository.url}#subdirectory=dags").sync_once()

    assert "has no folder 'dags'. Check subdirectory=" in str(place.errors())


OWN_TIMETABLE = """
import hours
import pendulum
from airflow import DAG
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable

class Own(Timetable):
    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        start = last_automated_data_interval.end if last_automated_data_interval else restriction.earliest
        return DagRunInfo.interval(start, start.add(hours=hours.COUNT))

    def infer_manual_data_interval(self, *, run_after):
        return DataInterval(run_after.subtract(hours=hours.COUNT), run_after)

dag = DAG("own", schedule=Own(), start_date=pendulum.datetime(2026, 1, 1), catchup=True)
"""


def test_own_timetables_are_asked_where_their_files_are(place, database, tmp_path):
    repository = Repository(tmp_path / "repository")
    repository.commit({"own.py": OWN_TIMETABLE, "hours.py": "COUNT = 5\n"})
    where = {"DAG_PROCESSOR__DAG_BUNDLE": f"git+{repository.url}"}
    place.manager(**where).sync_once()
    with database.read() as tx:
        assert dags.get_dag(tx, "own").next_run_after == datetime(2026, 1, 1, 5, tzinfo=UTC)

    config = load_config({f"TRADEWIND__{name}": value for name, value in (place.settings | where).items()}, place.home)
    at = datetime(2026, 2, 2, tzinfo=UTC)
    trigger_run(database, config, dag_id="own", run_id="mine", logical_date=at)

    with database.read() as tx:
        run = runs.find_run(tx, "own", "mine")
    assert run is not None
    assert (run.data_interval_start, run.data_interval_end) == (at - timedelta(hours=5), at)
    assert run.bundle == bundles_by_dag(database)["own"]
