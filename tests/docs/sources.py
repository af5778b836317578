"""What do the tests of this folder read? The project's own Python files, as syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("tradewind", "scheduler", "executors", "webui", "migrations")


def python_files(*folders: str) -> Iterator[Path]:
    """Give the Python files below ``folders`` of the checkout."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, str, int]]:
    """Give ``(module, name, line)`` for what a file imports; ``name`` is empty for ``import module``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.module or "", alias.name, node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, "", node.lineno
