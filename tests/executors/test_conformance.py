"""Do the executors keep the contract of ``executors.base``? The suite that ships, on each of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from executors.conformance import ExecutorContract, Installation
from executors.runner import attempts
from tests.executors.installed import a_celery_worker, a_web_server
from tests.executors.worker.control import TOKEN
from tests.executors.worker.test_https import write_certificate
from tests.support.databases import PostgresTemplates
from tests.webui.processes import free_port


class TestLocalExecutor(ExecutorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def installation(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
        with Installation(tmp_path_factory.mktemp("local")) as installation:
            yield installation

    def test_the_start_of_a_short_attempt_is_not_told_by_itself(self, bench, monkeypatch):
        monkeypatch.setattr(attempts, "HOLD_BACK_SECONDS", 30.0)  # any attempt is short now
        order = bench.order("good")
        bench.submit(order)

        ended = bench.end_of(order)

        assert bench.facts_of(order) == [ended]
        assert ended.started_at is not None

    def test_capacity_is_the_parallelism_of_the_configuration(self, bench):
        assert bench.executor.capacity() == bench.installation.config.core.parallelism


class TestCeleryExecutor(ExecutorContract):
    """On PostgreSQL, with Redis between the executor and a worker in a process of its own."""

    @pytest.fixture(scope="class")
    @classmethod
    def installation(
        cls, tmp_path_factory: pytest.TempPathFactory, own_redis_url: str, postgres_templates: PostgresTemplates
    ) -> Iterator[Installation]:
        folder: Path = tmp_path_factory.mktemp("celery")
        settings = {"CELERY__BROKER_URL": own_redis_url}
        with (
            postgres_templates.migrated() as url,
            Installation(folder, "CeleryExecutor", settings, url) as installation,
        ):
            with a_celery_worker(installation):
                yield installation


class TestCeleryExecutorOverHttps(ExecutorContract):
    """The same, and the worker knows neither the metadata DB nor the keys: only a web server, and a token for it."""

    @pytest.fixture(scope="class")
    @classmethod
    def installation(
        cls, tmp_path_factory: pytest.TempPathFactory, own_redis_url: str, postgres_templates: PostgresTemplates
    ) -> Iterator[Installation]:
        folder, far = tmp_path_factory.mktemp("near"), tmp_path_factory.mktemp("far")
        cert, key = write_certificate(far)
        port = free_port()
        broker = {"CELERY__BROKER_URL": own_redis_url}
        served = {"API__SSL_CERT": str(cert), "API__SSL_KEY": str(key), "WORKERS__TOKEN": TOKEN, "API__PORT": str(port)}
        remote = {
            "WORKERS__CONTROL_PLANE": f"https://127.0.0.1:{port}",
            "WORKERS__CA_FILE": str(cert),
            "WORKERS__TOKEN": TOKEN,
        }
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("TRADEWIND", "AIRFLOW"))}
        environ |= {f"TRADEWIND__{name}": value for name, value in {**broker, **remote}.items()}
        environ["TRADEWIND_HOME"] = str(far)
        with (
            postgres_templates.migrated() as url,
            Installation(folder, "CeleryExecutor", broker | served, url) as installation,
            a_web_server(installation),
            a_celery_worker(installation, environ),
        ):
            yield installation
