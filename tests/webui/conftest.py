"""A web application over a real, migrated database, and clients of every role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webui.seed import Seed
from tradewind.config import Config, load_config, with_secrets
from tradewind.metadata.database import Database
from tradewind.metadata.users import create_user
from webui.app import create_app
from webui.auth.passwords import hash_password

PASSWORD = "correct horse"
TOKEN_PATH = "/auth/token"
HASH = hash_password(PASSWORD)


@pytest.fixture
def config(home: Path) -> Config:
    return with_secrets(load_config({}, home))


@pytest.fixture
def app(config: Config, database: Database) -> Iterator[Flask]:
    """The application; each test runs on SQLite and on PostgreSQL."""
    with database.write() as tx:
        for role in ("viewer", "user", "op", "admin"):
            create_user(tx, role, HASH, role, datetime.now(UTC))
    app = create_app(config, database)
    app.testing = True
    yield app
    app.extensions["tradewind"].hub.close()


@pytest.fixture
def seed(database: Database, config: Config) -> Seed:
    return Seed(database, config.logging.base_log_folder, datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def log_in(app: Flask) -> Callable[[str], FlaskClient]:
    """``log_in("viewer")`` gives a client of that role."""

    def make(role: str) -> FlaskClient:
        client = app.test_client()
        answer = client.post("/login", data={"username": role, "password": PASSWORD})
        assert answer.status_code == 302
        return client

    return make


@pytest.fixture
def client(log_in: Callable[[str], FlaskClient]) -> FlaskClient:
    """An administrator."""
    return log_in("admin")


@pytest.fixture
def call(app: Flask) -> Callable[..., tuple[int, Any]]:
    """Call the API as a client with a token, and return status and body."""
    client = app.test_client()
    token = client.post(TOKEN_PATH, json={"username": "user", "password": PASSWORD}).get_json()["access_token"]

    def call(method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
        answer = client.open(f"/api/v2{path}", method=method, headers={"Authorization": f"Bearer {token}"}, **kwargs)
        return answer.status_code, answer.get_json()

    return call


def csrf_of(page: str) -> str:
    """Return the token that a page's forms carry."""
    return page.split('data-csrf="')[1].split('"')[0]
