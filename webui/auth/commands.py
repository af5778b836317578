"""``tradewind users``: who may log in to the web UI."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from tradewind.errors import UsageError
from tradewind.metadata.opening import open_database
from tradewind.metadata.users import ROLES, create_user, delete_user, set_password_hash
from tradewind.metadata.users import list_users as all_users
from tradewind.terminal.options import command, confirm, output_option, yes_option
from tradewind.terminal.output import emit, talk
from webui.auth.passwords import generate_password, hash_password

COLUMNS = ("username", "role", "is_active", "created_at", "failed_logins", "locked_until")


@command("list")
@output_option
def list_users(output: str) -> None:
    """List the accounts."""
    with open_database() as db, db.read() as tx:
        accounts = all_users(tx)
    rows = [{name: getattr(account, name) for name in COLUMNS} for account in accounts]
    emit(rows, COLUMNS, output, empty="There are no accounts. Create one with `tradewind users create -u NAME`.")


def _password_options(function: Callable[..., Any]) -> Callable[..., Any]:
    by_option = click.option("-p", "--password", help="The password. Others can read it in the list of processes.")
    at_random = click.option("--use-random-password", is_flag=True, help="Make a password and print it.")
    return by_option(at_random(function))


@command("create")
@click.option("-u", "--username", required=True, help="Name to log in with.")
@click.option("-r", "--role", type=click.Choice(ROLES, case_sensitive=False), default="viewer", show_default=True,
              help="What the account may do; each role includes those before it.")  # fmt: skip
@_password_options
def create(username: str, role: str, password: str | None, use_random_password: bool) -> None:
    """Create an account.

    Without --password and --use-random-password the password is asked for.
    """
    with open_database() as db:
        plain = _choose_password(password, use_random_password)
        password_hash = hash_password(plain)
        with db.write() as tx:
            create_user(tx, username, password_hash, role.lower(), datetime.now(UTC))
    talk(f"User {username} created with role {role.lower()}.")
    _show_password(plain, use_random_password)


@command("reset-password")
@click.option("-u", "--username", required=True, help="Name of the account.")
@_password_options
def reset_password(username: str, password: str | None, use_random_password: bool) -> None:
    """Give an account a new password and end its logins.

    Lifts a lock after failed logins too.
    """
    with open_database() as db:
        plain = _choose_password(password, use_random_password)
        password_hash = hash_password(plain)
        with db.write() as tx:
            set_password_hash(tx, username, password_hash)
    talk(f"User {username} has a new password.")
    _show_password(plain, use_random_password)


@command("delete")
@click.option("-u", "--username", required=True, help="Name of the account.")
@yes_option
def delete(username: str, yes: bool) -> None:
    """Delete an account.

    What it did stays in the audit log.
    """
    confirm(f"Delete user {username}?", yes)
    with open_database() as db, db.write() as tx:
        delete_user(tx, username)
    talk(f"User {username} deleted.")


def _choose_password(given: str | None, at_random: bool) -> str:
    if given is not None and at_random:
        raise UsageError("--password and --use-random-password exclude each other. Give one of them.")
    if at_random:
        return generate_password()
    if given is not None:
        return given
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed


def _show_password(password: str, at_random: bool) -> None:
    if at_random:
        talk("Its password, shown only now:")
        click.echo(password)
