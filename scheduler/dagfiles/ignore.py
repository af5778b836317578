"""Which paths does ``.airflowignore`` leave out? One file per folder; it counts for that folder and all below it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from pathspec import GitIgnoreSpec

IGNORE_FILE: Final = ".airflowignore"

_COMMENT: Final = re.compile(r"(^|\s+)#.*")


@dataclass(frozen=True, slots=True)
class Ignore:
    """The rules that hold in one folder: its own, and those of the folders above it.

    Attributes:
        levels: the folder of each ignore file, relative to the DAG folder with a slash at its end (``""`` for the DAG
            folder itself), and what it says; outermost first.
    """

    levels: tuple[tuple[str, GitIgnoreSpec | re.Pattern[str]], ...] = ()

    def ignores(self, path: str) -> bool:
        """Return whether a path is left out.

        Args:
            path: relative to the DAG folder, with ``/``; a folder ends in one.
        """
        ignored = False
        for base, rules in self.levels:
            inner = path[len(base) :]
            if isinstance(rules, re.Pattern):
                ignored = ignored or rules.search(inner.rstrip("/")) is not None
            else:
                # An inner file speaks last, and may take back with `!` what an outer one left out.
                said = rules.check_file(inner).include
                ignored = ignored if said is None else said
        return ignored


@dataclass(slots=True)
class IgnoreReader:
    """Reads ignore files; what is wrong with them is kept in ``problems`` and leaves out nothing."""

    syntax: str
    problems: list[str] = field(default_factory=list)

    def extend(self, outer: Ignore, base: str, text: str) -> Ignore:
        """Return the rules of a folder that has an ignore file with this text."""
        lines = [line for raw in text.splitlines() if (line := _COMMENT.sub("", raw).strip())]
        name = f"{base}{IGNORE_FILE}"
        rules = self._regexp(lines, name) if self.syntax == "regexp" else self._glob(lines, name)
        return outer if rules is None else Ignore((*outer.levels, (base, rules)))

    def _glob(self, lines: list[str], name: str) -> GitIgnoreSpec | None:
        good = []
        for line in lines:
            try:
                GitIgnoreSpec.from_lines([line])
            except ValueError as error:  # pathspec's own pattern error is one
                self.problems.append(f"{name}: {line!r} is not a glob pattern: {error}")
            else:
                good.append(line)
        return GitIgnoreSpec.from_lines(good) if good else None

    def _regexp(self, lines: list[str], name: str) -> re.Pattern[str] | None:
        good = []
        for line in lines:
            try:
                re.compile(line)
            except re.error as error:
                self.problems.append(f"{name}: {line!r} is not a regular expression: {error}")
            else:
                good.append(f"(?:{line})")
        return re.compile("|".join(good)) if good else None
