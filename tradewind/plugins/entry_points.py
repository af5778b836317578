"""Which installed packages bring plugins or policies? Found by their metadata; nothing of theirs is imported.

``importlib.metadata`` costs a parse process more than a small DAG file does, so it is imported only when a package on
the path mentions one of the groups.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PLUGIN_GROUPS: Final = ("airflow.plugins", "tradewind.plugins")
POLICY_GROUPS: Final = ("airflow.policy", "tradewind.policy")
_MENTIONS: Final = tuple(f"[{group}]".encode() for group in (*PLUGIN_GROUPS, *POLICY_GROUPS))


def entry_points(groups: Sequence[str]) -> list[EntryPoint]:
    """Return the entry points of these groups, by name. Those that two groups have in common are there once."""
    if not are_there():
        return []
    from importlib import metadata

    found = {(one.value, one.name): one for group in groups for one in metadata.entry_points(group=group)}
    return [found[key] for key in sorted(found)]


def are_there() -> bool:
    """Return whether any package on the module search path has an entry point of ours.

    Each folder is looked at once. A process that is forked for each DAG file inherits what its parent has seen.
    """
    return any(_mentions(folder) for folder in sys.path if folder)


@cache
def _mentions(folder: str) -> bool:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return False
    for entry in entries:
        if entry.name.endswith((".dist-info", ".egg-info")):
            try:
                with open(os.path.join(entry.path, "entry_points.txt"), "rb") as file:
                    text = file.read()
            except OSError:
                continue
            if any(mention in text for mention in _MENTIONS):
                return True
    return False
