"""Fixtures of the tests of hooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack


@pytest.fixture
def stack(database_url: str, home: Path) -> Iterator[Stack]:
    """A real installation on each kind of database, without a scheduler running yet."""
    made = Stack(home, database_url)
    yield made
    made.tell()
    made.stop()
