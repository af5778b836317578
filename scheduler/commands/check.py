"""``tradewind check``: will DAG files written for Airflow run? Their sources are read, and nothing of them is run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from scheduler.dagfiles.find import MAX_SOURCE_BYTES, find_files, might_hold_dags
from tradewind.compat.inspection import Finding, inspect_source
from tradewind.config import load_config
from tradewind.errors import UsageError
from tradewind.terminal.output import counted, emit, progress, talk

COLUMNS = ("file", "line", "column", "kind", "what", "mend")


def check(paths: Sequence[str], output: str) -> None:
    """Say what DAG files use that is not supported."""
    syntax = load_config(os.environ).core.dag_ignore_file_syntax
    files = list(dict.fromkeys(_files(paths, syntax)))
    found: list[tuple[str, Finding]] = []
    with progress("Reading") as show:
        for done, (path, is_named) in enumerate(files):
            show(done, len(files))
            found.extend((path, finding) for finding in _inspect(path, is_named))
    rows = [
        {
            "file": path,
            "line": one.line,
            "column": one.column,
            "kind": one.kind,
            "what": one.what,
            "mend": one.mend,
        }
        for path, one in found
    ]
    emit(rows, COLUMNS, output, empty=f"{counted(len(files), 'file')} read, nothing unsupported found.")
    if found:
        affected = len({path for path, _ in found})
        talk(f"{counted(len(found), 'unsupported use')} in {affected:,} of {counted(len(files), 'file')}.")
        raise click.exceptions.Exit(1)


def _files(paths: Sequence[str], syntax: str) -> Iterator[tuple[str, bool]]:
    """Give each file, and whether it was named itself.

    Raises:
        UsageError: a path does not exist, or a folder cannot be read.
    """
    for given in paths:
        path = Path(given)
        if path.is_dir():
            walk = find_files(path, ignore_syntax=syntax)
            if "" in walk.unread:
                raise UsageError(f"The folder {given} cannot be read. Name another, or change its permissions.")
            for problem in walk.problems:
                talk(problem)
            for found in walk.files:
                yield str(path / found.name), False
        elif path.is_file():
            yield given, True
        else:
            raise UsageError(f"There is no file or folder {given}. Name a DAG file, or a folder of them.")


def _inspect(path: str, is_named: bool) -> list[Finding]:
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        return [Finding(1, 1, "syntax", f"it cannot be read: {error.strerror}", "Change its permissions.")]
    if not is_named and (len(source) > MAX_SOURCE_BYTES or not (might_hold_dags(source) or b"airflow" in source)):
        return []
    return inspect_source(source, path)
