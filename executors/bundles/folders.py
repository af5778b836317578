"""Where on this host is the DAG folder as it was when a run began? Wherever its files come from, it is brought here."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from executors.bundles.git import GitFailed, GitMirror
from executors.bundles.shelf import Shelf
from tradewind.config import Config
from tradewind.config.bundle_source import GitSource
from tradewind.errors import DagError
from tradewind.model.bundles import BundleName, Manifest, read_name

log = logging.getLogger(__name__)

PAUSES: Final = (1.0, 2.0, 4.0)
"""Seconds between the tries to fetch a commit. After the last, the attempt counts as lost, and is started again."""


class BundleStore(Protocol):
    """Where bundles of the metadata DB are to be had. Its methods block, and raise when they are not."""

    def load_manifest(self, bundle: str) -> Manifest:
        """Return which files a bundle holds. Raises :class:`tradewind.errors.DagError` when it is not stored."""

    def load_contents(self, bundle: str, digests: Sequence[str]) -> Mapping[str, bytes]:
        """Return files of a bundle by their digests; those that are not stored are left out."""


@dataclass(frozen=True, slots=True)
class BundleFolder:
    """A bundle on this host.

    Attributes:
        path: its DAG folder.
        lock_path: what a process holds (``holding.hold``) for as long as it needs the folder.
    """

    path: Path
    lock_path: Path


class BundleFolders:
    """The bundles of this host. Any thread may call."""

    def __init__(self, config: Config) -> None:
        storage = config.dag_processor.dag_bundle_storage_path.absolute()
        self.shelf: Final = Shelf(storage)
        source = config.dag_processor.dag_bundle
        self._git = GitMirror(source, storage / "git") if isinstance(source, GitSource) else None

    def find(self, bundle: str, store: BundleStore) -> BundleFolder:
        """Return a bundle, which is brought here when it is not.

        Args:
            store: has its files when it is one of the metadata DB.

        Raises:
            TradewindError: it cannot be had; the message says the mend.
            OSError: the disk is full, or may not be written.
        """
        name = read_name(bundle)
        if not self.shelf.has(name.root):
            if name.kind == "git":
                git = self._mirror_for(name)
                self.shelf.put(name.root, _persistently(git, name.digest), git.contents)
            else:
                self.shelf.put(name.root, store.load_manifest(bundle), partial(store.load_contents, bundle))
        return BundleFolder(self.shelf.path(name.root) / name.folder, self.shelf.lock_path(name.root))

    def _mirror_for(self, name: BundleName) -> GitMirror:
        if self._git is None:
            raise DagError(
                f"The run began with commit {name.digest} of a git repository, and [dag_processor] dag_bundle of this "
                "host names none. Give it the same value on all hosts."
            )
        return self._git

    def close(self) -> None:
        """Let go of what is held for now."""
        self.shelf.close()


def _persistently(git: GitMirror, commit: str) -> Manifest:
    """Return the files of a commit. The repository was there when the run was made, so it is asked some times."""
    for pause in PAUSES:
        try:
            return git.manifest(commit)
        except GitFailed as error:
            log.warning("bundles.git: it is tried again in %g s: %s", pause, error)
            time.sleep(pause)
    return git.manifest(commit)
