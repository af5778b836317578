"""Does the metadata DB follow the DAG folder? A real manager, real files, real parse processes."""

from __future__ import annotations

import os
import shutil
import threading
from functools import partial
from pathlib import Path

import pytest

from scheduler.dagfiles import folders, manager, sync, watch
from scheduler.dagfiles.find import MAX_SOURCE_BYTES
from tests.dagfiles.place import Place, source
from tests.support import waiting
from tradewind.metadata import dags
from tradewind.metadata.database import Database

wait_until = partial(waiting.wait_until, timeout=30.0)


@pytest.fixture
def place(home, sqlite_url):
    database = Database(sqlite_url)
    place = Place(home, database)
    yield place
    place.stop()
    database.close()


def test_one_sync_stores_all_files(home, database):
    place = Place(home, database)
    place.put("a.py", source("a", "b"))
    place.put("team/c.py", source("c"))
    place.put("helper.py", "x = 1\n")
    place.put("broken.py", "# airflow dag\n(\n")

    made = place.manager()
    made.sync_once()

    assert place.active() == {"a": "a.py", "b": "a.py", "c": "team/c.py"}
    assert list(place.errors()) == ["broken.py"]
    with database.read() as tx:
        assert [row.path for row in dags.list_files(tx)] == ["a.py", "broken.py", "team/c.py"]
    assert made.server_pid is None
    place.stop()


def test_a_second_sync_reads_only_what_changed(place, monkeypatch):
    place.put("a.py", source("a"))
    place.put("b.py", source("b"))
    made = place.manager()
    made.sync_once()
    submitted: list[str] = []
    submit = made._client.submit

    def note(job):
        submitted.append(job.name)
        submit(job)

    monkeypatch.setattr(made._client, "submit", note)

    made.sync_once()
    place.put("a.py", source("a", description="new"))
    os.utime(place.folder / "b.py")  # touched, but it says the same
    made.sync_once()

    assert submitted == ["a.py"]
    assert place.description("a") == "new"


def test_a_hundred_parses_are_one_version(place):
    place.put("a.py", source("a"))
    made = place.started()
    for _ in range(100):
        assert made.parse_now(timeout=30)

    assert place.versions("a") == 1
    assert place.changes == 1


def test_a_removed_file_takes_its_dags_along_also_while_nobody_looked(place):
    place.put("a.py", source("a"))
    place.put("b.py", source("b"))
    place.manager().sync_once()
    (place.folder / "a.py").unlink()

    place.manager().sync_once()
    assert place.active() == {"b": "b.py"}
    assert place.versions("a") == 1

    place.put("a.py", source("a"))
    place.manager().sync_once()
    assert place.active() == {"a": "a.py", "b": "b.py"}
    assert place.versions("a") == 1


def test_a_file_that_no_longer_speaks_of_dags_is_forgotten(place):
    place.put("a.py", source("a"))
    made = place.manager()
    made.sync_once()
    place.put("a.py", "x = 1\n")
    made.sync_once()

    assert place.active() == {}
    with place.database.read() as tx:
        assert dags.list_files(tx) == []


def test_without_safe_mode_every_file_is_read(place):
    place.put("a.py", "import helper\nit = helper.make('a')\n")
    place.put("helper.py", "import airflow\ndef make(name):\n    return airflow.DAG(name)\n")
    place.manager().sync_once()
    assert place.active() == {}

    place.manager(CORE__DAG_DISCOVERY_SAFE_MODE="False").sync_once()
    assert place.active() == {"a": "a.py"}


def test_a_folder_that_cannot_be_seen_costs_no_dag(place, caplog):
    place.put("a.py", source("a"))
    made = place.manager()
    made.sync_once()
    place.folder.rename(place.home / "away")

    made.sync_once()
    place.manager().sync_once()
    assert place.active() == {"a": "a.py"}
    assert "dags cannot be read" in caplog.text

    (place.home / "away").rename(place.folder)
    (place.folder / "a.py").unlink()
    made.sync_once()
    assert place.active() == {}


def test_bad_files_cost_only_themselves_and_keep_their_last_good_version(place):
    for name in ("syntax", "import", "exit", "huge", "text", "good"):
        place.put(f"{name}.py", source(name))
    made = place.manager()
    made.sync_once()
    place.put("syntax.py", "# airflow dag\nif:\n")
    place.put("import.py", "# dag\nimport airflow, nothing_like_this\n")
    place.put("exit.py", "# airflow dag\nimport os\nos._exit(1)\n")
    place.put("huge.py", b"# airflow dag\n" + b"#" * MAX_SOURCE_BYTES)
    place.put("text.py", b"# airflow dag\nx = '\xff'\n")
    place.put("good.py", source("good", description="new"))
    made.sync_once()

    assert set(place.active()) == {"syntax", "import", "exit", "huge", "text", "good"}
    assert place.description("good") == "new"
    errors = place.errors()
    assert set(errors) == {f"{name}.py" for name in ("syntax", "import", "exit", "huge", "text")}
    assert "larger than 4 MiB" in errors["huge.py"]
    assert "byte 0xff in line 2" in errors["text.py"]

    for name in ("syntax", "import", "exit", "huge", "text"):
        place.put(f"{name}.py", source(name))
    made.sync_once()
    assert place.errors() == {}


def test_a_file_that_vanishes_while_it_is_read_leaves_nothing(place):
    path = place.put("a.py", f"# airflow dag\nimport os\nos.unlink({str(place.folder / 'a.py')!r})\n" + source("a"))
    made = place.manager()
    made.sync_once()
    made.sync_once()

    assert not path.exists()
    assert place.active() == {}


def test_a_file_that_vanishes_before_it_is_read_is_no_error(place, monkeypatch):
    path = place.put("a.py", source("a"))
    made = place.manager()
    monkeypatch.setattr(made._sync.catalogue, "check_dependencies", path.unlink)

    made.sync_once()

    assert (place.active(), place.errors()) == ({}, {})


def test_a_dag_id_freed_by_its_first_file_goes_to_the_second(place):
    place.put("a.py", source("same"))
    made = place.manager()
    made.sync_once()
    place.put("b.py", source("same", "other"))
    made.sync_once()
    assert place.active() == {"same": "a.py", "other": "b.py"}
    assert "'same' is defined in a.py already" in place.errors()["b.py"]

    place.put("a.py", source("renamed"))
    made.sync_once()
    assert place.active() == {"renamed": "a.py", "same": "b.py", "other": "b.py"}
    assert place.errors() == {}


def test_a_renamed_file_keeps_its_dags(place):
    path = place.put("a.py", source("a"))
    made = place.manager()
    made.sync_once()
    path.rename(place.folder / "b.py")
    made.sync_once()

    assert place.active() == {"a": "b.py"}
    assert (place.errors(), place.versions("a")) == ({}, 1)


def test_a_write_that_fails_is_tried_again_and_costs_no_other_file(place, monkeypatch, caplog):
    monkeypatch.setattr(sync, "RETRY_SECONDS", 0.1)
    place.put("a.py", source("a"))
    place.put("b.py", source("b"))
    failed: list[str] = []
    save_file = dags.save_file

    def save(tx, parsed, *args, **kwargs):
        if parsed.path == "a.py" and not failed:
            failed.append(parsed.path)
            raise RuntimeError("the disk is full")
        return save_file(tx, parsed, *args, **kwargs)

    monkeypatch.setattr(dags, "save_file", save)
    place.manager().start()

    wait_until(lambda: set(place.active()) == {"a", "b"})
    assert failed == ["a.py"]
    assert "the disk is full" in caplog.text


def test_example_dags_are_shown_when_asked_for(place, tmp_path, monkeypatch):
    examples = tmp_path / "examples"
    examples.mkdir()
    (examples / "example.py").write_text(source("example"))
    monkeypatch.setattr(folders, "EXAMPLES", examples)
    place.put("a.py", source("a"))

    place.manager(CORE__LOAD_EXAMPLES="True").sync_once()
    assert place.active() == {"a": "a.py", "example": str(examples / "example.py")}
    assert Path(place.folder, place.active()["example"]).exists()

    place.manager(CORE__LOAD_EXAMPLES="False").sync_once()
    assert place.active() == {"a": "a.py"}

    place.manager(CORE__LOAD_EXAMPLES="True", CORE__DAGS_FOLDER=str(examples)).sync_once()
    assert place.active() == {"example": "example.py"}


def test_a_file_that_says_something_else_each_time_is_told_once(place, monkeypatch, caplog):
    monkeypatch.setattr("scheduler.dagfiles.catalogue.SELF_CONTAINED", 0)
    place.put("a.py", "import time\nfrom airflow import DAG\ndag = DAG('a', description=str(time.time()))\n")
    place.manager().start()

    wait_until(lambda: "dagfiles.unsteady: a.py did not change, but a now say" in caplog.text)


# --- While it runs -------------------------------------------------------------------------------------------------


def test_what_happens_in_the_folder_is_seen(place):
    place.put("a.py", source("a"))
    place.started()
    assert place.active() == {"a": "a.py"}

    place.put("new.py", source("new"))
    wait_until(lambda: "new" in place.active())

    place.put("a.py", source("a", description="changed"))
    wait_until(lambda: place.description("a") == "changed")

    (place.folder / "a.py").write_text("# airflow dag\n(\n")  # in place, not moved there
    wait_until(lambda: "a.py" in place.errors())
    assert "a" in place.active()

    place.put("deep/down/x.py", source("x"))
    wait_until(lambda: "x" in place.active())

    (place.folder / "deep").rename(place.folder / "moved")
    wait_until(lambda: place.active().get("x") == "moved/down/x.py")

    shutil.rmtree(place.folder / "moved")
    wait_until(lambda: "x" not in place.active())

    place.put(".airflowignore", "new.py\n")
    wait_until(lambda: "new" not in place.active())


def test_a_change_in_a_local_module_or_data_file_is_seen(place):
    place.put("names.py", "NAME = 'one'\n")
    place.put("conf/words.txt", "first")
    place.put(
        "a.py",
        "import names, pathlib\nfrom airflow import DAG\n"
        "words = (pathlib.Path(__file__).parent / 'conf/words.txt').read_text()\n"
        "dag = DAG(names.NAME, description=words)\n",
    )
    place.started()
    assert place.description("one") == "first"

    place.put("conf/words.txt", "second")
    wait_until(lambda: place.description("one") == "second")

    place.put("names.py", "NAME = 'two'\n")
    wait_until(lambda: set(place.active()) == {"two"})


def test_files_are_looked_at_where_the_kernel_cannot_tell(place, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.watch", fail)
    monkeypatch.setattr(watch, "BEAT_SECONDS", 0.05)
    place.started()

    place.put("a.py", source("a"))
    wait_until(lambda: "a" in place.active())


def test_a_folder_that_comes_later_is_waited_for(place, monkeypatch):
    monkeypatch.setattr(watch, "BEAT_SECONDS", 0.05)
    place.folder.rmdir()
    place.started()

    place.put("a.py", source("a"))
    wait_until(lambda: "a" in place.active())
    place.put("b.py", source("b"))
    wait_until(lambda: "b" in place.active())


def test_a_folder_behind_a_link_that_moves_is_seen(place, monkeypatch):
    """As git-sync does it: each release is a folder of its own, and a link leads to the newest."""
    monkeypatch.setattr(manager, "LOOK_SECONDS", 0.1)
    place.folder.rmdir()
    for release in ("one", "two"):
        (place.home / release).mkdir()
        (place.home / release / "a.py").write_text(source("a", description=release))
    place.folder.symlink_to(place.home / "one")
    place.started()
    assert place.description("a") == "one"

    (place.home / "link").symlink_to(place.home / "two")
    (place.home / "link").replace(place.folder)
    wait_until(lambda: place.description("a") == "two")

    monkeypatch.setattr(manager, "LOOK_SECONDS", 60.0)
    (place.home / "two/a.py").write_text(source("a", description="again"))
    wait_until(lambda: place.description("a") == "again")


def test_an_unchanged_file_is_read_again_when_it_depends_on_something_else(place, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("before")
    place.put("a.py", f"from airflow import DAG\ndag = DAG('a', description=open({str(outside)!r}).read())\n")
    place.started(DAG_PROCESSOR__REFRESH_INTERVAL="1")
    assert place.description("a") == "before"

    outside.write_text("after")
    wait_until(lambda: place.description("a") == "after")


def test_a_hanging_file_does_not_hold_up_the_others(place):
    place.put("hang.py", "# airflow dag\nimport time\ntime.sleep(600)\n")
    made = place.manager(CORE__DAGBAG_IMPORT_TIMEOUT="600", DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT="600")
    made.start()

    for number in range(3):
        place.put(f"{number}.py", source(f"d{number}"))
        wait_until(partial(place.is_active, f"d{number}"))
    assert not made.parse_now(["hang.py"], timeout=0.1)


def test_asking_for_a_parse_waits_until_it_is_stored(place):
    path = place.put("a.py", source("a"))
    made = place.started()
    with place.database.write() as tx:
        dags.delete_dag(tx, "a")

    assert made.parse_now([str(path)], timeout=30)

    assert place.active() == {"a": "a.py"}


def test_stopping_answers_whoever_waits_and_ends_all_processes(place):
    place.put("hang.py", "# airflow dag\nimport time\ntime.sleep(600)\n")
    made = place.manager(CORE__DAGBAG_IMPORT_TIMEOUT="600", DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT="600")
    made.start()
    server = wait_until(lambda: made.server_pid)
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(made.parse_now()))
    waiting.start()

    place.stop()

    waiting.join(10)
    assert answers == [False]
    assert not Path(f"/proc/{server}").exists()


def test_the_manager_goes_on_after_the_database_was_away(place, monkeypatch, caplog):
    monkeypatch.setattr(manager, "RETRY_SECONDS", 0.05)
    away = threading.Event()
    away.set()
    list_files = dags.list_files

    def fail(tx):
        if away.is_set():
            raise RuntimeError("server closed the connection")
        return list_files(tx)

    monkeypatch.setattr(dags, "list_files", fail)
    place.put("a.py", source("a"))
    place.manager().start()
    wait_until(lambda: "server closed the connection" in caplog.text)
    assert place.active() == {}

    away.clear()
    wait_until(lambda: place.active() == {"a": "a.py"})


def test_many_unchanged_files_are_looked_at_without_being_read(place, monkeypatch):
    """The cost of a look is that of a walk: no file is opened."""
    for number in range(50):
        place.put(f"{number}.py", source(f"d{number}"))
    made = place.manager()
    made.sync_once()
    monkeypatch.setattr(sync, "_source_of", lambda entry: pytest.fail(f"{entry.name} was opened"))

    made.sync_once()


def test_files_see_no_secret_of_the_scheduler(place, monkeypatch):
    monkeypatch.setenv("TRADEWIND__DATABASE__SQL_ALCHEMY_CONN", "postgresql://u:hunter2@h/db")
    place.put("a.py", "import os\nfrom airflow import DAG\ndag = DAG('a', description=repr(dict(os.environ)))\n")
    place.manager().sync_once()

    assert "hunter2" not in (place.description("a") or "")
    assert "PATH" in (place.description("a") or "")
