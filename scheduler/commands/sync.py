"""``tradewind dags reserialize``: bring the metadata DB in step with the DAG folder, without a scheduler."""

from __future__ import annotations

import os

import click

from scheduler.dagfiles.manager import DagFileManager
from tradewind.config import load_config
from tradewind.metadata.dags import count_dags, count_import_errors
from tradewind.metadata.opening import open_database
from tradewind.terminal.output import counted, talk


def reserialize() -> None:
    """Read all DAG files now."""
    config = load_config(os.environ)
    with open_database(config) as db:
        manager = DagFileManager(config, db)
        try:
            manager.sync_once()
        finally:
            manager.stop()
        with db.read() as tx:
            dags, errors = count_dags(tx), count_import_errors(tx)
    talk(f"{counted(dags, 'DAG')} known.")
    if errors:
        talk(f"{counted(errors, 'DAG file')} cannot be imported: see `tradewind dags list-import-errors`.")
        raise click.exceptions.Exit(1)
