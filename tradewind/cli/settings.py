"""What can be asked of ``tradewind variables``, ``connections`` and ``pools``?"""

from __future__ import annotations

from typing import Final

import click

from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import OUTPUT, argument, option

FILE: Final = click.Path(allow_dash=True)
FILE_FORMATS: Final = ("json", "yaml", "env")

VARIABLES: Final = Group(
    "Manage variables.",
    {
        "list": Command(
            "tradewind.console.variables:list_all",
            "List the variables.",
            option("--show-values", is_flag=True, help="Show the values too."),
            option("--hide-sensitive", is_flag=True, help="With --show-values: mask values whose names sound secret."),
            OUTPUT,
        ),
        "get": Command(
            "tradewind.console.variables:get",
            "Print the value of a variable.",
            argument("key"),
            option("-d", "--default", metavar="VAL", help="What to print when there is no such variable."),
            option("-j", "--json", "as_json", is_flag=True, help="Read the value as JSON, and print it as such."),
        ),
        "set": Command(
            "tradewind.console.variables:set_one",
            "Create a variable or change its value.",
            argument("key"),
            argument("value"),
            option("--description", help="What it is for."),
            option("-j", "--json", "as_json", is_flag=True, help="VALUE is JSON: refuse it when it is not."),
        ),
        "delete": Command("tradewind.console.variables:delete", "Delete a variable.", argument("key")),
        "import": Command(
            "tradewind.console.variables:import_file",
            "Create variables from a JSON, YAML or .env file.",
            argument("file", type=FILE),
            option(
                "-a",
                "--action-on-existing-key",
                type=click.Choice(("overwrite", "fail", "skip")),
                default="overwrite",
                show_default=True,
                help="What to do with a variable that is there already.",
            ),
            detail=(
                'The file maps keys to values, or to {"value": ..., "description": ...}. Values that are not text are'
                " kept as JSON. All of it is imported, or, when anything is wrong, nothing."
            ),
        ),
        "export": Command(
            "tradewind.console.variables:export_file",
            "Write all variables to a file.",
            argument("file", type=FILE),
            detail=(
                "The file holds secrets in clear text, and is made readable by its owner only. `-` is standard output."
            ),
        ),
    },
)

CONNECTIONS: Final = Group(
    "Manage connections to other systems.",
    {
        "list": Command(
            "tradewind.console.connections:list_all",
            "List the connections.",
            option("--show-values", is_flag=True, help="Show hosts, logins, passwords too."),
            option("--hide-sensitive", is_flag=True, help="With --show-values: mask passwords and extras."),
            OUTPUT,
        ),
        "get": Command(
            "tradewind.console.connections:get", "Show a connection, secrets included.", argument("conn_id"), OUTPUT
        ),
        "add": Command(
            "tradewind.console.connections:add",
            "Create a connection.",
            argument("conn_id"),
            option(
                "--conn-uri",
                metavar="URI",
                help="All of it as a URI: type://login:password@host:port/schema?extra=value.",
            ),
            option("--conn-json", metavar="JSON", help="All of it as a JSON object."),
            option("--conn-type", help="What it reaches: postgres, http, sqlite, ..."),
            option("--conn-description", help="What it is for."),
            option("--conn-host", help="Host name or address; a path for databases that are files."),
            option("--conn-login", help="User name."),
            option("--conn-password", help="Password. Others can read it in the list of processes while this runs."),
            option("--conn-port", type=click.IntRange(0, 65535), help="Port."),
            option("--conn-schema", help="Schema, or name of the database."),
            option("--conn-extra", metavar="JSON", help="All else, as a JSON object."),
            detail="Give --conn-uri, or --conn-json, or --conn-type with what else is needed.",
        ),
        "delete": Command("tradewind.console.connections:delete", "Delete a connection.", argument("conn_id")),
        "import": Command(
            "tradewind.console.connection_files:import_file",
            "Create connections from a JSON, YAML or .env file.",
            argument("file", type=FILE),
            option("--overwrite", is_flag=True, help="Replace connections that are there already."),
            detail=(
                "The file maps ids to URIs, or to objects as `connections export` writes them. All of it is imported,"
                " or, when anything is wrong, nothing."
            ),
        ),
        "export": Command(
            "tradewind.console.connection_files:export_file",
            "Write all connections to a file.",
            argument("file", type=FILE),
            option(
                "--file-format",
                "given_format",
                type=click.Choice(FILE_FORMATS),
                help="[default: by the name of the file, else json]",
            ),
            option(
                "--serialization-format",
                type=click.Choice(("uri", "json")),
                default="uri",
                show_default=True,
                help="How a .env file holds each connection.",
            ),
            detail=(
                "The file holds passwords in clear text, and is made readable by its owner only. `-` is standard "
                "output."
            ),
        ),
    },
)

POOLS: Final = Group(
    "Manage pools: slots that tasks share.",
    {
        "list": Command("tradewind.console.pools:list_all", "List the pools and how full they are.", OUTPUT),
        "get": Command("tradewind.console.pools:get", "Show a pool.", argument("name"), OUTPUT),
        "set": Command(
            "tradewind.console.pools:set_one",
            "Create a pool or change it.",
            argument("name"),
            argument("slots", type=int),
            argument("description", default=""),
            option("--include-deferred", is_flag=True, help="Tasks that wait for a trigger keep their slots."),
            detail="SLOTS is how many slots its tasks may hold at once; -1 (typed as `-- -1`) sets no limit.",
        ),
        "delete": Command("tradewind.console.pools:delete", "Delete a pool.", argument("name")),
        "import": Command(
            "tradewind.console.pools:import_file",
            "Create pools from a JSON file.",
            argument("filepath", type=FILE),
            detail=(
                'It looks like {"db": {"slots": 5, "description": "few", "include_deferred": false}}. Pools that '
                "exist are changed. All of it is imported, or, when anything is wrong, nothing."
            ),
        ),
        "export": Command(
            "tradewind.console.pools:export_file",
            "Write all pools to a JSON file.",
            argument("filepath", type=FILE),
            detail="`-` is standard output.",
        ),
    },
)
