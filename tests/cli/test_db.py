"""``tradewind db``: from nothing to a database that can be used, and back."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.cli.conftest import tradewind
from tradewind.metadata.database import Database
from tradewind.metadata.processes import register
from tradewind.metadata.revision import HEAD


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request, monkeypatch, tmp_path):
    """The URL of a metadata DB that nothing has been written to, which the commands use."""
    url = (
        f"sqlite:///{tmp_path}/new/tradewind.db"
        if request.param == "sqlite"
        else request.getfixturevalue("empty_postgres_url")
    )
    monkeypatch.setenv("TRADEWIND__DATABASE__SQL_ALCHEMY_CONN", url)
    return url


def test_migrate_makes_what_check_wants(call, ok, empty):
    assert call("db", "check").exit_code == 1
    assert call("db", "check-migrations", "-t", "0").exit_code == 1
    result = call("db", "migrate")
    assert result.exit_code == 0
    assert f"revision {HEAD} (before: empty)" in result.stderr
    assert result.stdout == ""
    assert "is up to date" in call("db", "migrate").stderr
    ok("db", "check")
    ok("db", "check-migrations")


def test_the_password_of_the_database_is_never_shown(call, monkeypatch):
    url = "postgresql://someone:hunter2@127.0.0.1:1/nothing"
    monkeypatch.setenv("TRADEWIND__DATABASE__SQL_ALCHEMY_CONN", url)
    for words in (("db", "check"), ("db", "migrate"), ("info",), ("config", "list"), ("dags", "list")):
        result = call(*words)
        assert "hunter2" not in result.output
    assert "cannot be reached" in call("db", "check").stderr


def test_check_tries_again_as_often_as_it_is_told(call, empty):
    result = call("db", "check", "--retry", "2", "--retry-delay", "0")
    assert result.exit_code == 1
    assert result.stderr.count("Trying again") == 2


def test_check_migrations_waits_for_the_one_that_migrates(empty, started, wait_until, ok):
    waiting = started("db", "check-migrations", "-t", "40", bufsize=0)
    assert waiting.stdout is not None
    assert "Trying again" in waiting.stdout.readline()
    ok("db", "migrate")
    assert waiting.wait(timeout=40) == 0


def test_show_sql_only_changes_nothing(call, ok, empty):
    sql = ok("db", "migrate", "--show-sql-only")
    assert "CREATE TABLE dag_run" in sql
    assert call("db", "check").exit_code == 1


def test_reset_asks_first(call, ok, migrated):
    ok("variables", "set", "a", "1")
    refused = call("db", "reset", input="n\n")
    assert refused.exit_code == 1
    assert "Nothing was changed" in refused.stderr
    assert ok("variables", "get", "a") == "1\n"
    assert call("db", "reset", input="y\n").exit_code == 0
    assert call("variables", "get", "a").exit_code == 1
    ok("db", "reset", "-y", "--skip-init")
    assert call("db", "check").exit_code == 1


def test_downgrade_and_reset_wait_until_nobody_works(call, migrated):
    database = Database(migrated)
    with database.write() as tx:
        now = datetime.now(UTC)
        lease = timedelta(seconds=30)
        register(tx, process_id=uuid4(), kind="scheduler", hostname="here", pid=7, now=now, lease=lease, info={})
    database.close()
    for words in (("db", "reset", "-y"), ("db", "downgrade", "-r", "base", "-y")):
        result = call(*words)
        assert result.exit_code == 1
        assert "in use by scheduler here:7. Stop it first" in result.stderr


def test_downgrade_to_base_removes_the_tables(call, ok, empty):
    ok("db", "migrate")
    assert call("db", "downgrade", "-r", "0000", "-y").exit_code == 2
    ok("db", "downgrade", "-r", "base", "-y")
    assert call("db", "check").exit_code == 1
    ok("db", "migrate")
    ok("db", "check")


def test_verify_finds_nothing_wrong_with_an_empty_database(ok, call, migrated):
    ok("db", "verify")


def stand_in(folder, name: str, code: str, monkeypatch) -> None:
    """Put a program of that name in front of the PATH: the real one may not be installed where the tests run."""
    program = folder / name
    program.write_text(f"#!{sys.executable}\nimport os, sys\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_shell_opens_the_sqlite_file(migrated_sqlite, tmp_path, monkeypatch):
    stand_in(tmp_path, "sqlite3", "print(sys.argv[1:], sys.stdin.read())", monkeypatch)
    done = tradewind("db", "shell", input="SELECT 1;")
    path = migrated_sqlite.removeprefix("sqlite:///")
    assert (done.returncode, done.stdout) == (0, f"{[path]} SELECT 1;\n")


def test_the_shell_keeps_the_password_off_the_command_line(tmp_path, monkeypatch):
    url = "postgresql://me:hunter2@db.example.com:5433/flights"
    monkeypatch.setenv("TRADEWIND__DATABASE__SQL_ALCHEMY_CONN", url)
    stand_in(tmp_path, "psql", "print(sys.argv[1:], os.environ['PGPASSWORD']); sys.exit(3)", monkeypatch)
    done = tradewind("db", "shell")
    options = ["--host=db.example.com", "--port=5433", "--username=me", "--dbname=flights"]
    assert (done.returncode, done.stdout) == (3, f"{options} hunter2\n")


def test_two_processes_migrate_at_the_same_time(empty):
    command = [sys.executable, "-m", "tradewind.cli", "db", "migrate"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=40)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("up to date" in one for one in said) == [False, True]


def test_a_database_of_a_newer_version_is_refused_by_every_command(call, migrated):
    database = Database(migrated)
    with database.write() as tx:
        if not tx.dialect.has_table(tx, "alembic_version"):
            tx.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        tx.execute(text("DELETE FROM alembic_version"))
        tx.execute(text("INSERT INTO alembic_version VALUES ('9999')"))
        tx.execute(text("UPDATE schema_state SET works_from = '9998'"))
    database.close()
    for words in (
        ("dags", "list"),
        ("variables", "list"),
        ("db", "check"),
        ("db", "migrate"),
        ("scheduler",),
        ("webserver",),
    ):
        result = call(*words)
        assert result.exit_code == 1
        assert "revision 9999, which takes away what this version of Tradewind" in result.stderr
