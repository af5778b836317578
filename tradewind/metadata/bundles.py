"""How does the DAG folder of a moment get into the metadata DB, and to those who run its tasks? Statements of bundles.

Whoever reads DAG files for the schedulers first *offers* the bundle that they read; then what the files say is saved,
and each saved version names the newest bundle in which it was current. Both lock the one row of the head first, so of
two schedulers that see different folders only the one that offered last saves anything.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, exists, select, update

from tradewind.errors import DagError
from tradewind.metadata.models import Attempt, BundleContent, BundleHead, Dag, DagBundle, DagRun, DagVersion
from tradewind.metadata.upsert import insert_missing, upsert
from tradewind.model.bundles import Manifest, decode_manifest, encode_manifest
from tradewind.model.states import AttemptState

_HEAD: Final = 1
_AT_ONCE: Final = 200
"""How many files one statement names."""


def head(tx: Connection, *, lock: bool = False) -> str | None:
    """Return the bundle that was offered last; None: none ever was.

    Args:
        lock: nobody offers another until this transaction ends.
    """
    query = select(BundleHead.name).where(BundleHead.id == _HEAD)
    return tx.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def missing_contents(tx: Connection, digests: Iterable[str]) -> set[str]:
    """Return those of the files that are not stored."""
    wanted = list(dict.fromkeys(digests))
    found: set[str] = set()
    for first in range(0, len(wanted), _AT_ONCE):
        part = BundleContent.digest.in_(wanted[first : first + _AT_ONCE])
        found.update(tx.execute(select(BundleContent.digest).where(part)).scalars())
    return set(wanted) - found


def store_contents(tx: Connection, contents: Mapping[str, bytes]) -> None:
    """Store files by their digests. Those that are there stay as they are."""
    rows = [{"digest": digest, "content": zlib.compress(content, 6)} for digest, content in sorted(contents.items())]
    insert_missing(tx, BundleContent, rows)


def load_contents(tx: Connection, digests: Sequence[str]) -> dict[str, bytes]:
    """Return files by their digests; those that are not stored are left out."""
    query = select(BundleContent.digest, BundleContent.content).where(BundleContent.digest.in_(digests))
    return {row.digest: zlib.decompress(row.content) for row in tx.execute(query)}


def offer(tx: Connection, name: str, manifest: Manifest | None, now: datetime) -> None:
    """Say that DAG files are read from this bundle from now on. Its files are stored already.

    Args:
        manifest: None: it is in git.

    Raises:
        DagError: a file of it is not stored; it was removed meanwhile, as nobody needed it. Store it again.
    """
    before = head(tx, lock=True)  # retention takes away what is not needed under the same lock
    if manifest is not None:
        gone = missing_contents(tx, (file.digest for file in manifest.files))
        if gone:
            raise DagError(f"{len(gone)} files of bundle {name} are not stored.")
    encoded = None if manifest is None else encode_manifest(manifest)
    insert_missing(tx, DagBundle, [{"name": name, "manifest": encoded, "created_at": now, "left_at": None}])
    if before != name:
        upsert(tx, BundleHead, {"id": _HEAD}, {"name": name})
        tx.execute(update(DagBundle).where(DagBundle.name == before).values(left_at=now))
        tx.execute(update(DagBundle).where(DagBundle.name == name).values(left_at=None))


def load_manifest(tx: Connection, name: str) -> Manifest:
    """Return which files a bundle holds.

    Raises:
        DagError: there is no such bundle in the metadata DB.
    """
    found = tx.execute(select(DagBundle.manifest).where(DagBundle.name == name)).scalar_one_or_none()
    if found is None:
        raise DagError(
            f"Bundle {name}, the DAG folder as it was when the run was made, is not in the metadata DB. Clear the task "
            "with the newest version of its DAG: `tradewind tasks clear --run-on-latest-version`, or the box in the UI."
        )
    return decode_manifest(found)


def runs_of(tx: Connection, supervisor_id: UUID, bundle: str) -> bool:
    """Whether a supervisor runs a task of a run that has this bundle."""
    mine = exists().where(
        Attempt.supervisor_id == supervisor_id,
        Attempt.state != AttemptState.ENDED,
        DagRun.id == Attempt.run_pk,
        DagRun.bundle == bundle,
    )
    return bool(tx.execute(select(mine)).scalar_one())


def bundles_of(tx: Connection, version_ids: Collection[int]) -> dict[int, str | None]:
    """Return the newest bundle of each of these versions."""
    if not version_ids:
        return {}
    rows = tx.execute(select(DagVersion.id, DagVersion.bundle).where(DagVersion.id.in_(list(version_ids))))
    return {row.id: row.bundle for row in rows}


def carry_over(tx: Connection, name: str, *, but: Collection[str]) -> int:
    """Say that the DAGs of all files are as they are in this bundle too; return for how many that is news.

    Args:
        but: the files of which that is not so, since they could not be read in it.
    """
    newest = select(Dag.version_id).where(
        Dag.is_active, Dag.version_id.is_not(None), ~Dag.file_path.startswith("/"), Dag.file_path.not_in(list(but))
    )
    moved = update(DagVersion).where(DagVersion.id.in_(newest), DagVersion.bundle.is_distinct_from(name))
    return tx.execute(moved.values(bundle=name)).rowcount


def remove_bundles(tx: Connection, chosen: ColumnElement[bool]) -> int:
    """Remove bundles of which no run and no version is, and the files that no other bundle holds; return how many
    bundles went.

    They were left long enough ago that whoever read the bundle of a version then, to begin a run in it, has done so.
    """
    head(tx, lock=True)  # files that are there already are not stored again: not to be taken away while one is offered
    gone = len(tx.execute(delete(DagBundle).where(chosen).returning(DagBundle.name)).all())
    if not gone:
        return 0
    kept: set[str] = set()
    for encoded in tx.execute(select(DagBundle.manifest).where(DagBundle.manifest.is_not(None))).scalars():
        kept.update(file.digest for file in decode_manifest(encoded or b"").files)
    unused = sorted(set(tx.execute(select(BundleContent.digest)).scalars()) - kept)
    for first in range(0, len(unused), _AT_ONCE):
        tx.execute(delete(BundleContent).where(BundleContent.digest.in_(unused[first : first + _AT_ONCE])))
    return gone
