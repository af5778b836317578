"""Fixtures of the tests of the triggerer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler.triggerer.host import Triggerer
from tests.triggerer.bench import Bench
from tradewind.config import Config, load_config, with_secrets
from tradewind.metadata.database import Database


@pytest.fixture
def config(home: Path, database_url: str) -> Config:
    environ = {
        "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "TRADEWIND__SCHEDULER__LEASE_SECONDS": "3",
        "TRADEWIND__SCHEDULER__POLL_SECONDS": "0.2",
        "TRADEWIND_HOME": str(home),
    }
    return with_secrets(load_config(environ, home))


@pytest.fixture
def bench(database: Database, config: Config) -> Bench:
    made = Bench(database, config)
    made.write_module()
    return made


@pytest.fixture
def start(database: Database, config: Config) -> Iterator[Callable[..., Triggerer]]:
    """``start(capacity=...)`` gives a running triggerer; all are stopped at the end."""
    running: list[Triggerer] = []

    def make(**given: object) -> Triggerer:
        made = Triggerer(config, database, **given)  # type: ignore[arg-type]
        running.append(made)
        made.start()
        return made

    yield make
    for triggerer in running:
        triggerer.stop()
