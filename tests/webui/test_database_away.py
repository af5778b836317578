"""What does a reader get while the metadata DB is away? An answer that says so, in time, and no page of errors."""

from __future__ import annotations

from contextlib import closing

import pytest

from tradewind.metadata.database import Database
from webui import app as web_app
from webui.app import create_app


@pytest.fixture
def client(config, postgres_url, monkeypatch):
    monkeypatch.setattr(web_app, "PATIENCE_SECONDS", 0.2)
    with closing(Database(postgres_url.replace("/t_", "/gone_"))) as gone:
        yield create_app(config, gone).test_client()


@pytest.mark.parametrize("path", ["/dags", "/api/v2/dags"])
def test_pages_and_clients_are_told_to_come_again(client, path):
    answer = client.get(path, headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "The metadata DB does not answer now. Try again in a moment." in answer.text


def test_who_wants_something_done_is_told_that_it_was_not(client):
    answer = client.post("/auth/token", json={"username": "u", "password": "p"})
    assert answer.status_code == 503
    assert answer.get_json()["detail"].endswith("What had begun was undone; try again.")


def test_probes_are_answered_all_the_same(client):
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz", headers={"Authorization": "Bearer x"})
    assert (ready.status_code, ready.get_json()["ready"]) == (503, False)
    assert client.get("/api/v2/monitor/health").get_json()["metadatabase"]["status"] == "unhealthy"
    assert client.get("/health").status_code == 503
