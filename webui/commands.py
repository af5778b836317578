"""``tradewind webserver``: the web UI and the REST API."""

from __future__ import annotations

import os
from dataclasses import replace

from executors.runner.linux import die_with_parent
from tradewind.config import load_config, with_secrets
from tradewind.metadata.opening import open_database
from tradewind.terminal.output import talk
from webui.server import serve


def webserver(
    host: str | None, port: int | None, workers: int | None, shares_port: bool, dies_with: int | None
) -> None:
    """Run the web server: UI and REST API."""
    if dies_with is not None:
        die_with_parent(dies_with)
    config = load_config(os.environ)
    api = replace(
        config.api,
        host=config.api.host if host is None else host,
        port=config.api.port if port is None else port,
        workers=config.api.workers if workers is None else workers,
    )
    config = replace(config, api=api)
    for warning in config.warnings:
        talk(f"Warning: {warning}")
    with open_database(config):
        config = with_secrets(config)  # only now: a mistyped home must not come into being
    serve(config, shares_port=shares_port)
