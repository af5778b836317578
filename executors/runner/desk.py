"""Who answers what tasks ask for? The desk: each request becomes a call of the control plane, in a worker thread."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from executors.bundles.folders import BundleFolders
from executors.control_plane import ControlPlane
from executors.patient_files import PatientFiles
from executors.runner.protocol import (
    Answer,
    AskAboutRuns,
    AskAssets,
    AssetsAnswer,
    ConnectionAnswer,
    Count,
    CountXComs,
    DeleteVariable,
    Done,
    GetConnection,
    GetPreviousSuccess,
    GetVariable,
    GetXCom,
    GetXComRange,
    PreviousAnswer,
    PushXCom,
    Refused,
    Request,
    RunsAnswer,
    SetVariable,
    Text,
    XComs,
)
from executors.runner.source import Source
from tradewind.errors import TradewindError
from tradewind.metadata.again import again
from tradewind.metadata.database import DATABASE_ERRORS, in_words
from tradewind.model.bundles import Manifest
from tradewind.model.orders import AttemptOrder
from tradewind.model.parsed import source_digest

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
"""How long a task waits for the metadata DB: longer than a restart, or a failover to another server, takes."""


class Desk(Protocol):
    """Answers tasks. Its methods block, are called from several threads, and never raise."""

    def answer(self, order: AttemptOrder, request: Request) -> Answer:
        """Return the answer to one request of an attempt."""

    def find_source(self, order: AttemptOrder) -> Source | str:
        """Return the DAG file as it was when the run was made; or, in words, why it cannot be had."""


class FileStore(Protocol):
    """Where DAG files are to be had as they were. Its methods block, and raise when they are not."""

    def load_source(self, version_id: int) -> bytes:
        """Return the DAG file of a version, byte for byte."""

    def load_manifest(self, bundle: str) -> Manifest:
        """Return which files a bundle holds. Raises :class:`tradewind.errors.DagError` when it is not stored."""

    def load_contents(self, bundle: str, digests: Sequence[str]) -> Mapping[str, bytes]:
        """Return files of a bundle by their digests; those that are not stored are left out."""


class FileDesk:
    """The half of a :class:`Desk` that finds DAG files: on the disk, else in a store of them."""

    def __init__(self, files: FileStore, dag_folder: Path, bundles: BundleFolders | None = None) -> None:
        """
        Args:
            dag_folder: where DAG files are; those outside it are known by their absolute paths.
            bundles: where it is as it was when runs began; None: here nothing is run for them.
        """
        self._files, self._dag_folder, self._bundles = files, dag_folder, bundles

    def find_source(self, order: AttemptOrder) -> Source | str:
        """Return the DAG file as it was when the run was made; or, in words, why it cannot be had.

        It is read from the disk when it still says the same, else from the version that the run was made with.
        """
        folder, lock_path = self._dag_folder, ""
        if order.bundle is not None and self._bundles is not None:
            try:
                found = self._bundles.find(order.bundle, self._files)
            except Exception as error:
                log.exception("Bundle %s of DAG %s cannot be had.", order.bundle, order.dag_id)
                said = str(error) if isinstance(error, TradewindError) else f"{type(error).__name__}: {error}"
                return f"The DAG folder as it was when the run began cannot be had: {said}"
            folder, lock_path = found.path, str(found.lock_path)
        path = folder / order.file_path
        with suppress(OSError):
            text = path.read_bytes()
            if source_digest(text) == order.source_digest:
                return Source(path, text, folder, lock_path)
        try:
            text = self._files.load_source(order.version_id)
        except Exception as error:
            log.exception("The source of version %s of DAG %s cannot be read.", order.version_id, order.dag_id)
            return (
                f"The DAG file {order.file_path} has changed or is gone since the run was made, and its text at that "
                f"time cannot be read: {type(error).__name__}: {error}"
            )
        return Source(path, text, folder, lock_path)


class ControlPlaneDesk(FileDesk):
    """A :class:`Desk` that answers from a control plane in this process.

    A metadata DB that is away for a while, restarted or failing over, makes tasks wait for their answers, not fail.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        dag_folder: Path,
        bundles: BundleFolders | None = None,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """
        Args:
            dag_folder, bundles: as those of :class:`FileDesk`.
            patience_seconds: how long a request is tried again for errors of the metadata DB that pass.
        """
        super().__init__(PatientFiles(control_plane, patience_seconds), dag_folder, bundles)
        self._control_plane = control_plane
        self._patience_seconds = patience_seconds

    def answer(self, order: AttemptOrder, request: Request) -> Answer:
        """Return the answer to one request of an attempt."""
        # Asked twice, they would be told that it has been done before: by them, or by somebody else?
        is_repeatable = not isinstance(request, AskAboutRuns | DeleteVariable)
        try:
            return again(
                lambda: self.answer_once(order, request),
                patience_seconds=self._patience_seconds,
                is_repeatable=is_repeatable,
                what=f"{type(request).__name__} of task {order.task_id} of DAG {order.dag_id}",
            )
        except DATABASE_ERRORS as error:
            log.error(
                "%s of task %s of DAG %s: %s", type(request).__name__, order.task_id, order.dag_id, in_words(error)
            )
            return Refused(f"{type(request).__name__}: the metadata DB does not answer: {in_words(error)}")

    def answer_once(self, order: AttemptOrder, request: Request) -> Answer:
        """Return the answer, for those who ask again themselves.

        Raises:
            DBAPIError, sqlalchemy.exc.TimeoutError: of the metadata DB.
        """
        try:
            return self._answer(order, request)
        except TradewindError as error:
            return Refused(str(error))
        except DATABASE_ERRORS:
            raise
        except Exception as error:  # one task's question must not end the others: it is told, and logged here
            log.exception("%s of task %s of DAG %s failed.", type(request).__name__, order.task_id, order.dag_id)
            return Refused(f"{type(request).__name__} failed in the supervisor: {type(error).__name__}: {error}")

    def _answer(self, order: AttemptOrder, request: Request) -> Answer:
        plane = self._control_plane
        match request:
            case GetXCom():
                found = plane.get_xcom(
                    order,
                    dag_id=request.dag_id,
                    run_id=request.run_id,
                    task_ids=request.task_ids,
                    key=request.key,
                    map_index=request.map_index,
                    include_prior_dates=request.include_prior_dates,
                )
                return XComs(tuple(found))
            case CountXComs():
                return Count(plane.count_xcoms(order, request.task_id, request.key))
            case GetXComRange():
                return XComs(
                    tuple(plane.get_xcom_range(order, request.task_id, request.key, request.start, request.stop))
                )
            case PushXCom():
                plane.push_xcom(order, request.xcom)
                return Done()
            case GetVariable():
                return Text(plane.get_variable(order, request.key))
            case SetVariable():
                plane.set_variable(order, request.key, request.value, request.description)
                return Done()
            case DeleteVariable():
                return Done(plane.delete_variable(order, request.key))
            case GetConnection():
                return ConnectionAnswer(plane.get_connection(order, request.conn_id))
            case GetPreviousSuccess():
                return PreviousAnswer(plane.get_previous_success(order))
            case AskAssets():
                return AssetsAnswer(plane.ask_assets(order, request.question))
            case AskAboutRuns():
                return RunsAnswer(plane.ask_about_runs(order, request.question))
