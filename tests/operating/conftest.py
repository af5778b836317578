"""What do these tests share? A small DAG, and a home whose configuration commands read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.world import dag, store, task
from tradewind.config import Config, load_config
from tradewind.metadata.database import Database


@pytest.fixture
def etl(database: Database) -> int:
    """The version of a DAG with a chain of three tasks."""
    return store(database, dag("etl", task("a"), task("b", "a"), task("c", "b"), max_active_runs=50))


@pytest.fixture
def config(home: Path) -> Config:
    """The settings of a fresh installation."""
    return load_config(os.environ)


@pytest.fixture
def embedded(sqlite_url: str) -> Iterator[Database]:
    """A fresh, migrated SQLite database: only there is a scheduler alone."""
    database = Database(sqlite_url)
    yield database
    database.close()
