"""What came of reading one DAG file? ``ParsedFile``: its DAGs as specs, its errors, and what it depends on.

Made in a parse process, which runs user code; stored by ``tradewind.metadata.dag_files``, which runs none.
"""

from __future__ import annotations

import hashlib

import msgspec

from tradewind.model.spec import DagSpec


class FileError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a DAG file, told to the one who wrote it."""

    message: str  # one line: type and message, or what happened to the process that read it
    line: int | None = None  # in the DAG file itself, when it is known
    traceback: str | None = None  # the frames of the user's own files


class FileWarning(msgspec.Struct, frozen=True):
    """One thing that the author of a DAG file should know, though the file works."""

    path: str  # of the file whose line it is about; relative to the DAG folder when it is in there
    line: int
    category: str  # the class, e.g. "DeprecationWarning" or "IgnoredArgumentWarning"
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.category}: {self.message}"


class ParsedFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """One DAG file as it was read at one instant.

    With errors, ``specs`` holds the DAGs that are good nevertheless; DAGs that the file defined before and that are not
    among them keep their last good version. Without errors, DAGs that are not among them are gone from the file.
    """

    path: str  # relative to the DAG folder, with "/"; absolute for a file outside it
    source: bytes
    specs: tuple[DagSpec, ...] = ()
    errors: tuple[FileError, ...] = ()
    seconds: float = 0.0
    depends_on: tuple[str, ...] = ()  # absolute paths of the files of the DAG folder that it imported or read, sorted
    looks_outside: bool = False  # it read something else, so that it may change while none of these files does
    timed_out: bool = False
    warnings: tuple[FileWarning, ...] = ()

    @property
    def digest(self) -> str:
        """The identity of the source: 64 hex digits."""
        return source_digest(self.source)


def source_digest(source: bytes) -> str:
    """Return the identity of the text of a DAG file: sha256 as 64 hex digits."""
    return hashlib.sha256(source).hexdigest()
