"""Which fixtures do all tests share? Real databases and servers, a home of one's own, and waiting with a deadline.

``TEST_POSTGRES_URL`` and ``TEST_REDIS_URL`` name servers to use instead of private ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.databases import PostgresTemplates, SqliteTemplates
from tests.support.lock_order import LockLog, lock_log
from tests.support.servers import address_of, leave, share_between_workers
from tests.support.waiting import wait_until as _wait_until
from tradewind.metadata.database import Database

# No law is a timed test. In CI hypothesis chooses a profile of its own, without chance; the rest of it stays.
_PROFILE = settings.get_current_profile_name()
settings.register_profile(_PROFILE, settings.get_profile(_PROFILE), deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    share_between_workers()


def pytest_unconfigure(config: pytest.Config) -> None:
    leave()


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith(("TRADEWIND__", "AIRFLOW__")) or name in ("TRADEWIND_HOME", "AIRFLOW_HOME"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def _locks() -> Iterator[LockLog]:
    with lock_log() as log:
        yield log


@pytest.fixture(autouse=True)
def _locks_are_taken_in_order(_locks: LockLog) -> Iterator[None]:
    """Fail whatever test makes a transaction lock rows in another order than all others: that is a deadlock to come."""
    _locks.violations.clear()
    yield
    assert not _locks.violations, "\n".join(dict.fromkeys(_locks.violations))


@pytest.fixture
def wait_until() -> Callable[..., object]:
    """``wait_until(predicate, timeout=10.0, what="")``: for outside processes that give no event."""
    return _wait_until


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh TRADEWIND_HOME with an empty ``dags`` folder, set in the environment."""
    folder = tmp_path / "home"
    (folder / "dags").mkdir(parents=True)
    monkeypatch.setenv("TRADEWIND_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The address of a PostgreSQL server on which databases may be created."""
    return os.environ.get("TEST_POSTGRES_URL") or address_of("postgres")


@pytest.fixture(scope="session")
def postgres_templates(postgres_server: str) -> Iterator[PostgresTemplates]:
    templates = PostgresTemplates(postgres_server)
    yield templates
    templates.close()


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplates:
    return SqliteTemplates(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture
def postgres_url(postgres_templates: PostgresTemplates) -> Iterator[str]:
    """The URL of a fresh, migrated PostgreSQL database."""
    with postgres_templates.migrated() as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres_templates: PostgresTemplates) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database without tables."""
    with postgres_templates.empty() as url:
        yield url


@pytest.fixture
def sqlite_url(sqlite_templates: SqliteTemplates, tmp_path: Path) -> str:
    """The URL of a fresh, migrated SQLite database."""
    return sqlite_templates.make(tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated metadata DB; the test runs once for each kind of database."""
    url = request.getfixturevalue(f"{request.param}_url")
    assert isinstance(url, str)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated metadata DB; the test runs once for each kind of database."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def own_redis_url(worker_id: str) -> str:
    """The URL of the Redis database of this worker's own: the one given, or those after it."""
    server, _, first = (os.environ.get("TEST_REDIS_URL") or f"{address_of('redis')}/0").rpartition("/")
    worker = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    return f"{server}/{int(first) + worker}"


@pytest.fixture
def redis_url(own_redis_url: str) -> Iterator[str]:
    """The same, empty."""
    import redis  # not installed with the core; only tests that ask for it need it

    client = redis.Redis.from_url(own_redis_url)
    client.flushdb()
    yield own_redis_url
    client.close()
