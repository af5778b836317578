"""How do bundles stand on the disk of a host? Each as a folder that appears whole; what they share is there once.

Files lie in ``files/`` under their digests, and a bundle's folder consists of hard links to them. So a new bundle costs
what has changed, and a file that did not change keeps its inode and its time: who compares these sees no change.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from executors.bundles.holding import lock_alone, lock_shared
from tradewind.errors import DagError
from tradewind.model.bundles import CONTENT_AT_ONCE, FILES_AT_ONCE, BundleFile, Manifest, file_digest

log = logging.getLogger(__name__)

KEPT: Final = 10
"""How many bundles stay on the disk that nothing runs in. Coming back to one costs nothing then."""
AT_HAND: Final = 4
"""How many one process holds that it was asked for last, until those who need them longer hold them themselves."""
SYNC_ONE_BY_ONE: Final = 64
"""Up to so many new files are brought to the disk one by one; more, by bringing everything there."""

LoadContents = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Give files by their digests. Called with up to :data:`FILES_AT_ONCE` that hold up to :data:`CONTENT_AT_ONCE` bytes in
all, or with a single larger one."""


class Shelf:
    """The bundles below one folder, which any number of processes of one host share. Any thread may call."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: made when it is needed; nothing else may lie in it.
        """
        self._folder = folder
        self._files = folder / "files"
        self._lock = threading.Lock()
        self._at_hand: OrderedDict[str, int] = OrderedDict()  # root -> descriptor of its lock
        self._makers: dict[str, threading.Lock] = {}  # by root: a slow one keeps nobody from the others

    def path(self, root: str) -> Path:
        """Return where a bundle stands, or would stand."""
        return self._folder / root

    def lock_path(self, root: str) -> Path:
        """Return what is to be held by who uses a bundle for longer."""
        return self._folder / f"{root}.lock"

    def has(self, root: str) -> bool:
        """Whether a bundle is there; if so it stays for now."""
        with self._lock:
            self._take_in_hand(root)
            return self.path(root).is_dir()

    def put(self, root: str, manifest: Manifest, load: LoadContents) -> Path:
        """Return the folder of a bundle, made from its files when it is not there. It stays for now.

        Raises:
            DagError: a file of it cannot be had, or says something else than it should.
            OSError: the disk is full, or may not be written.
        """
        path = self.path(root)
        with self._lock:
            self._take_in_hand(root)
            maker = self._makers.setdefault(root, threading.Lock())
        with maker:
            if path.is_dir():
                return path
            self._make(path, manifest, load)
        with self._lock:
            self._makers.pop(root, None)
            self._clean()
        return path

    def close(self) -> None:
        """Let go of what is held for now."""
        with self._lock:
            while self._at_hand:
                os.close(self._at_hand.popitem()[1])

    # --- making ---

    def _take_in_hand(self, root: str) -> None:
        """Hold a bundle, and note that it was used now."""
        if root not in self._at_hand:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._at_hand[root] = lock_shared(self.lock_path(root))
        self._at_hand.move_to_end(root)
        os.utime(self.lock_path(root))
        while len(self._at_hand) > AT_HAND:
            os.close(self._at_hand.popitem(last=False)[1])

    def _make(self, path: Path, manifest: Manifest, load: LoadContents) -> None:
        started = time.monotonic()
        if any(self._parts()):
            self._remove_leftovers()
        building = lock_shared(self._folder / "building.lock")  # nobody takes files away meanwhile
        part = self._folder / f"part-{uuid4().hex}"
        try:
            new = self._fetch(manifest, load)
            part.mkdir()
            folders = {parent for file in manifest.files for parent in _parents(file.path)}
            for folder in sorted(folders):
                (part / folder).mkdir(exist_ok=True)
            for file in manifest.files:
                self._place(file, part / file.path)
            try:
                part.rename(path)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise  # else another process was quicker
        finally:
            shutil.rmtree(part, ignore_errors=True)
            os.close(building)
        seconds = time.monotonic() - started
        log.info("bundle %s: %d files, %d of them new, in %.3g s", path.name, len(manifest.files), new, seconds)

    def _fetch(self, manifest: Manifest, load: LoadContents) -> int:
        """Get the files that are not there; return how many."""
        missing = [file for file in manifest.files if not self._is_here(file)]
        wanted = {file.digest: file.size for file in missing}
        forms = {(file.digest, file.is_executable) for file in missing}
        made: list[Path] = []
        for digests in _portions(wanted):
            found = load(digests)
            for digest in digests:
                if digest not in found:
                    raise DagError(f"File {digest} of the bundle is nowhere to be had any more.")
                if file_digest(found[digest], like=digest) != digest:
                    raise DagError(f"File {digest} of the bundle says something else than it did. Is the disk sound?")
                made += [self._store(digest, x, found[digest]) for x in (False, True) if (digest, x) in forms]
        # The folder must not survive a power failure that its files do not.
        if len(made) > SYNC_ONE_BY_ONE:
            os.sync()
        else:
            for one in made:
                _sync(one)
        return len(made)

    def _is_here(self, file: BundleFile) -> bool:
        try:
            return self._content(file.digest, file.is_executable).stat().st_size == file.size
        except OSError:
            return False

    def _content(self, digest: str, is_executable: bool) -> Path:
        return self._files / digest[:2] / (f"{digest}x" if is_executable else digest)

    def _store(self, digest: str, is_executable: bool, content: bytes) -> Path:
        path = self._content(digest, is_executable)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{uuid4().hex}")
        part.write_bytes(content)
        part.chmod(0o555 if is_executable else 0o444)  # a task that writes to it would change other bundles
        part.rename(path)
        return path

    def _place(self, file: BundleFile, path: Path) -> None:
        content = self._content(file.digest, file.is_executable)
        if file.is_link:
            os.symlink(content.read_bytes(), os.fsencode(path))
            return
        try:
            os.link(content, path)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                raise
            shutil.copy2(content, path)  # a file system without hard links, or with too many already

    # --- cleaning ---

    def _clean(self) -> None:
        """Remove the bundles that were not used for longest, but those that something runs in, and files of none."""
        try:
            locks = sorted(self._folder.glob("*-*.lock"), key=lambda lock: lock.stat().st_mtime, reverse=True)
            removed = [self._remove(lock) for lock in locks[KEPT:]]
            if any(removed):
                self._remove_leftovers()
        except OSError as error:  # another process does the same, or the disk fails: nothing depends on it
            log.warning("Bundles in %s could not be cleaned up: %s", self._folder, error)

    def _remove(self, lock: Path) -> bool:
        fd = lock_alone(lock)
        if fd is None:
            return False
        try:
            gone = self._folder / f"gone-{uuid4().hex}"
            with suppress(FileNotFoundError):
                lock.with_suffix("").rename(gone)
            lock.unlink(missing_ok=True)
        finally:
            os.close(fd)
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def _parts(self) -> list[Path]:
        return [*self._folder.glob("part-*"), *self._folder.glob("gone-*")]

    def _remove_leftovers(self) -> None:
        fd = lock_alone(self._folder / "building.lock")
        if fd is None:
            return
        try:
            for part in self._parts():
                shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
            for file in self._files.glob("*/*"):
                if file.stat().st_nlink == 1:
                    file.unlink()
        finally:
            os.close(fd)


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _portions(wanted: Mapping[str, int]) -> list[list[str]]:
    """Cut files into portions that are not too large to be asked for at once."""
    portions: list[list[str]] = []
    size = 0
    for digest, length in wanted.items():
        if not portions or len(portions[-1]) >= FILES_AT_ONCE or size + length > CONTENT_AT_ONCE:
            portions.append([])
            size = 0
        portions[-1].append(digest)
        size += length
    return portions


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
