"""The web application of the tests of ``webui``, for the paths and pages about assets; and one database."""

from collections.abc import Iterator

import pytest

from tests.webui.conftest import app, call, client, config, log_in
from tradewind.metadata.database import Database

__all__ = ["app", "call", "client", "config", "log_in"]


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """A fresh metadata DB, where it does not matter which."""
    database = Database(sqlite_url)
    yield database
    database.close()
