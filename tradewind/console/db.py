"""``tradewind db``: set up and look after the metadata DB."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import click

from tradewind.config import load_config
from tradewind.errors import MetadataError, UsageError
from tradewind.metadata.database import Database
from tradewind.metadata.migrate import downgrade, in_the_way, migrate, migration_sql, reset
from tradewind.metadata.opening import open_database
from tradewind.metadata.processes import list_processes
from tradewind.metadata.revision import HEAD, REVISIONS, read_revision, require_current
from tradewind.terminal.options import confirm
from tradewind.terminal.output import talk


def migrate_db(show_sql_only: bool, finish: bool) -> None:
    """Create the metadata DB, or bring it to the newest schema."""
    config = load_config(os.environ)
    with open_database(config, is_current=False) as db:
        if show_sql_only:
            click.echo(migration_sql(db), nl=False)
            return
        slots = config.core.default_pool_task_slot_count
        before, now = migrate(db, default_pool_slots=slots, must_finish=finish)
        if before == now:
            talk(f"The metadata DB at {db.safe_url} is up to date (revision {now}).")
        else:
            talk(f"The metadata DB at {db.safe_url} is now at revision {now} (before: {before or 'empty'}).")
        if now != HEAD:
            names = ", ".join(f"{one.kind} {one.hostname}:{one.pid}" for one in in_the_way(db))
            talk(
                f"Revision {HEAD} takes away what older processes still need ({names}). Replace them by this version, "
                "then run `tradewind db migrate --finish`."
            )
        if before is None:
            talk(
                "Next: `tradewind standalone` runs all on this machine; or `tradewind scheduler` and `webserver` apart."
            )


def check(retry: int, retry_delay: float) -> None:
    """Check that the metadata DB can be reached and used."""
    with open_database(is_current=False) as db:
        _until_current(db, tries=retry + 1, delay=retry_delay)
        with db.read() as tx:
            talk(f"The metadata DB at {db.safe_url} can be used (revision {read_revision(tx)}).")


def check_migrations(migration_wait_timeout: int) -> None:
    """Wait until the metadata DB has been migrated."""
    with open_database(is_current=False) as db:
        _until_current(db, tries=migration_wait_timeout + 1, delay=1.0)
        with db.read() as tx:
            talk(f"The metadata DB at {db.safe_url} is at revision {read_revision(tx)}.")


def _until_current(db: Database, tries: int, delay: float) -> None:
    """Ask for the schema again and again; nothing tells of a database that begins to answer."""
    pause = threading.Event()
    for left in reversed(range(tries)):
        try:
            return require_current(db)
        except MetadataError as error:
            if not left:
                raise
            talk(f"{error} Trying again {left} more time{'s' if left > 1 else ''} ...")
            pause.wait(delay)


def reset_db(yes: bool, skip_init: bool) -> None:
    """Delete everything in the metadata DB and create it anew."""
    config = load_config(os.environ)
    with open_database(config, is_current=False) as db:
        _refuse_while_used(db)
        confirm(f"This deletes everything in the metadata DB at {db.safe_url}. Go on?", yes)
        reset(db, default_pool_slots=config.core.default_pool_task_slot_count, empty=skip_init)
        state = "empty" if skip_init else f"new, at revision {HEAD}"
        talk(f"The metadata DB at {db.safe_url} is {state}.")


def downgrade_db(to_revision: str, yes: bool) -> None:
    """Take the schema back to an older revision."""
    with open_database(is_current=False) as db:
        if to_revision != "base" and to_revision not in REVISIONS:
            raise UsageError(f"There is no revision {to_revision!r}. Known: {', '.join(('base', *REVISIONS))}.")
        _refuse_while_used(db)
        confirm(f"This takes the metadata DB at {db.safe_url} back to revision {to_revision}. Go on?", yes)
        before, now = downgrade(db, to_revision)
        talk(f"The metadata DB at {db.safe_url} is now at revision {now or 'base'} (before: {before or 'base'}).")


def _refuse_while_used(db: Database) -> None:
    """Stop before tables are taken away from under a scheduler that works."""
    try:
        require_current(db)
    except MetadataError:
        return  # nobody of this version can be using it
    with db.read() as tx:
        alive = list_processes(tx, alive_at=datetime.now(UTC))
    if alive:
        names = ", ".join(f"{process.kind} {process.hostname}:{process.pid}" for process in alive)
        ends = max(process.expires_at for process in alive) - datetime.now(UTC) + timedelta(seconds=1)
        raise MetadataError(
            f"The metadata DB is in use by {names}. Stop it first; when it is dead already, this works in "
            f"{ends.total_seconds():.0f} s."
        )


def shell() -> None:
    """Open the database's own shell."""
    with open_database(is_current=False) as db:
        url = db.url
    arguments, password = _shell_command(url.get_backend_name(), url.database, url.host, url.port, url.username)
    environment = dict(os.environ)
    if password and url.password is not None:
        environment["PGPASSWORD"] = str(url.password)  # not on the command line, where everybody could read it
    query = dict(url.query)
    if "host" in query and isinstance(query["host"], str):
        environment["PGHOST"] = query["host"]  # a Unix socket
    # The shell of a database uses Ctrl-C itself: run it as a child and let it have the terminal.
    sys.exit(subprocess.run(arguments, env=environment, check=False).returncode)


def _shell_command(
    backend: str, database: str | None, host: str | None, port: int | None, user: str | None
) -> tuple[list[str], bool]:
    if backend == "sqlite":
        program = shutil.which("sqlite3")
        if program:
            return [program, str(database)], False
        if sys.version_info >= (3, 12):
            return [sys.executable, "-m", "sqlite3", str(database)], False
        raise MetadataError("There is no `sqlite3` on this machine. Install it (Debian: apt install sqlite3).")
    program = shutil.which("psql")
    if program is None:
        raise MetadataError("There is no `psql` on this machine. Install it (Debian: apt install postgresql-client).")
    given = (("--host", host), ("--port", port), ("--username", user), ("--dbname", database))
    return [program, *(f"{option}={value}" for option, value in given if value)], True
