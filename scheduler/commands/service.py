"""``tradewind scheduler`` and ``tradewind triggerer``: run one until it is told to stop."""

from __future__ import annotations

import os

from scheduler.service import run_scheduler
from scheduler.triggerer.service import run_triggerer
from tradewind.config import load_config, with_secrets
from tradewind.errors import UsageError
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


def triggerer(capacity: int | None, queues: str | None, skip_serve_logs: bool) -> None:
    """Run a triggerer: what tasks wait for without a slot."""
    config = load_config(os.environ)
    for warning in config.warnings:
        talk(f"Warning: {warning}")
    if skip_serve_logs:
        talk("--skip-serve-logs changes nothing: a triggerer writes to the log folder, and serves no logs.")
    with open_database(config):
        config = with_secrets(config)
    if capacity is None and config.triggerer.capacity == 0:
        raise UsageError("[triggerer] capacity is 0. Say how many triggers this one may run with --capacity.")
    log_to_terminal(config.logging.logging_level)
    wanted = None if queues is None else tuple(name.strip() for name in queues.split(",") if name.strip())
    run_triggerer(config, capacity=capacity, queues=wanted)
