"""How does a worker reach the control plane over HTTPS? By a web server, with a token: no database, no keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from executors.bundles.folders import BundleFolders
from executors.runner.desk import Desk
from executors.worker.http_door import HttpDoor, TooLarge
from executors.worker.remote_desk import Persistence, RemoteDesk, expect
from executors.worker.talk import (
    Claim,
    Done,
    Found,
    Leave,
    Look,
    Orders,
    Register,
    Report,
    Welcome,
    WorkerFacts,
    WorkerRequest,
)
from tradewind.config import Config
from tradewind.model.orders import AttemptEnded, AttemptOrder, Fact, Outcome

A = TypeVar("A")


class HttpLink:
    """A :class:`executors.worker.link.WorkerLink` over HTTPS, for workers that may not have the metadata DB."""

    def __init__(self, config: Config, environ: Mapping[str, str] | None = None) -> None:
        """
        Args:
            environ: where variables and connections are looked up first; None: that of this process.

        Raises:
            UsageError: address, token or certificates are not such that a worker can work with them.
        """
        self._door: Final = HttpDoor(config)
        self._persistence: Final = Persistence(self._door)
        self.desk: Desk = RemoteDesk(
            self._persistence,
            config.core.dags_folder.absolute(),
            os.environ if environ is None else environ,
            BundleFolders(config),
        )

    def register(self, worker_id: UUID, facts: WorkerFacts) -> Welcome:
        """Begin a lease."""
        welcome = self._say(Register(worker_id, facts), Welcome)
        self._persistence.begin(worker_id, welcome.lease_seconds)
        return welcome

    def claim(self, worker_id: UUID, attempt_ids: Sequence[UUID]) -> Sequence[AttemptOrder]:
        """Take these attempts; return the orders of those that were still to be had."""
        return self._say(Claim(worker_id, tuple(attempt_ids)), Orders).orders

    def look(self, worker_id: UUID, facts: WorkerFacts, *, free: int, running: Sequence[UUID], is_beat: bool) -> Found:
        """Take queued work for ``free`` slots, and hear what is not wanted any more."""
        return self._say(Look(worker_id, facts, free, tuple(running), is_beat), Found)

    def report(self, worker_id: UUID, facts: Sequence[Fact]) -> None:
        """Store what became of attempts. What is too much for one message goes in several."""
        try:
            self._say(Report(worker_id, tuple(facts)), Done)
        except TooLarge as error:
            if len(facts) > 1:
                self.report(worker_id, facts[: len(facts) // 2])
                self.report(worker_id, facts[len(facts) // 2 :])
                return
            self._say(Report(worker_id, (_lightened(facts[0], error),)), Done)

    def leave(self, worker_id: UUID) -> None:
        """End the lease at once. Tasks that still wait for an answer get none."""
        self._persistence.end()
        self._say(Leave(worker_id), Done)

    def close(self) -> None:
        """Close the connections."""
        self._persistence.end()
        self._door.close()

    def ringing(self, on_ring: Callable[[], None]) -> AbstractContextManager[None]:
        """Nothing rings: the broker tells of work, and the looks of the worker find what it did not tell of."""
        return nullcontext()

    def _say(self, request: WorkerRequest, kind: type[A]) -> A:
        return expect(self._door.say(request), kind)


def _lightened(fact: Fact, why: TooLarge) -> Fact:
    """Return a fact that can be sent in place of one that is too large by itself.

    What a task leaves behind is part of its success: without it the task has failed, and would fail again.
    """
    light: Fact = msgspec.structs.replace(fact, rendered=None)
    if not isinstance(light, AttemptEnded) or (fact.rendered is not None and not _leaves_much(light)):
        return light
    told = f"{light.error}; also, w" if light.error else "W"
    return msgspec.structs.replace(
        light,
        outcome=Outcome.FAILED,
        may_retry=False,
        died=light.outcome is not Outcome.FAILED,  # it has called nobody back who waits for a failure
        xcoms=(),
        then=None,
        error=f"{told}hat it leaves behind cannot be sent: {why} Or let large XComs go to [core] xcom_object_store.",
    )


def _leaves_much(fact: AttemptEnded) -> bool:
    return bool(fact.xcoms) or fact.then is not None
