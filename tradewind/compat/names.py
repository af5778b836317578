"""Which names of Airflow are there, and what stands for each? One table: module -> name -> place in Tradewind.

A line is ``NAME = place`` or ``NAME = place ! new form``; the second kind warns, since Airflow 3 has dropped the name.
Places are written ``module:attribute``, below ``tradewind.``.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from tradewind.compat.tables import HINTS, SAME, TABLES


class Name(NamedTuple):
    """What stands for a name: attribute of a module (the module itself when empty); ``new_form`` when it is gone."""

    module: str
    attribute: str
    new_form: str = ""


@cache
def _tree() -> dict[str, dict[str, Name]]:
    tree = {module: {name: _parsed(place) for name, place in names.items()} for module, names in TABLES.items()}
    for old, new, warns in SAME:
        tree[old] = {
            name: found._replace(new_form=f"from {new} import {name}") if warns else found
            for name, found in tree[new].items()
        }
    for module in list(tree):
        parent = module.rpartition(".")[0]
        while parent:
            tree.setdefault(parent, {})
            parent = parent.rpartition(".")[0]
    return tree


def _parsed(place: str) -> Name:
    where, _, new_form = place.partition(" ! ")
    module, _, attribute = where.partition(":")
    return Name(f"tradewind.{module}" if module else "tradewind", attribute, new_form)


def names_of(module: str) -> dict[str, Name]:
    """Return the names of one module of the ``airflow`` tree; empty when there is no such module."""
    return _tree().get(module, {})


def module_names() -> list[str]:
    """Return every module of the tree."""
    return list(_tree())


@cache
def _packages() -> frozenset[str]:
    return frozenset(module.rpartition(".")[0] for module in _tree()) - {""}


def is_package(module: str) -> bool | None:
    """Return whether ``module`` is a package, or None when there is no such module."""
    return None if module not in _tree() else module in _packages()


def gone_hint(name: str) -> str:
    """Return a sentence about what to do without ``name``, or an empty text."""
    best: str = max((prefix for prefix in HINTS if name.startswith(prefix)), key=len, default="")
    return f" {HINTS[best]}" if best else ""
