"""What do the tests of executors share? A workbench on a real executor and a real metadata DB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from executors.control_plane import SqlControlPlane
from executors.local import LocalExecutor
from tests.executors.workbench import Workbench
from tradewind.config import Config, load_config, with_secrets
from tradewind.metadata.database import Database

MakeWorkbench = Callable[..., Workbench]


@pytest.fixture
def make_config(home: Path, sqlite_url: str) -> Callable[..., Config]:
    """``make_config(WORKERS__WARM_DAG_FILES="1")``: a configuration with these options changed."""

    def make(**options: str) -> Config:
        changed = {f"TRADEWIND__{name}": value for name, value in options.items()}
        defaults = {
            "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": sqlite_url,
            "TRADEWIND__WORKERS__CANCEL_GRACE_SECONDS": "5",
        }
        return with_secrets(load_config({**os.environ, **defaults, **changed}, home))

    return make


@pytest.fixture
def make_bench(make_config: Callable[..., Config]) -> Iterator[MakeWorkbench]:
    """``make_bench(environ={...}, **options)``: a started workbench on a LocalExecutor, stopped at the end."""
    benches: list[tuple[Workbench, Database]] = []

    def make(environ: dict[str, str] | None = None, **options: str) -> Workbench:
        config = make_config(**options)
        database = Database(config.database.sql_alchemy_conn)
        plane = SqlControlPlane(database, config, os.environ if environ is None else environ)
        executor = LocalExecutor(config, plane, uuid4(), environ={**os.environ, **(environ or {})})
        benches.append((Workbench(config, executor).start(), database))
        return benches[-1][0]

    yield make
    for bench, database in benches:
        bench.executor.stop(1)
        database.close()


@pytest.fixture
def bench(make_bench: MakeWorkbench) -> Workbench:
    """A started workbench on a LocalExecutor with the usual options."""
    return make_bench()
