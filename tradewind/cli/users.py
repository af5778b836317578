"""What can be asked of ``tradewind users``?"""

from __future__ import annotations

from typing import Final

import click

from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import OUTPUT, YES, option

ROLES: Final = ("viewer", "user", "op", "admin")
USERNAME: Final = option("-u", "--username", required=True, help="Name to log in with.")
PASSWORD: Final = option("-p", "--password", help="The password. Others can read it in the list of processes.")
RANDOM_PASSWORD: Final = option("--use-random-password", is_flag=True, help="Make a password and print it.")

USERS: Final = Group(
    "Manage who may log in to the web UI.",
    {
        "list": Command("webui.auth.commands:list_users", "List the accounts.", OUTPUT),
        "create": Command(
            "webui.auth.commands:create",
            "Create an account.",
            USERNAME,
            option(
                "-r",
                "--role",
                type=click.Choice(ROLES, case_sensitive=False),
                default="viewer",
                show_default=True,
                help="What the account may do; each role includes those before it.",
            ),
            PASSWORD,
            RANDOM_PASSWORD,
            detail="Without --password and --use-random-password the password is asked for.",
        ),
        "reset-password": Command(
            "webui.auth.commands:reset_password",
            "Give an account a new password and end its logins.",
            USERNAME,
            PASSWORD,
            RANDOM_PASSWORD,
            detail="Lifts a lock after failed logins too.",
        ),
        "delete": Command(
            "webui.auth.commands:delete",
            "Delete an account.",
            USERNAME,
            YES,
            detail="What it did stays in the audit log.",
        ),
    },
)
