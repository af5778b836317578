"""Which names of Airflow are there, and what stands for each? The tables, read once: module -> name -> place."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from tradewind.compat.tables.built_in import BUILT_IN
from tradewind.compat.tables.classic import CLASSIC
from tradewind.compat.tables.gone import GONE
from tradewind.compat.tables.places import PLACES
from tradewind.compat.tables.providers import PROVIDERS
from tradewind.compat.tables.sdk import SDK
from tradewind.compat.tables.unsupported import mend_of


class Name(NamedTuple):
    """What stands for a name: attribute of a module (the module itself when empty); ``new_form`` when it is gone."""

    module: str
    attribute: str
    new_form: str = ""


@cache
def _places() -> dict[str, Name]:
    found: dict[str, Name] = {}
    for module, names in PLACES.items():
        for name, sign, attribute in (word.partition("=") for word in names.split()):
            found[name] = Name(f"tradewind.{module}", attribute if sign else name)
    return found


def _place(name: str, meant: str) -> Name:
    """Return what stands for ``name``: at ``meant`` (``module:attribute``), or where the name ``meant`` is."""
    module, sign, attribute = meant.partition(":")
    return Name(f"tradewind.{module}", attribute) if sign else _places()[meant or name]


def _words(names: str) -> Iterator[tuple[str, str]]:
    for word in names.split():
        name, _, meant = word.partition("=")
        yield name, meant


@cache
def _tree() -> dict[str, dict[str, Name]]:
    tree: dict[str, dict[str, Name]] = {}
    for table in (SDK, CLASSIC, PROVIDERS, BUILT_IN):
        for module, names in table.items():
            tree[module] = {name: _place(name, meant) for name, meant in _words(names)}
    for old, names, new in GONE:
        here = tree.setdefault(old, {})
        for name, meant in _words(names):
            here.setdefault(name, _place(name, meant)._replace(new_form=_new_form(name, meant, new)))
    for module in list(tree):
        parent = module.rpartition(".")[0]
        while parent:
            tree.setdefault(parent, {})
            parent = parent.rpartition(".")[0]
    return tree


def _new_form(name: str, meant: str, new: str) -> str:
    if not new.startswith("airflow"):
        return new
    return f"{new}.{name if not meant or ':' in meant else meant}"


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
    found = mend_of(name)
    return f" {found}" if found else ""
