"""Is the tree of commands true, instant, and helpful to those who mistype?"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import click
import pytest

import scheduler.commands.dags
import tradewind.console.files
import tradewind.metadata.users
from tests.cli.conftest import tradewind as run_tradewind
from tradewind import cli
from tradewind.cli import TREE
from tradewind.model.events import NO_MAP
from tradewind.terminal.groups import Group, walk
from tradewind.terminal.options import MAP_INDEX

COMMANDS = [(" ".join(words), words, item) for words, item in walk(TREE)]
IDS = [name for name, _, _ in COMMANDS]
GROUPS = [[], *([name] for name, item in TREE.items() if isinstance(item, Group))]

HEAVY = {
    "alembic", "croniter", "cryptography", "dateutil", "executors", "flask", "gunicorn", "jinja2", "jsonschema",
    "msgspec", "networkx", "pendulum", "psycopg", "rich", "scheduler", "sqlalchemy", "tradewind.config",
    "tradewind.console", "tradewind.metadata", "tradewind.sdk", "webui", "yaml",
}  # fmt: skip

ASK_ALL = """
import contextlib, io, json, sys
from tradewind.cli import main
imported, before = {}, set()
for words in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        main([*words, "--help"], prog_name="tradewind", standalone_mode=False)
    assert "Usage: tradewind" in shown.getvalue(), words
    imported[" ".join(words)] = sorted(set(sys.modules) - before)
    before = set(sys.modules)
json.dump(imported, sys.stdout)
"""


@pytest.fixture(scope="module")
def imported_by_help():
    """What the help of each group and command imports anew: one process asks for one after another."""
    asked = [*GROUPS, *(list(words) for _, words, _ in COMMANDS)]
    done = subprocess.run(
        [sys.executable, "-c", ASK_ALL], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", [*(" ".join(words) for words in GROUPS), *IDS])
def test_help_imports_nothing_that_takes_time(imported_by_help, name):
    assert not HEAVY & set(imported_by_help[name])


@pytest.mark.parametrize("words", [["version"], []])
def test_what_scripts_ask_often_imports_nothing_that_takes_time(words):
    code = f"""
import sys
from tradewind.cli import main
try:
    main({words!r}, prog_name="tradewind")
except SystemExit:
    print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not (HEAVY - {"tradewind.console"}) & set(done.stdout.split())


@pytest.mark.parametrize(("name", "words", "item"), COMMANDS, ids=IDS)
def test_every_command_does_what_is_declared(name, words, item):
    does = item.load()
    assert (does.__doc__ or "").partition("\n")[0] == item.help
    inspect.signature(does).bind(**{str(parameter.name): None for parameter in item.params})


@pytest.mark.parametrize(("name", "words", "item"), COMMANDS, ids=IDS)
def test_every_option_is_explained(name, words, item):
    for parameter in item.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{name}: {parameter.opts} has no help"


@pytest.mark.parametrize(
    ("declared", "used"),
    [
        (cli.dags.COLUMNS, scheduler.commands.dags.ALL_COLUMNS),
        (cli.dags.NEXT_FIELDS, scheduler.commands.dags.NEXT_FIELDS),
        (cli.settings.FILE_FORMATS, tradewind.console.files.FORMATS),
        (cli.users.ROLES, tradewind.metadata.users.ROLES),
        (MAP_INDEX.default, NO_MAP),
    ],
)
def test_values_that_help_names_are_those_that_exist(declared, used):
    assert declared == used


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
    done = run_tradewind("version")
    assert (done.returncode, done.stdout.strip()) == (0, __import__("tradewind").__version__)
