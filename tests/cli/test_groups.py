"""Is the tree of commands true, instant, and helpful to those who mistype?"""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from tests.cli.conftest import tradewind
from tradewind.cli import TREE, main
from tradewind.terminal.groups import walk

COMMANDS = [(" ".join(words), words, item) for words, item in walk(TREE)]
IDS = [name for name, _, _ in COMMANDS]

HEAVY = {
    "alembic", "croniter", "cryptography", "flask", "gunicorn", "jinja2", "msgspec", "networkx", "pendulum", "psycopg",
    "rich", "sqlalchemy", "tradewind.config", "tradewind.metadata", "tradewind.sdk", "yaml",
}  # fmt: skip


@pytest.mark.parametrize("words", [["--help"], ["dags", "--help"], ["version"], []])
def test_help_imports_nothing_that_takes_time(words):
    code = f"""
import sys
from tradewind.cli import main
try:
    main({words!r}, prog_name="tradewind")
except SystemExit:
    print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def command(words: tuple[str, ...]) -> click.Command:
    found: click.Command = main
    for word in words:
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), word)
        assert inner is not None
        found = inner
    return found


@pytest.mark.parametrize(("name", "words", "item"), COMMANDS, ids=IDS)
def test_every_command_can_be_imported_and_is_described_truly(name, words, item):
    found = command(words)
    assert found.get_short_help_str(limit=1000) == item.help
    assert found.help is not None
    assert item.is_hidden or found.name == words[-1]


@pytest.mark.parametrize(("name", "words", "item"), COMMANDS, ids=IDS)
def test_every_option_is_explained(call, name, words, item):
    result = call(*words, "--help")
    assert result.exit_code == 0
    for parameter in command(words).params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{name}: {parameter.opts} has no help"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("dag",), "Did you mean 'dags'?"),
        (("dags", "trigerr"), "Did you mean 'trigger'?"),
        (("trigger",), "Did you mean 'dags trigger'?"),
        (("dags", "list", "--ouput", "json"), "--output"),
        (("dags", "list", "-o", "csv"), "'csv' is not one of 'table', 'json', 'yaml', 'plain'"),
        (("dags", "next-execution", "x", "-n", "0"), "0 is not in the range"),
        (("dags", "trigger", "x", "-c", "[1]"), "not an object"),
        (("dags", "trigger", "x", "-c", "{"), "is not JSON"),
        (("dags", "list-runs", "x", "-s", "soon"), "'soon' is not a date or a time"),
        (("dags", "state", "x"), "Missing argument"),
    ],
)
def test_misuse_is_answered_with_the_mend_and_exit_code_2(call, words, hint):
    result = call(*words)
    assert result.exit_code == 2
    assert hint in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_without_a_command_help_is_shown_and_the_exit_code_says_misuse(call):
    result = call()
    assert result.exit_code == 2
    assert "standalone" in result.output


def test_an_error_is_one_message_and_a_traceback_comes_with_v(call):
    plain, verbose = call("db", "check"), call("db", "check", "-v")
    assert plain.exit_code == verbose.exit_code == 1
    assert "Traceback" not in plain.stderr
    assert plain.stderr.startswith("Error: There is no metadata DB at ")
    assert "Traceback" in verbose.stderr
    assert "MetadataError" in verbose.stderr


def test_a_defect_is_told_as_such(call, monkeypatch):
    def break_down(*_: object) -> None:
        raise RuntimeError("two and two is five")

    monkeypatch.setattr("tradewind.console.info.load_config", break_down)
    result = call("info")
    assert result.exit_code == 1
    assert "RuntimeError: two and two is five" in result.stderr
    assert "again with -v" in result.stderr


def test_a_reader_that_goes_away_is_no_error(migrated_sqlite):
    command = f"{sys.executable} -m tradewind.cli config list | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def test_it_runs_as_a_module_and_says_its_version():
    done = tradewind("version")
    assert (done.returncode, done.stdout.strip()) == (0, __import__("tradewind").__version__)
