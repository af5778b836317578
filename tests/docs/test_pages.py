"""Do the pages of docs/ say what is so? Lists, diagrams, links and commands in them are compared with the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Command, Context, Group

from scheduler.trigger_rules import RULES
from tests.docs import drawing
from tests.docs.sources import ROOT
from tradewind import __version__
from tradewind.cli import main
from tradewind.model.states import RunState, TaskState

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def rows(page: Path, heading: str) -> dict[str, str]:
    """Return the first two columns of the table below a heading of any level."""
    text = page.read_text(encoding="utf-8")
    part = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    part = re.split(r"^#", part, flags=re.MULTILINE)[0]
    cells = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("|")]
    return {row[0]: row[1] for row in cells[2:]}


def test_the_diagrams_are_the_tables_of_moves():
    page = drawing.PAGE.read_text(encoding="utf-8")

    assert drawing.drawn(page) == page, "draw them again: python -m tests.docs.drawing"


@pytest.mark.parametrize(("heading", "states"), [("A run", RunState), ("A task", TaskState)])
def test_every_state_is_explained(heading: str, states: type[RunState] | type[TaskState]):
    assert list(rows(drawing.PAGE, heading)) == [state.value for state in states]


def test_every_trigger_rule_is_explained():
    assert set(rows(drawing.PAGE, "Trigger rules")) == set(RULES)


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!;\[ ]", requirement, maxsplit=1)[0] for requirement in requirements}


def test_every_dependency_has_its_reason():
    assert set(rows(ROOT / "docs" / "dependencies.md", "Always installed")) == _names(PROJECT["dependencies"])
    told = {extra: set(names.split(", ")) for extra, names in rows(ROOT / "docs" / "dependencies.md", "Extras").items()}
    asked = {
        extra: {name for name in _names(names) if name != "tradewind" and not name.startswith("types-")}
        for extra, names in PROJECT["optional-dependencies"].items()
    }
    told["dev"].discard("and type stubs")
    assert told == asked


def test_the_version_is_one():
    assert PROJECT["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in t]

    assert [t for t in targets if t and not (page.parent / t).exists()] == []


def commands(page: Path) -> Iterator[str]:
    """Give every ``tradewind`` command of a page, in code blocks and in the text."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```(?:bash|console|sh)\n(.*?)```", text, flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            match = re.match(r"\$?\s*(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(tradewind .*)", line)
            if match:
                yield match[1]
    yield from re.findall(r"`(tradewind [^`]+)`", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_exist(page: Path):
    wrong = []
    for line in commands(page):
        words = shlex.split(line, comments=True)[1:]
        command: Command = main
        context = Context(main)
        while isinstance(command, Group) and words and not words[0].startswith("-"):
            found = command.get_command(context, words[0])
            if found is None:
                wrong.append(line)
                break
            command, words = found, words[1:]
        known = {option for parameter in command.get_params(context) for option in parameter.opts}
        wrong += [
            f"{line}: {word}" for word in words if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known
        ]

    assert wrong == []


BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    )
]


@pytest.mark.parametrize("block", BLOCKS)
def test_dag_files_in_the_pages_can_be_read(block: str, tmp_path: Path):
    (tmp_path / "example.py").write_text(block)
    code = (
        "from tradewind import compat; compat.install()\n"
        "from tradewind.sdk.loader import load_dag_file; from tradewind.sdk.serialize import to_spec\n"
        "print([to_spec(dag).dag_id for dag in load_dag_file('example.py')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() != "[]"
