"""What do the tests of logs share? Stores of both kinds, a real S3 server, and a workbench whose logs are shipped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from executors.control_plane import SqlControlPlane
from executors.local import LocalExecutor
from executors.logs.store import LogStore, open_store
from tests.executors.workbench import Workbench
from tests.support.s3_server import BUCKET, S3Server, running_s3
from tradewind.config import load_config, with_secrets
from tradewind.metadata.database import Database


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server that speaks S3, for all tests of this process."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_url(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place in its bucket that no other test uses. The environment says how to reach it."""
    for name, value in s3_server.environ.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}"


@pytest.fixture(params=["folder", "s3"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty log store; the test runs once for each kind."""
    return str(request.getfixturevalue("s3_url")) if request.param == "s3" else str(tmp_path / "store")


@pytest.fixture
def store(store_url: str) -> LogStore:
    return open_store(store_url)


MakeBench = Callable[..., Workbench]


@pytest.fixture
def make_bench(home: Path, sqlite_url: str) -> Iterator[MakeBench]:
    """``make_bench(LOGGING__REMOTE_BASE_LOG_FOLDER=...)``: a workbench on a LocalExecutor, stopped at the end."""
    benches: list[tuple[Workbench, Database]] = []

    def make(**options: str) -> Workbench:
        changed = {f"TRADEWIND__{name}": value for name, value in options.items()}
        config = with_secrets(
            load_config({**os.environ, "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": sqlite_url, **changed}, home)
        )
        database = Database(sqlite_url)
        executor = LocalExecutor(config, SqlControlPlane(database, config), uuid4())
        benches.append((Workbench(config, executor), database))
        return benches[-1][0].start()

    yield make
    for bench, database in benches:
        bench.executor.stop(1)
        database.close()
