"""Does a run stay with the files that it began with, whoever deploys what meanwhile and wherever its tasks run?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from executors.bundles import shelf
from executors.bundles.holding import lock_alone
from executors.worker.host import WorkerHost
from executors.worker.http_link import HttpLink
from executors.worker.link import WorkerLink
from executors.worker.sql_link import SqlLink
from tests.bundles.repository import Repository
from tests.dagfiles.place import Place
from tests.executors.worker.control import TOKEN, remote, web_server
from tests.executors.worker.yard import EXECUTOR, Yard
from tests.support.installation import Installation
from tests.support.waiting import wait_until
from tradewind.config import load_config, with_secrets
from tradewind.metadata import bundles, dags, xcoms
from tradewind.metadata.database import Database
from tradewind.metadata.models import DagRun, DagVersion

FILES = {
    "d.py": """
import time
from pathlib import Path
import helper
from tradewind import DAG, task

OUT = Path({out!r})

with DAG("d"):
    @task
    def first(run_id=None):
        (OUT / f"began-{{run_id}}").touch()
        while not (OUT / "gate").exists():
            time.sleep(0.01)
        return helper.WORD

    @task
    def second(word, run_id=None):
        from team.later import WORD
        data = (Path(__file__).parent / "words.txt").read_text()
        (OUT / run_id).write_text(f"{{word}} {{WORD}} {{data}}")

    second(first())
""",
    "helper.py": "WORD = {word!r}\n",
    "team/later.py": "WORD = {word!r}\n",
    "words.txt": "{word}",
}


ASKS = 'from airflow.models import Variable\nVariable.get("x", default_var="")\n'
"""Such a file is kept imported by nobody: each of its tasks imports it."""


def texts(out: Path, word: str) -> dict[str, str | None]:
    return {name: text.format(out=str(out), word=word) for name, text in FILES.items()}


def write(folder: Path, files: dict[str, str | None]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or "")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    path = tmp_path / "out"
    path.mkdir()
    return path


SHIPPED = {
    "TRADEWIND__DAG_PROCESSOR__DAG_BUNDLE": "database",
    "TRADEWIND__SCHEDULER__LEASE_SECONDS": "3",
    "TRADEWIND__SCHEDULER__POLL_SECONDS": "1",
}


def files_in(database: Database, bundle: str | None) -> dict[str, str | None]:
    assert bundle is not None
    with database.read() as tx:
        manifest = bundles.load_manifest(tx, bundle)
        contents = bundles.load_contents(tx, [file.digest for file in manifest.files])
    return {file.path: contents[file.digest].decode() for file in manifest.files}


def newest_bundle(database: Database) -> str | None:
    with database.read() as tx:
        version = dags.get_dag(tx, "d").version_id
        return tx.execute(select(DagVersion.bundle).where(DagVersion.id == version)).scalar_one()


def is_newest(database: Database, bundle: str) -> bool:
    return newest_bundle(database) == bundle


def test_a_deploy_in_the_middle_of_a_run_changes_the_next_run(tmp_path, sqlite_url, out):
    with Installation(tmp_path / "home", sqlite_url, SHIPPED) as place, closing(Database(sqlite_url)) as database:
        write(place.dags, texts(out, "old"))
        place.start_scheduler()
        place.wait_for_dags("d")
        place.run("dags", "unpause", "d")
        wait_until(lambda: files_in(database, newest_bundle(database)) == texts(out, "old"), 30)
        old = place.trigger("d")
        wait_until(lambda: (out / f"began-{old}").exists(), 30)

        write(place.dags, texts(out, "new"))
        wait_until(lambda: files_in(database, newest_bundle(database)) == texts(out, "new"), 30)
        new = place.trigger("d")
        wait_until(lambda: (out / f"began-{new}").exists(), 30)
        (out / "gate").touch()

        assert place.wait_for_run("d", old) == "success"
        assert place.wait_for_run("d", new) == "success"
        assert (out / old).read_text() == "old old old"
        assert (out / new).read_text() == "new new new"

        (out / old).unlink()
        place.run("tasks", "clear", "d", "--run-id", old, "--task", "second", "--yes")
        wait_until(lambda: (out / old).exists(), 30)
        assert place.wait_for_run("d", old) == "success"
        assert (out / old).read_text() == "old old old"

        (out / old).unlink()
        place.run("tasks", "clear", "d", "--run-id", old, "--run-on-latest-version", "--yes")
        wait_until(lambda: (out / old).exists(), 30)
        assert place.wait_for_run("d", old) == "success"
        assert (out / old).read_text() == "new new new"
        place.run("db", "verify")


def test_a_run_goes_on_as_it_began_after_a_crash_that_took_the_disk(tmp_path, sqlite_url, out):
    with Installation(tmp_path / "home", sqlite_url, SHIPPED) as place:
        write(place.dags, texts(out, "old"))
        place.start_scheduler()
        place.wait_for_dags("d")
        place.run("dags", "unpause", "d")
        old = place.trigger("d")
        wait_until(lambda: (out / f"began-{old}").exists(), 30)

        assert place.scheduler is not None
        place.scheduler.kill()
        place.scheduler.wait()
        shutil.rmtree(place.home / "bundles")
        write(place.dags, texts(out, "new"))
        (out / "gate").touch()
        place.start_scheduler()

        assert place.wait_for_run("d", old) == "success"
        assert (out / old).read_text() == "old old old"


Far = Callable[[str], WorkerLink]


@pytest.fixture
def far_link(request, tmp_path, postgres_url) -> Iterator[Far]:
    """``far_link(source)``: a link of a host that has nothing but its own empty home."""
    with ExitStack() as stack:

        def made(source: str) -> WorkerLink:
            own = {"TRADEWIND__DAG_PROCESSOR__DAG_BUNDLE": source}
            home = tmp_path / "far"
            home.mkdir()
            if request.param == "sql":
                database = stack.enter_context(closing(Database(postgres_url)))
                environ = {**own, "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": postgres_url}
                return SqlLink(database, with_secrets(load_config(environ, home)))
            near = {"TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": postgres_url, "TRADEWIND__WORKERS__TOKEN": TOKEN}
            web = stack.enter_context(closing(Database(postgres_url)))
            config = with_secrets(load_config({**own, **near}, tmp_path / "home"))
            url = stack.enter_context(web_server(config, web))
            link = HttpLink(load_config(remote(own, url), home), {})
            stack.callback(link.close)
            return link

        yield made


@pytest.mark.parametrize(
    ("far_link", "kind"), [("sql", "database"), ("https", "database"), ("https", "git")], indirect=["far_link"]
)
def test_a_worker_with_nothing_but_its_home_runs_what_the_run_began_with(
    kind, far_link, home, postgres_url, tmp_path, out, monkeypatch
):
    monkeypatch.setattr(shelf, "AT_HAND", 0)  # so that nothing but the processes of tasks holds a bundle
    repository = Repository(tmp_path / "repository")
    source = "database" if kind == "database" else f"git+{repository.url}@main#subdirectory=dags"
    environ = {
        **os.environ,
        "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": postgres_url,
        "TRADEWIND__DAG_PROCESSOR__DAG_BUNDLE": source,
    }
    with ExitStack() as stack:
        database = stack.enter_context(closing(Database(postgres_url)))
        place = Place(home, database)
        stack.callback(place.stop)
        yard = Yard(with_secrets(load_config(environ, home)), database)
        stack.callback(yard.close)
        manager = place.manager(DAG_PROCESSOR__DAG_BUNDLE=source)

        def deploy(word: str) -> int:
            """Put a state of the DAG folder up; return the version of the DAG in it."""
            files = texts(out, word)
            if kind == "database":
                files["d.py"] = f"{ASKS}{files['d.py']}"
            write(home / "dags", files)
            repository.commit({f"dags/{name}": text for name, text in files.items()})
            manager.sync_once()
            with database.read() as tx:
                return dags.get_dag(tx, "d").version_id or 0

        stack.enter_context(yard.scheduler())
        link = far_link(source)
        host = WorkerHost(
            load_config({"TRADEWIND__DAG_PROCESSOR__DAG_BUNDLE": source}, tmp_path / "far"),
            link, executor=EXECUTOR, queues=["default"], slots=4,
        )  # fmt: skip
        stack.callback(host.stop, 1)
        old = yard.run(deploy("old"), number=1)
        host.start()
        wait_until(lambda: (out / "began-r1").exists(), 30)
        (lock,) = (tmp_path / "far" / "bundles").glob("*-*.lock")
        assert lock_alone(lock) is None

        new = yard.run(deploy("new"), number=2)
        shutil.rmtree(home / "dags")
        (out / "gate").touch()
        yard.wait_over(old, new)

        assert (out / "r1").read_text() == "old old old"
        assert (out / "r2").read_text() == "new new new"
        with database.read() as tx:
            assert len(set(tx.execute(select(DagRun.bundle)).scalars())) == 2
        host.stop(1)
        folders = [path for path in (tmp_path / "far" / "bundles").glob("*-*") if path.is_dir()]
        assert len(folders) == 2
        for folder in folders:
            freed = lock_alone(folder.with_name(f"{folder.name}.lock"))
            assert freed is not None
            os.close(freed)


WAITING = """
from mine.triggers import Says
from tradewind import DAG, task
from airflow.sdk import BaseOperator

class Waits(BaseOperator):
    def execute(self, context):
        self.defer(trigger=Says(), method_name="back")
    def back(self, context, event):
        return event

with DAG("d"):
    Waits(task_id="waits")
"""
TRIGGERS = """
from airflow.triggers.base import BaseTrigger, TriggerEvent
from mine.words import WORD

class Says(BaseTrigger):
    def serialize(self):
        return "mine.triggers.Says", {}
    async def run(self):
        yield TriggerEvent(WORD)
"""


def test_triggers_come_from_the_commit_of_their_run(tmp_path, sqlite_url):
    repository = Repository(tmp_path / "repository")
    settings = {
        "TRADEWIND__DAG_PROCESSOR__DAG_BUNDLE": f"git+{repository.url}",
        "TRADEWIND__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    }
    repository.commit({"d.py": WAITING, "mine/triggers.py": TRIGGERS, "mine/words.py": "WORD = 'old'\n"})
    with Installation(tmp_path / "home", sqlite_url, settings) as place, closing(Database(sqlite_url)) as database:
        place.start_scheduler()
        place.wait_for_dags("d")
        place.run("dags", "unpause", "d")
        said = {}
        for word in ("old", "new"):
            commit = repository.commit({"mine/words.py": f"WORD = {word!r}\n", "mine/count.txt": word})
            wait_until(partial(is_newest, database, f"git-{commit}"), 30)
            run_id = place.trigger("d")
            assert place.wait_for_run("d", run_id) == "success", place.task_log("d", run_id, "waits")
            with database.read() as tx:
                (found,) = xcoms.find_xcoms(tx, "d", run_id, ["waits"], "return_value", -1)
            said[word] = found.value

    assert said == {"old": '"old"', "new": '"new"'}
