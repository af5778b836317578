"""Where do removed rows go that somebody wants to keep? Into files: a folder for each clean-up, a file for each table.

``<archive>/<when>/<table>.jsonl.gz``: JSON lines, which keep what CSV loses, packed. Rows are on the disk before they
are deleted from the metadata DB. A clean-up that was killed may leave a torn end, whose rows are still in the metadata
DB, and what it had written but not deleted is written once more by the next.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from tradewind.errors import NotFound, UsageError

FORMATS: Final = ("csv", "jsonl")
_ENDING: Final = ".jsonl.gz"
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_CHUNK_ROWS: Final = 5000
_LEVEL: Final = 1  # of compression: what more of it saves in space, it costs many times in time


@dataclass(frozen=True, slots=True)
class ArchivedTable:
    """The rows of one table that one clean-up removed."""

    table: str
    stamp: str  # when
    path: Path
    size_bytes: int

    @property
    def name(self) -> str:
        """What it is called, as a file of its own."""
        return f"{self.table}__{self.stamp}"


def new_folder(archive: Path, now: datetime) -> Path:
    """Return the folder of a clean-up that begins; it is not made yet."""
    stamp = now.strftime(_STAMP)
    numbers = ("", *(f"-{number}" for number in range(2, 10_000)))
    return next(folder for number in numbers if not (folder := archive / f"{stamp}{number}").exists())


def write_rows(folder: Path, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Add rows to the archive, safely on the disk, and return how many they were."""
    waiting, written = iter(rows), 0
    encode = msgspec.json.Encoder().encode
    first = list(islice(waiting, _CHUNK_ROWS))
    if not first:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{table}{_ENDING}").open("ab") as file:
        chunk = first
        while chunk:
            # Each chunk is a gzip member of its own: a torn one at the end spoils nothing that stands before it.
            text = b"".join(encode(row) + b"\n" for row in chunk)
            file.write(gzip.compress(text, _LEVEL, mtime=0))
            written += len(chunk)
            chunk = list(islice(waiting, _CHUNK_ROWS))
        file.flush()
        os.fsync(file.fileno())
    return written


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Give the rows of an archived table, but for those of a torn end."""
    decode = msgspec.json.Decoder().decode
    with path.open("rb") as file:
        for text in _members(file):
            for line in text.splitlines():
                yield decode(line)


def _members(file: io.BufferedReader) -> Iterator[bytes]:
    rest = b""
    while True:
        member = zlib.decompressobj(wbits=31)
        parts: list[bytes] = []
        while not member.eof:
            data = rest or file.read(1 << 20)
            rest = b""
            if not data:
                return
            try:
                parts.append(member.decompress(data))
            except zlib.error:
                return
        rest = member.unused_data
        yield b"".join(parts)


def list_archive(archive: Path, tables: Iterable[str] | None = None) -> list[ArchivedTable]:
    """Return what the archive holds, oldest first; ``tables``: only of these."""
    paths = sorted(archive.glob(f"*/*{_ENDING}")) if archive.is_dir() else []
    found = [
        ArchivedTable(path.name.removesuffix(_ENDING), path.parent.name, path, path.stat().st_size) for path in paths
    ]
    wanted = None if tables is None else set(tables)
    return [kept for kept in found if wanted is None or kept.table in wanted]


def export(kept: ArchivedTable, folder: Path, form: str) -> tuple[Path, int]:
    """Write an archived table into a file of its own; return it, and how many rows it has.

    Raises:
        NotFound: there is no such folder.
        UsageError: no such form.
    """
    if not folder.is_dir():
        raise NotFound("folder", str(folder), mend="Make it first, or name another with --output-path.")
    if form not in FORMATS:
        raise UsageError(f"An archive cannot be exported as {form!r}. Known: {', '.join(FORMATS)}.")
    target, part = folder / f"{kept.name}.{form}", folder / f".{kept.name}.{form}.part"
    with part.open("w", encoding="utf-8", newline="") as file:
        rows = _write_csv(file, kept.path) if form == "csv" else _write_lines(file, kept.path)
    part.replace(target)
    return target, rows


def _write_csv(file: io.TextIOBase, path: Path) -> int:
    writer: Any = None
    rows = 0
    for row in read_rows(path):
        if writer is None:
            writer = csv.DictWriter(file, fieldnames=list(row), extrasaction="ignore")
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in row.items()})
        rows += 1
    return rows


def _cell(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value


def _write_lines(file: io.TextIOBase, path: Path) -> int:
    rows = 0
    for row in read_rows(path):
        file.write(msgspec.json.encode(row).decode() + "\n")
        rows += 1
    return rows


def drop(kept: ArchivedTable) -> None:
    """Delete an archived table for good, and the folder of its clean-up with the last one."""
    kept.path.unlink(missing_ok=True)
    if not any(kept.path.parent.iterdir()):
        shutil.rmtree(kept.path.parent)
