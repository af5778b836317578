"""Where do pages find logs? On this machine, and in the log store when one is configured."""

from __future__ import annotations

from pathlib import Path

from executors.logs.reading import LogFiles
from executors.logs.store import LogStore, open_store
from executors.runner.log_paths import attempt_log_path
from tradewind.config import Config
from tradewind.metadata.database import Database


def log_files(config: Config, db: Database) -> LogFiles:
    """Return what finds logs. Connects to nothing.

    Raises:
        UsageError: the log store cannot be used as it is configured.
    """
    options = config.logging
    if not (options.remote_logging and options.remote_base_log_folder):
        return LogFiles(options.base_log_folder, None)
    open_store(options.remote_base_log_folder)  # says what is wrong before anything is served

    def open_when_needed() -> LogStore | None:
        # Late: most installations have no log store.
        from executors.logs.credentials import configured_store
        from executors.stored_values import StoredValues

        return configured_store(config, StoredValues(db, config).get_connection)

    return LogFiles(options.base_log_folder, open_when_needed)


def log_name(dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int) -> Path:
    """Return the log of a try, as :class:`LogFiles` knows it."""
    return attempt_log_path(Path(), dag_id, run_id, task_id, try_number, map_index)
