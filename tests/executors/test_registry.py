"""Does ``[core] executor`` lead to the executors that it names, and does a wrong name say the mend?"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

import pytest

from executors.base import ExecutorHost
from executors.control_plane import SqlControlPlane
from executors.registry import make_executors
from tradewind.config import load_config, with_secrets
from tradewind.config.executor_names import ExecutorName, executor_names, spellings
from tradewind.errors import UsageError
from tradewind.metadata.database import Database

OWN = """
    class Quiet:
        supervisor_id = None
        def __init__(self, host): self.name = host.name
        def start(self, report): pass
        def capacity(self): return 1
        def submit(self, orders): pass
        def cancel(self, attempt_ids): pass
        def stop(self, grace_seconds): pass

    class Nameless(Quiet):
        def __init__(self, host): self.name = "somebody"

    class Idle:
        def __init__(self, host): self.name = host.name

    class Demanding(Quiet):
        def __init__(self, host, more): self.name = host.name
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module ``quiet_executors``, and a package whose entry point leads to it."""
    site = tmp_path / "site"
    info = site / "quiet-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "quiet_executors.py").write_text(dedent(OWN))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quiet\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tradewind.executors]\nQuietExecutor = quiet_executors:Quiet\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "quiet_executors", raising=False)
    importlib.invalidate_caches()


def made(names: str, home: Path, url: str):
    config = with_secrets(load_config({**os.environ, "TRADEWIND__CORE__EXECUTOR": names}, home))
    database = Database(url)
    try:
        return make_executors(ExecutorHost("", config, uuid4(), SqlControlPlane(database, config)))
    finally:
        database.close()


def test_several_executors_are_made_in_order_each_under_its_name(own, home, sqlite_url):
    names = "CeleryExecutor, LocalExecutor, small:LocalExecutor, QuietExecutor, mine:quiet_executors.Quiet"

    executors = made(names, home, sqlite_url)

    assert list(executors) == ["CeleryExecutor", "LocalExecutor", "small", "QuietExecutor", "mine"]
    assert [one.name for one in executors.values()] == list(executors)
    assert [type(one).__name__ for one in executors.values()] == [
        "CeleryExecutor", "LocalExecutor", "LocalExecutor", "Quiet", "Quiet",
    ]  # fmt: skip
    for one in executors.values():
        one.stop(0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("QuietExecuter", "neither built in nor brought by an installed package. Did you mean 'QuietExecutor'?"),
        ("no_such_module.Executor", "there is no module no_such_module"),
        ("quiet_executors.Quit", "the module quiet_executors has no 'Quit'"),
        ("quiet_executors.Nameless", "calls itself 'somebody'"),
        ("quiet_executors.Idle", "has no supervisor_id, start, capacity, submit, cancel, stop: it is no executor"),
        ("quiet_executors.Demanding", "must be a class or a function that takes one ExecutorHost"),
    ],
)
def test_what_is_no_executor_is_refused_with_the_mend(own, home, sqlite_url, name, message):
    with pytest.raises(UsageError) as error:
        made(name, home, sqlite_url)

    assert message in str(error.value)


def test_airflows_paths_lead_to_the_executors_that_are_built_in():
    names = executor_names(
        "airflow.providers.celery.executors.celery_executor.CeleryExecutor,"
        "near:airflow.executors.local_executor.LocalExecutor"
    )

    assert names == (ExecutorName("CeleryExecutor", "CeleryExecutor"), ExecutorName("near", "LocalExecutor"))


def test_a_task_may_write_the_alias_the_class_or_the_path():
    meant = spellings(executor_names("CeleryExecutor,big:my_company.executors.BigExecutor"))

    assert meant["big"] == meant["BigExecutor"] == meant["my_company.executors.BigExecutor"] == "big"
    assert meant["CeleryExecutor"] == "CeleryExecutor"
    assert meant["airflow.providers.celery.executors.celery_executor.CeleryExecutor"] == "CeleryExecutor"


def test_a_name_goes_before_the_class_of_another():
    meant = spellings(executor_names("fast:LocalExecutor,LocalExecutor"))

    assert (meant["fast"], meant["LocalExecutor"]) == ("fast", "LocalExecutor")
