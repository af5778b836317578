"""``tradewind users``: who may log in to the web UI."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from tradewind.errors import UsageError
from tradewind.metadata.opening import open_database
from tradewind.metadata.users import create_user, delete_user, set_password_hash
from tradewind.metadata.users import list_users as all_users
from tradewind.terminal.options import confirm
from tradewind.terminal.output import emit, talk
from webui.auth.passwords import generate_password, hash_password

COLUMNS = ("username", "role", "is_active", "created_at", "failed_logins", "locked_until")


def list_users(output: str) -> None:
    """List the accounts."""
    with open_database() as db, db.read() as tx:
        accounts = all_users(tx)
    rows = [{name: getattr(account, name) for name in COLUMNS} for account in accounts]
    emit(
        rows, COLUMNS, output, empty="There are no accounts. Create one with `tradewind users create -u NAME -r admin`."
    )


def create(username: str, role: str, password: str | None, use_random_password: bool) -> None:
    """Create an account."""
    with open_database() as db:
        plain = _choose_password(password, use_random_password)
        password_hash = hash_password(plain)
        with db.write() as tx:
            create_user(tx, username, password_hash, role.lower(), datetime.now(UTC))
    talk(f"User {username} created with role {role.lower()}.")
    _show_password(plain, use_random_password)


def reset_password(username: str, password: str | None, use_random_password: bool) -> None:
    """Give an account a new password and end its logins."""
    with open_database() as db:
        plain = _choose_password(password, use_random_password)
        password_hash = hash_password(plain)
        with db.write() as tx:
            set_password_hash(tx, username, password_hash)
    talk(f"User {username} has a new password.")
    _show_password(plain, use_random_password)


def delete(username: str, yes: bool) -> None:
    """Delete an account."""
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
