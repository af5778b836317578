"""What does the control plane answer to workers? Each message of :mod:`executors.worker.talk`, done by SQL.

One object serves any number of workers, from any number of threads: in the process of a worker itself, or in a web
server on behalf of workers elsewhere.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from executors.bundles.folders import BundleFolders
from executors.control_plane import SqlControlPlane
from executors.runner.desk import ControlPlaneDesk
from executors.runner.protocol import Answer, Refused
from executors.worker.talk import (
    TALK_VERSION,
    Answered,
    Ask,
    Claim,
    Contents,
    Done,
    FileList,
    Found,
    GetContents,
    GetManifest,
    GetSource,
    Leave,
    Look,
    No,
    Orders,
    Register,
    Report,
    SourceText,
    Welcome,
    WorkerAnswer,
    WorkerFacts,
    WorkerRequest,
)
from tradewind.config import Config
from tradewind.errors import DagError
from tradewind.metadata import bundles, worker_queue
from tradewind.metadata.attempts import Timeouts, load_orders
from tradewind.metadata.clock import DatabaseClock
from tradewind.metadata.database import Database
from tradewind.model.bundles import CONTENT_AT_ONCE, FILES_AT_ONCE, encode_manifest
from tradewind.model.orders import AttemptOrder, Fact
from tradewind.model.states import AttemptState

KNOWN_ORDERS: Final = 2000
"""How many orders are kept in memory, for the questions that their tasks ask."""


class Serving:
    """Answers workers. Errors of the metadata DB are raised; whatever else is refused is an answer."""

    def __init__(self, database: Database, config: Config, environ: Mapping[str, str] | None = None) -> None:
        """
        Args:
            environ: where variables and connections are looked up first; None: that of this process.
        """
        self._database: Final = database
        self._plane: Final = SqlControlPlane(database, config, environ)
        self.desk: Final = ControlPlaneDesk(self._plane, config.core.dags_folder.absolute(), BundleFolders(config))
        self._lease: Final = timedelta(seconds=config.scheduler.lease_seconds)
        self._clock: DatabaseClock | None = None
        self._timeouts: Final = Timeouts()
        self._orders: Final[OrderedDict[UUID, AttemptOrder]] = OrderedDict()
        self._lock: Final = threading.Lock()

    def answer(self, request: WorkerRequest) -> WorkerAnswer:
        """Return the answer to one request."""
        match request:
            case Register():
                if not TALK_VERSION - 1 <= request.talk_version <= TALK_VERSION:
                    return No(
                        f"This control plane speaks with workers in version {TALK_VERSION}, and in the one before it; "
                        f"the worker on {request.facts.hostname} speaks {request.talk_version}. Run versions of "
                        "Tradewind on both sides that are next to each other."
                    )
                return self.register(request.worker_id, request.facts)
            case Claim():
                return Orders(tuple(self.claim(request.worker_id, request.attempt_ids)))
            case Look():
                return self.look(
                    request.worker_id,
                    request.facts,
                    free=request.free,
                    running=request.running,
                    is_beat=request.is_beat,
                )
            case Report():
                self.report(request.worker_id, request.facts)
                return Done()
            case Ask():
                return Answered(self._ask(request))
            case GetSource():
                return self._source(request)
            case GetManifest() | GetContents():
                return self._bundle(request)
            case Leave():
                self.leave(request.worker_id)
                return Done()

    def register(self, worker_id: UUID, facts: WorkerFacts) -> Welcome:
        """Begin a lease."""
        now = self._synchronised().now()
        with self._database.write() as tx:
            worker_queue.begin_lease(
                tx,
                worker_id,
                hostname=facts.machine or facts.hostname,
                pid=facts.pid,
                now=now,
                lease=self._lease,
                info=msgspec.to_builtins(facts),
            )
        return Welcome(self._lease.total_seconds(), now=now)

    def claim(self, worker_id: UUID, attempt_ids: Sequence[UUID]) -> list[AttemptOrder]:
        """Take attempts of which the broker has told; none without a lease."""
        with self._database.write() as tx:
            return self._load(tx, worker_queue.take_told(tx, worker_id, attempt_ids, self._now()))

    def look(self, worker_id: UUID, facts: WorkerFacts, *, free: int, running: Sequence[UUID], is_beat: bool) -> Found:
        """Take waiting work, tell what is not wanted any more, extend the lease.

        An attempt that is the worker's by the metadata DB, and that it does not know, is handed over again: it was
        taken, and the answer got lost. So nothing is lost with an answer but time.
        """
        if is_beat:
            self._synchronised()
        known = set(running)
        with self._database.write() as tx:
            now = self._now()
            if is_beat and not worker_queue.extend_lease(tx, worker_id, now, self._lease, msgspec.to_builtins(facts)):
                return Found(is_alive=False)
            if not is_beat and not worker_queue.hold_lease(tx, worker_id, now):
                return Found(is_alive=False)
            mine = worker_queue.attempts_of(tx, worker_id)
            again = [one for one, state in mine.items() if state is AttemptState.RUNNING and one not in known]
            told = worker_queue.ends_told(tx, again)  # no scheduler has come to it: that must cost no slot
            again = [one for one in again if one not in told]
            taken = worker_queue.take_waiting(tx, worker_id, facts.executor, facts.queues, free - len(again), now)
            orders = self._load(tx, [*again, *taken])
        unwanted = [one for one, state in mine.items() if state is AttemptState.CANCELLING]
        unwanted += [one for one in running if one not in mine]
        return Found(orders=tuple(orders), cancel=tuple(unwanted), now=now)

    def report(self, worker_id: UUID, facts: Sequence[Fact]) -> None:
        """Store what became of attempts of this worker."""
        with self._database.write() as tx:
            worker_queue.tell_facts(tx, worker_id, facts, self._now())

    def leave(self, worker_id: UUID) -> None:
        """End the lease; what the worker still has is told as lost."""
        with self._database.write() as tx:
            worker_queue.give_back(tx, worker_id, self._now())

    def _ask(self, request: Ask) -> Answer:
        with self._database.read() as tx:
            is_allowed = worker_queue.is_run_by(tx, request.attempt_id, request.fence, request.worker_id)
            order = self._known(tx, request.attempt_id) if is_allowed else None
        if order is None:
            return Refused(
                "This attempt is over: it was cleared, cancelled or taken for lost, or its worker is another one. What "
                "it asks or says counts no more."
            )
        return self.desk.answer_once(order, request.request)  # who asked over HTTPS asks again

    def _source(self, request: GetSource) -> WorkerAnswer:
        with self._database.read() as tx:
            is_needed = worker_queue.runs_version(tx, request.worker_id, request.version_id)
        if not is_needed:
            return No(
                f"Version {request.version_id} is of no DAG that this worker runs a task of now, so its DAG file is "
                "not given to it."
            )
        return SourceText(self._plane.load_source(request.version_id))

    def _bundle(self, request: GetManifest | GetContents) -> WorkerAnswer:
        with self._database.read() as tx:
            if not bundles.runs_of(tx, request.worker_id, request.bundle):
                return No(f"This worker runs no task in bundle {request.bundle} now, so its files are not given to it.")
            try:
                manifest = bundles.load_manifest(tx, request.bundle)
            except DagError as error:
                return No(str(error))
            if isinstance(request, GetManifest):
                return FileList(encode_manifest(manifest))
            own = {file.digest: file.size for file in manifest.files}
            wanted = [digest for digest in request.digests if digest in own]
            if len(wanted) > FILES_AT_ONCE or (len(wanted) > 1 and sum(map(own.__getitem__, wanted)) > CONTENT_AT_ONCE):
                return No(f"Files of bundle {request.bundle} were asked for that are too many for one answer.")
            return Contents(bundles.load_contents(tx, wanted))

    def _known(self, tx: Connection, attempt_id: UUID) -> AttemptOrder | None:
        with self._lock:
            order = self._orders.get(attempt_id)
        if order is not None:
            return order
        loaded = self._load(tx, [attempt_id])
        return loaded[0] if loaded else None

    def _load(self, tx: Connection, ids: Sequence[UUID]) -> list[AttemptOrder]:
        orders = load_orders(tx, ids, self._timeouts) if ids else []
        with self._lock:
            for order in orders:
                self._orders[order.attempt_id] = order
            while len(self._orders) > KNOWN_ORDERS:
                self._orders.popitem(last=False)
        return orders

    def _now(self) -> datetime:
        return (self._clock or self._synchronised()).now()

    def _synchronised(self) -> DatabaseClock:
        if self._clock is None:
            self._clock = DatabaseClock(self._database)
        else:
            self._clock.synchronise()
        return self._clock
