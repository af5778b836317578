"""What can be asked of ``tradewind assets``?"""

from __future__ import annotations

from typing import Final

import click

from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import OUTPUT, Instant, JsonObject, option

_ALIAS_HELP: Final = "Look at aliases instead of assets."


def _name() -> click.Option:
    return option("--name", help="Name of the asset.")


def _uri() -> click.Option:
    return option("--uri", help="URI of the asset, as `assets list` shows it.")


ASSETS: Final = Group(
    "Look at assets, and bring them up to date.",
    {
        "list": Command(
            "scheduler.commands.assets:list_all",
            "List the assets.",
            option("--alias", is_flag=True, help=_ALIAS_HELP),
            option(
                "--columns",
                metavar="NAMES",
                help="Which columns, with commas between them. [default: name,uri,group,extra]",
            ),
            OUTPUT,
        ),
        "details": Command(
            "scheduler.commands.assets:details",
            "Show an asset: who updates it, who waits for it, its last event.",
            option("--alias", is_flag=True, help=_ALIAS_HELP),
            _name(),
            _uri(),
            OUTPUT,
        ),
        "events": Command(
            "scheduler.commands.assets:events",
            "List what happened to assets, the newest first.",
            _name(),
            _uri(),
            option("-s", "--start-date", type=Instant(), help="Only events that are not before."),
            option("-e", "--end-date", type=Instant(), help="Only events that are not after."),
            option("--limit", type=click.IntRange(1), default=25, show_default=True, help="How many at most."),
            OUTPUT,
        ),
        "materialize": Command(
            "scheduler.commands.assets:materialize",
            "Run the DAG that updates an asset.",
            _name(),
            _uri(),
            OUTPUT,
        ),
        "report": Command(
            "scheduler.commands.assets:report",
            "Say that an asset was updated outside: the DAGs that wait for it run.",
            _name(),
            _uri(),
            option("--extra", type=JsonObject(), metavar="JSON", help="What is to be said about it."),
            option("--partition-key", metavar="KEY", help="The part of it that was updated."),
        ),
    },
)
