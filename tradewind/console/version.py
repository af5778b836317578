"""``tradewind version``: imports nothing, since scripts ask it often."""

from __future__ import annotations

import click

from tradewind import __version__


def version() -> None:
    """Print the version."""
    click.echo(__version__)
