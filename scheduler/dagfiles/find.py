"""Which files may hold DAGs? Walks the DAG folder; reads nothing but ignore files, imports nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from scheduler.dagfiles.ignore import IGNORE_FILE, Ignore, IgnoreReader

MAX_SOURCE_BYTES: Final = 4 * 1024 * 1024
"""A larger file is refused as it stands: it is data, and would be kept in the metadata DB once per version."""

SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "node_modules"})


class Stamp(NamedTuple):
    """What tells, without reading it, that a file is still the same."""

    mtime_ns: int
    size: int
    inode: int


@dataclass(frozen=True, slots=True)
class Found:
    """One Python file below the DAG folder.

    Attributes:
        name: relative to the DAG folder, with ``/``.
        path: absolute.
    """

    name: str
    path: str
    stamp: Stamp


@dataclass(slots=True)
class Walk:
    """What a walk through the DAG folder gave.

    Attributes:
        problems: sentences for the log: what was passed over and why.
        unread: folders, relative with a slash at the end (``""`` is the DAG folder), of which nothing is known.
    """

    files: list[Found] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def find_files(folder: Path, *, ignore_syntax: str = "glob") -> Walk:
    """Return the Python files below ``folder``, by name, without those that ``.airflowignore`` leaves out.

    Links are followed, to files and folders; a link back to a folder it lies in is passed over. Hidden folders, and
    folders that only tools write, are passed over too.

    Args:
        ignore_syntax: ``[core] dag_ignore_file_syntax``: ``glob`` or ``regexp``.
    """
    walk = Walk()
    reader = IgnoreReader(ignore_syntax, walk.problems)
    walk.files.extend(_walk(walk, str(folder), "", Ignore(), reader, ()))
    walk.files.sort(key=lambda found: found.name)
    return walk


def _walk(
    walk: Walk, path: str, base: str, outer: Ignore, reader: IgnoreReader, above: tuple[tuple[int, int], ...]
) -> Iterator[Found]:
    try:
        status = os.stat(path)
        with os.scandir(path) as listing:
            entries = list(listing)
    except OSError as error:
        if base and isinstance(error, FileNotFoundError):  # removed meanwhile; the next walk will agree
            return
        reason = error.strerror
        if isinstance(error, FileNotFoundError):
            reason = "there is no such folder. Make it, or set [core] dags_folder"
        walk.problems.append(f"{path} cannot be read: {reason}. What was known of it is kept.")
        walk.unread.append(base)
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        walk.problems.append(f"{path} links back to a folder that it lies in, and is passed over.")
        return
    rules = _rules_of(entries, base, outer, reader)
    for entry in entries:
        if entry.name.endswith(".py"):
            found = _file(entry, base, rules)
            if found is not None:
                yield found
        elif not entry.name.startswith(".") and entry.name not in SKIPPED_FOLDERS and _is_folder(entry):
            inner = f"{base}{entry.name}/"
            if not rules.ignores(inner):
                yield from _walk(walk, entry.path, inner, rules, reader, (*above, here))


def _rules_of(entries: list[os.DirEntry[str]], base: str, outer: Ignore, reader: IgnoreReader) -> Ignore:
    for entry in entries:
        if entry.name == IGNORE_FILE:
            try:
                text = Path(entry.path).read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                reader.problems.append(f"{entry.path} cannot be read and leaves out nothing: {error.strerror}.")
                return outer
            return reader.extend(outer, base, text)
    return outer


def _file(entry: os.DirEntry[str], base: str, rules: Ignore) -> Found | None:
    name = base + entry.name
    if rules.levels and rules.ignores(name):
        return None
    try:
        status = entry.stat()
    except OSError:  # vanished, or a link to nowhere
        return None
    # Anything but a regular file could keep its reader waiting for ever.
    return Found(name, entry.path, stamp_of(status)) if stat.S_ISREG(status.st_mode) else None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # e.g. a link to itself
        return False


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what tells that a file is still the same."""
    return Stamp(status.st_mtime_ns, status.st_size, status.st_ino)


def stamp_at(path: str) -> Stamp | None:
    """Return the stamp of the file at ``path``, or None when there is none."""
    try:
        return stamp_of(os.stat(path))
    except OSError:
        return None


def might_hold_dags(source: bytes) -> bool:
    """Return whether a file is worth importing: its text speaks of DAGs (or assets), and of who schedules them.

    The rule of Airflow's safe mode, with ``tradewind`` beside ``airflow``. It may say yes to a file without DAGs, which
    costs a parse; a file with a DAG always says yes, since it must import the name from somewhere.
    """
    text = source.lower()
    return (b"dag" in text or b"asset" in text) and (b"airflow" in text or b"tradewind" in text)
