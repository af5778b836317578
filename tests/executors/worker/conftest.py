"""What do the tests of workers share? A yard on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from executors.worker import host
from tests.executors.worker.yard import Yard
from tradewind.config import load_config, with_secrets
from tradewind.metadata.database import Database


@pytest.fixture
def yard(home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """A yard without anybody in it yet. Workers look more often than they do in earnest."""
    monkeypatch.setattr(host, "LOOK_SECONDS", 0.2)
    settings = {
        "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": postgres_url,
        "TRADEWIND__SCHEDULER__LEASE_SECONDS": "3",
        "TRADEWIND__SCHEDULER__POLL_SECONDS": "1",
        "TRADEWIND__WORKERS__CANCEL_GRACE_SECONDS": "2",
    }
    config = with_secrets(load_config({**os.environ, **settings}, home))
    with closing(Database(postgres_url)) as database:
        yard = Yard(config, database)
        yield yard
        yard.close()
