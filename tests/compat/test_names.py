"""Does every name that Airflow 3.3.2 has lead somewhere, or say what to do instead?

Recorded from the real package: ``has`` resolved there, ``gone`` are names of 2.11 that did not.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tradewind.compat import install, uninstall
from tradewind.compat.names import module_names, names_of
from tradewind.compat.tables.places import PLACES
from tradewind.compat.tables.unsupported import mend_of

RECORDED: dict[str, dict[str, list[str]]] = json.loads(
    (Path(__file__).parent / "recorded" / "names-3.3.2.json").read_text()
)


@pytest.fixture(autouse=True)
def airflow_names() -> Iterator[None]:
    assert install()
    yield
    uninstall()


def outcome(module: str, name: str) -> Any:
    """Import a name as a file does; the value, or the error."""
    namespace: dict[str, object] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(f"from {module} import {name} as found", namespace)
    except ImportError as error:
        return error
    return namespace["found"]


def in_families(modules: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Modules by their first two parts: one test for each module would be hundreds."""
    families: dict[str, list[str]] = {}
    for module in sorted(modules):
        families.setdefault(".".join(module.split(".")[:2]), []).append(module)
    return sorted(families.items())


@pytest.mark.parametrize(("family", "modules"), in_families(RECORDED), ids=lambda one: one if type(one) is str else "")
def test_each_name_of_airflow_resolves_or_is_refused_with_a_mend(family, modules):
    wrong = []
    for module in modules:
        for name in RECORDED[module].get("has", ()):
            found = outcome(module, name)
            mend = mend_of(f"{module}.{name}")
            if isinstance(found, ImportError) and not (mend and mend in str(found) and named(found) in module):
                wrong.append(f"{module}.{name}: {found}")

    assert wrong == []


def named(error: ImportError) -> str:
    """The module that an error is about: the one asked for, or the package above it that is not there."""
    return str(error).partition(" ")[0]


@pytest.mark.parametrize(("family", "modules"), in_families(RECORDED), ids=lambda one: one if type(one) is str else "")
def test_each_name_that_airflow_dropped_is_taken_with_a_warning_or_refused_with_a_mend(family, modules):
    wrong = []
    for module in modules:
        for name in RECORDED[module].get("gone", ()):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    found = getattr(importlib.import_module(module), name, None)
                except ImportError:
                    found = None
            if found is None:
                if not mend_of(f"{module}.{name}"):
                    wrong.append(f"{module}.{name} is refused without a mend")
            elif names_of(module).get(name) and not [w for w in caught if name in str(w.message)]:
                wrong.append(f"{module}.{name} is taken without a word")

    assert wrong == []


def test_all_of_the_public_sdk_is_there():
    missing = [name for name in RECORDED["airflow.sdk"]["has"] if isinstance(outcome("airflow.sdk", name), ImportError)]

    assert missing == ["SecretCache"]  # the latter is of no use to a file; not in __all__


@pytest.mark.parametrize(
    ("family", "modules"), in_families(module_names()), ids=lambda one: one if type(one) is str else ""
)
def test_every_name_of_the_tables_leads_somewhere(family, modules):
    for module in modules:
        imported = importlib.import_module(module)
        for name, place in names_of(module).items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore" if place.new_form else "error")
                getattr(imported, name)
        assert set(names_of(module)) <= set(dir(imported))


def test_a_name_has_one_place():
    words = [word.partition("=")[0] for names in PLACES.values() for word in names.split()]

    assert sorted(words) == sorted(set(words))


def test_importing_the_sdk_is_cheap_and_loads_nothing_of_ours():
    code = (
        "import sys, tradewind.compat as c; c.install(); before = set(sys.modules); import airflow.sdk; "
        "print([m for m in set(sys.modules) - before if not m.startswith('airflow')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
