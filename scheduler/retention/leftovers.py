"""What of a run lies outside of the metadata DB? The logs of its tasks, here and in the log store, and larger XComs."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from executors.logs.store import LogStore, LogStoreError
from executors.runner.log_paths import run_log_folder

log = logging.getLogger(__name__)


def remove_logs(base: Path, dag_id: str, run_id: str) -> None:
    """Remove the folder with the logs of a run, where there is one; and that of its DAG with the last of them."""
    folder = run_log_folder(base, dag_id, run_id)
    if not folder.is_dir():
        return
    gone = folder.with_name(f".{folder.name[:200]}.removed")
    try:
        # At once, under another name: a new run may have the old one's id.
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
        shutil.rmtree(gone)
    except OSError as error:
        log.warning("the logs in %s cannot be removed: %s", folder, error)
        return
    with contextlib.suppress(OSError):  # other runs have logs there
        folder.parent.rmdir()


def remove_stored_logs(store: LogStore, dag_id: str, run_id: str) -> None:
    """Remove the logs of a run from the log store; what cannot be removed is logged, and left."""
    try:
        store.remove_folder(str(run_log_folder(Path(), dag_id, run_id)))
    except LogStoreError as error:
        log.warning("the logs of run %r of DAG %r are left in the log store: %s", run_id, dag_id, error)


def remove_xcoms(places: Iterable[str], store: str | None, dag_id: str, run_id: str) -> None:
    """Remove the files of XComs: those at ``places``, and what else of the run lies in the object store.

    A file that is gone already is nothing; one that cannot be removed is logged, and left.
    """
    # Late: fsspec is needed only where an object store is configured.
    import fsspec

    for place in places:
        try:
            system, path = fsspec.core.url_to_fs(place)
            system.rm(path)
        except FileNotFoundError:
            continue
        except Exception as error:  # fsspec's back ends raise errors of many families
            log.warning("the XCom at %s cannot be removed: %s: %s", place, type(error).__name__, error)
    if not store:
        return
    folder = "/".join([store.rstrip("/"), quote(dag_id, safe=""), quote(run_id, safe="")])
    try:
        system, path = fsspec.core.url_to_fs(folder)
        if system.exists(path):  # what tries left that were cleared since
            system.rm(path, recursive=True)
    except FileNotFoundError:
        return
    except Exception as error:  # as above
        log.warning("the XComs below %s cannot be removed: %s: %s", folder, type(error).__name__, error)
