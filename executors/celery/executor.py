"""How are tasks run on other machines? ``CeleryExecutor``: it rings, workers claim in the metadata DB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from executors.base import ExecutorHost, Report
from executors.celery.app import broker_queue, make_app, safe_broker
from executors.celery.publisher import Publisher
from tradewind.config import Config
from tradewind.model.orders import AttemptOrder

FLUSH_SECONDS: Final = 2.0
"""How long the end of a scheduler waits for its last messages. Workers find what was not said."""


class CeleryExecutor:
    """An :class:`executors.base.Executor` whose attempts are run by ``tradewind celery worker``, wherever that is."""

    supervisor_id: UUID | None = None

    def __init__(self, config: Config, *, name: str = "CeleryExecutor") -> None:
        self.name = name
        self._publisher: Final = Publisher(make_app(config), safe_broker(config))

    def start(self, report: Report) -> None:
        self._publisher.start()  # workers report into the inbox

    def capacity(self) -> int | None:
        return None  # workers come and go; what finds no free slot waits in its queue

    def submit(self, orders: Sequence[AttemptOrder]) -> None:
        self._publisher.tell((order.attempt_id, broker_queue(self.name, order.queue)) for order in orders)

    def cancel(self, attempt_ids: Sequence[UUID]) -> None:
        if attempt_ids:
            self._publisher.look()  # which ones: the metadata DB says so, to the worker that has them

    def stop(self, grace_seconds: float) -> None:
        self._publisher.close(min(grace_seconds, FLUSH_SECONDS))


def make(host: ExecutorHost) -> CeleryExecutor:
    """Return a CeleryExecutor."""
    return CeleryExecutor(host.config, name=host.name)
