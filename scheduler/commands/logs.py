"""How does the command line show logs? Those of this machine and of the log store, as they are."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from executors.logs.credentials import configured_store, has_store
from executors.logs.reading import LogFiles
from executors.stored_values import StoredValues
from tradewind.config import Config
from tradewind.metadata.database import Database
from tradewind.terminal.output import talk

_BLOCK_BYTES: Final = 1 << 20


def log_files(config: Config, db: Database) -> LogFiles:
    """Return what finds logs for a command."""
    if not has_store(config):
        return LogFiles(config.logging.base_log_folder, None)
    find = StoredValues(db, config).get_connection
    return LogFiles(config.logging.base_log_folder, lambda: configured_store(config, find))


def show_logs(config: Config, db: Database, names: Sequence[Path]) -> None:
    """Print logs, one after the other; what is not there, or may not be all, is said on stderr."""
    files = log_files(config, db)
    try:
        for name in names:
            found = files.find(name)
            if found.trouble:
                talk(found.trouble)
            if found.path.is_file():
                write(found.path)
            elif not found.trouble:
                talk(f"There is no log at {found.path}{', nor in the log store' if files.has_store else ''}.")
    finally:
        files.close()


def write(path: Path, start: int = 0) -> int:
    """Print a file from a byte on; return the byte behind what was printed."""
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(_BLOCK_BYTES):
            start += len(block)
            sys.stdout.write(block.decode("utf-8", "replace"))
    sys.stdout.flush()
    return start
