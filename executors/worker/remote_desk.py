"""How is a task answered on a worker that speaks HTTPS? By the control plane, asked until it answers or time is up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from executors.bundles.folders import BundleFolders
from executors.given_values import given_connection, given_variable
from executors.runner.desk import FileDesk
from executors.runner.protocol import (
    Answer,
    AskAboutRuns,
    ConnectionAnswer,
    DeleteVariable,
    Done,
    GetConnection,
    GetVariable,
    Refused,
    Request,
    RunsAnswer,
    Text,
)
from executors.worker.http_door import HttpDoor, NotSent
from executors.worker.link import LinkLost
from executors.worker.talk import (
    Answered,
    Ask,
    Contents,
    FileList,
    GetContents,
    GetManifest,
    GetSource,
    SourceText,
    WorkerAnswer,
    WorkerRequest,
)
from tradewind.errors import TradewindError
from tradewind.model.bundles import Manifest, decode_manifest
from tradewind.model.orders import AttemptOrder
from tradewind.sdk.run_questions import RunAnswer, Triggered, TriggerRun

log = logging.getLogger(__name__)

A = TypeVar("A")

PAUSE_SECONDS: Final = 0.1
"""How soon the control plane is asked again; twice as long each time, up to the next."""
MAX_PAUSE_SECONDS: Final = 2.0
LEASES: Final = 2.0
"""How many times the lease a task waits for an answer. After one without a word its attempt counts as lost anyway."""


class Persistence:
    """Asks the control plane again and again while it is away, for as long as a task may wait."""

    def __init__(self, door: HttpDoor) -> None:
        self._door = door
        self._is_over = threading.Event()
        self.worker_id: UUID | None = None
        """The lease under which is asked."""
        self.patience_seconds = 60.0

    def begin(self, worker_id: UUID, lease_seconds: float) -> None:
        """Ask from now on under this lease."""
        self.worker_id = worker_id
        self.patience_seconds = LEASES * lease_seconds
        self._is_over.clear()

    def end(self) -> None:
        """Wait for nothing any more: the worker ends."""
        self._is_over.set()

    def ask(self, make: Callable[[UUID], WorkerRequest]) -> tuple[WorkerAnswer, bool]:
        """Return the answer, and whether the control plane may have heard the question before it answered one.

        Raises:
            LinkLost: nobody answered for all that time.
            TradewindError: the answer is no.
        """
        if self.worker_id is None:
            raise TradewindError("This worker has not been let in by its control plane, so its tasks cannot ask it.")
        request = make(self.worker_id)
        may_be_heard = False
        began = time.monotonic()
        for pause in _pauses():
            try:
                return self._door.say(request), may_be_heard
            except LinkLost as error:
                may_be_heard = may_be_heard or not isinstance(error, NotSent)
                if time.monotonic() - began + pause > self.patience_seconds or self._is_over.wait(pause):
                    raise LinkLost(
                        f"{error} It was asked for {time.monotonic() - began:.0f} s; what was wanted is not known to "
                        "have been done."
                    ) from error
        raise AssertionError("The pauses do not end.")


def _pauses() -> Iterator[float]:
    pause = PAUSE_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, MAX_PAUSE_SECONDS)


class RemoteFiles:
    """A :class:`executors.runner.desk.FileStore` that is the control plane's."""

    def __init__(self, persistence: Persistence) -> None:
        self._persistence = persistence

    def load_source(self, version_id: int) -> bytes:
        """Return the DAG file of a version, byte for byte."""
        return self._get(lambda me: GetSource(me, version_id), SourceText).text

    def load_manifest(self, bundle: str) -> Manifest:
        """Return which files a bundle holds."""
        return decode_manifest(self._get(lambda me: GetManifest(me, bundle), FileList).data)

    def load_contents(self, bundle: str, digests: Sequence[str]) -> Mapping[str, bytes]:
        """Return files of a bundle by their digests."""
        return self._get(lambda me: GetContents(me, bundle, tuple(digests)), Contents).files

    def _get(self, make: Callable[[UUID], WorkerRequest], kind: type[A]) -> A:
        answer, _ = self._persistence.ask(make)
        return expect(answer, kind)


class RemoteDesk(FileDesk):
    """A :class:`executors.runner.desk.Desk` for tasks of a worker that has no way to the metadata DB.

    A variable or connection that the environment of the worker gives goes before the one of the control plane.
    """

    def __init__(
        self,
        persistence: Persistence,
        dag_folder: Path,
        environ: Mapping[str, str],
        bundles: BundleFolders | None = None,
    ) -> None:
        """
        Args:
            dag_folder: where DAG files are on this machine, if there are any.
            environ: where variables and connections are looked up first.
            bundles: where the DAG folder is as it was when runs began.
        """
        super().__init__(RemoteFiles(persistence), dag_folder, bundles)
        self._persistence, self._environ = persistence, environ

    def answer(self, order: AttemptOrder, request: Request) -> Answer:
        """Return the answer to one request of an attempt."""
        try:
            return self._given(request) or self._ask(order, request)
        except TradewindError as error:
            return Refused(str(error))
        except Exception as error:  # one task's question must not end the others: it is told, and logged here
            log.exception("%s of task %s of DAG %s failed.", type(request).__name__, order.task_id, order.dag_id)
            return Refused(f"{type(request).__name__} failed in the worker: {type(error).__name__}: {error}")

    def _given(self, request: Request) -> Answer | None:
        """Return what the environment of this worker gives."""
        if isinstance(request, GetVariable) and (value := given_variable(self._environ, request.key)) is not None:
            return Text(value)
        if isinstance(request, GetConnection) and (found := given_connection(self._environ, request.conn_id)):
            return ConnectionAnswer(found)
        return None

    def _ask(self, order: AttemptOrder, request: Request) -> Answer:
        answer, may_be_heard = self._persistence.ask(
            lambda me: Ask(me, order.attempt_id, order.fence, request),
        )
        told = expect(answer, Answered).answer
        return _first_answer(request, told) if may_be_heard else told


def _first_answer(request: Request, told: Answer) -> Answer:
    """Return what the answer would have been, had it not got lost the first time that this was asked.

    All else may be done twice. Only a run that is there already may well be the one that this very question has made,
    and a variable that is not there the one that it has deleted.
    """
    if isinstance(request, DeleteVariable) and isinstance(told, Done):
        return Done()
    if not isinstance(request, AskAboutRuns) or not isinstance(request.question, TriggerRun):
        return told
    if isinstance(told, RunsAnswer) and (there := told.answer.triggered) is not None and not there.is_new:
        return RunsAnswer(RunAnswer(triggered=Triggered(there.run_id)))
    return told


def expect(answer: WorkerAnswer, kind: type[A]) -> A:
    """Return an answer that must be of this kind.

    Raises:
        TradewindError: it is another.
    """
    if not isinstance(answer, kind):
        raise TradewindError(
            f"The control plane answered {type(answer).__name__} where {kind.__name__} was expected. It is of another "
            "version than this worker: upgrade the web servers first, then the workers."
        )
    return answer
