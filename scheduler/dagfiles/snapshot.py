"""What does the DAG folder hold at this moment? Every file of it by the digest of its content; no user code is run.

A file is read again only when its stamp has changed. A folder to which somebody writes meanwhile is seen as it was at
some moments close together, which is all that a folder can give; git gives more.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

from scheduler.dagfiles.find import SKIPPED_FOLDERS, Stamp, stamp_of
from scheduler.dagfiles.ignore import IGNORE_FILE
from tradewind.errors import DagError
from tradewind.model.bundles import BundleFile, Manifest, file_digest, manifest_of

SHIP_IGNORE: Final = ".bundleignore"
MAX_FILE_BYTES: Final = 16 * 2**20
MAX_BYTES: Final = 64 * 2**20
MAX_FILES: Final = 20_000

_FRESH_NS: Final = 50_000_000
"""A file may change within one tick of the clock of its file system without another stamp."""


class StillChanging(Exception):
    """A file was written while it was read. Look again."""


@dataclass(frozen=True, slots=True)
class _Known:
    stamp: Stamp
    file: BundleFile
    is_fresh: bool  # read so soon after it was written that it may have changed since with the same stamp


class FolderSnapshots:
    """Takes snapshots of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, _Known] = {}
        self._paths: dict[str, str] = {}  # by digest

    def take(self) -> Manifest:
        """Return the files of the folder as they are.

        Raises:
            DagError: it cannot be read, or holds more than can be kept; the message says the mend.
            StillChanging: a file was written meanwhile.
        """
        known: dict[str, _Known] = {}
        size = 0
        for name, path, status in self._walk():
            known[name] = self._look(name, path, status)
            size += known[name].file.size
            if size > MAX_BYTES or len(known) > MAX_FILES:
                raise DagError(self._too_much())
        self._known = known
        self._paths = {one.file.digest: os.path.join(self._folder, name) for name, one in known.items()}
        return manifest_of([one.file for one in known.values()])

    def load(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        """Return files of the last snapshot by their digests.

        Raises:
            StillChanging: one of them has changed since.
        """
        found = {}
        for digest in digests:
            try:
                found[digest] = Path(self._paths[digest]).read_bytes()
            except FileNotFoundError as error:
                raise StillChanging from error
            except OSError as error:
                raise DagError(_unreadable(self._paths[digest], error)) from error
            if file_digest(found[digest], like=digest) != digest:
                self._known.clear()
                raise StillChanging
        return found

    def _look(self, name: str, path: str, status: os.stat_result) -> _Known:
        stamp, before = stamp_of(status), self._known.get(name)
        if before is not None and before.stamp == stamp and not before.is_fresh:
            return before
        if status.st_size > MAX_FILE_BYTES:
            raise DagError(
                f"{path} holds {status.st_size / 2**20:.0f} MiB, and a file of a DAG folder that is kept in the "
                f"metadata DB may hold {MAX_FILE_BYTES // 2**20}. Move it elsewhere, or name it in {SHIP_IGNORE}."
            )
        read_at = time.time_ns()
        try:
            content = Path(path).read_bytes()
            after = stamp_of(os.stat(path))
        except FileNotFoundError as error:
            raise StillChanging from error
        except OSError as error:
            raise DagError(_unreadable(path, error)) from error
        if after != stamp:
            raise StillChanging
        is_executable = bool(status.st_mode & stat.S_IXUSR)
        file = BundleFile(name, file_digest(content), len(content), is_executable)
        return _Known(stamp, file, is_fresh=abs(read_at - stamp.mtime_ns) < _FRESH_NS)

    def _walk(self) -> Iterator[tuple[str, str, os.stat_result]]:
        ignored = self._read_ignored()
        folders: list[tuple[str, str, tuple[tuple[int, int], ...]]] = [(str(self._folder), "", ())]
        while folders:
            path, base, above = folders.pop()
            try:
                here = _identity(os.stat(path))
                with os.scandir(path) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except FileNotFoundError as error:
                if base:  # removed meanwhile
                    continue
                raise DagError(f"There is no DAG folder {path}. Make it, or set [core] dags_folder.") from error
            except OSError as error:
                raise DagError(_unreadable(path, error)) from error
            if here in above:
                continue  # a link back to a folder that it lies in
            for entry in entries:
                name = base + entry.name
                try:
                    status = entry.stat()
                except OSError:  # removed meanwhile, or a link to nowhere
                    continue
                if stat.S_ISDIR(status.st_mode):
                    is_left_out = entry.name.startswith(".") or entry.name in SKIPPED_FOLDERS
                    if not is_left_out and not ignored.match_file(f"{name}/"):
                        folders.append((entry.path, f"{name}/", (*above, here)))
                elif stat.S_ISREG(status.st_mode) and _is_shown(entry.name) and not ignored.match_file(name):
                    _check_name(entry.path, name)
                    yield name, entry.path, status

    def _read_ignored(self) -> GitIgnoreSpec:
        path = self._folder / SHIP_IGNORE
        try:
            return GitIgnoreSpec.from_lines(path.read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return GitIgnoreSpec.from_lines(())
        except (OSError, ValueError) as error:
            raise DagError(f"{path} cannot be read: {error}. Write one pattern in each line, as for git.") from error

    def _too_much(self) -> str:
        count, size, largest = 0, 0, (0, "")
        for name, _, status in self._walk():
            count, size, largest = count + 1, size + status.st_size, max(largest, (status.st_size, name))
        return (
            f"The DAG folder {self._folder} holds {count} files with {size / 2**20:.1f} MiB. To be kept in the "
            f"metadata DB, it may hold {MAX_FILES} files with {MAX_BYTES // 2**20} MiB. The largest is {largest[1]} "
            f"with {largest[0] / 2**20:.1f} MiB. Move data elsewhere, or name what tasks do not need in {SHIP_IGNORE}."
        )


def _is_shown(name: str) -> bool:
    return not name.startswith(".") or name == IGNORE_FILE


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _check_name(path: str, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DagError(f"The name of the file {path!r} is not UTF-8. Rename it.") from error


def _unreadable(path: str, error: OSError) -> str:
    return f"{path} cannot be read: {error.strerror}. Check its owner and its permissions. What was known is kept."
