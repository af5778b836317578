"""``tradewind scheduler``: run one until it is told to stop."""

from __future__ import annotations

import os

from scheduler.service import run_scheduler
from tradewind.config import load_config, with_secrets
from tradewind.metadata.opening import open_database
from tradewind.terminal.logs import log_to_terminal
from tradewind.terminal.output import talk


def scheduler() -> None:
    """Run a scheduler, with its DAG files and local tasks."""
    config = load_config(os.environ)
    for warning in config.warnings:
        talk(f"Warning: {warning}")
    with open_database(config):
        config = with_secrets(config)  # only now: a mistyped home must not come into being
    log_to_terminal(config.logging.logging_level)
    run_scheduler(config)
