"""How does a DAG file become DAGs? It is imported as a module of its own, and the DAGs that it made are collected."""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import os
import sys
from pathlib import Path
from types import ModuleType

from tradewind.plugins import policies
from tradewind.plugins.load import ensure_loaded
from tradewind.sdk.current import collecting_dags
from tradewind.sdk.dag import DAG


def load_dag_file(
    path: str, source: bytes | None = None, dag_folder: str | None = None, *, bare: bool = False
) -> list[DAG]:
    """Import the DAG file at ``path`` and return its DAGs, in the order of the file.

    These are the DAGs that stand in the module's globals, and those that ``with DAG(...)`` or a ``@dag`` function made
    while it was imported (unless they say ``auto_register=False``). Plugins are loaded before, and policies have their
    say afterwards: a DAG that one of them leaves out is not returned, one that is refused says so in ``refusal``.

    Args:
        path: of the file; tracebacks name it.
        source: the text to run instead of what the file holds now (an older version of it).
        dag_folder: put on the module search path, so that files beside the DAGs can be imported; the file's own folder
            is put there as well.
        bare: without plugins and policies: for a process that must stay free of user code.

    Raises:
        Exception: whatever the file raises; ``SyntaxError`` and ``DagError`` among others.
    """
    path = os.path.abspath(path)
    text = Path(path).read_bytes() if source is None else source
    if not bare:
        ensure_loaded()
    _search_in(*([os.path.abspath(dag_folder)] if dag_folder else []), os.path.dirname(path))
    module = _empty_module(path)
    with collecting_dags() as collected:
        code = compile(text, path, "exec", dont_inherit=True)
        lines = importlib.util.decode_source(text).splitlines(keepends=True)
        # What asks for the source of a function, or shows a line of it, gets that of this version.
        linecache.cache[path] = (len(text), None, lines, path)
        sys.modules[module.__name__] = module  # dataclasses and pickling look their module up there
        try:
            exec(code, module.__dict__)
        except BaseException:
            sys.modules.pop(module.__name__, None)
            raise
    dags = _distinct([value for value in list(vars(module).values()) if isinstance(value, DAG)] + collected, path)
    return dags if bare else [dag for dag in dags if _is_taken(dag)]


def _is_taken(dag: DAG) -> bool:
    try:
        return policies.apply(dag)
    except Exception as error:  # the edge of user code
        dag.refusal = error
        return True


def module_name(path: str) -> str:
    """Return the name under which the file at ``path`` is imported: its own, made unique by its place."""
    place = hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()[:12]
    stem = "".join(c if c.isalnum() else "_" for c in Path(path).stem)
    return f"tradewind_dag_{place}_{stem}"


def _empty_module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_loader(module_name(path), loader=None, origin=path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = path
    return module


def _search_in(*folders: str) -> None:
    for folder in reversed(folders):
        if folder not in sys.path:
            sys.path.insert(0, folder)


def _distinct(found: list[DAG], path: str) -> list[DAG]:
    """Each DAG once. It belongs to the file that was asked for, though a factory elsewhere may have made it."""
    distinct = {id(dag): dag for dag in found}
    for dag in distinct.values():
        dag.fileloc = path
    return list(distinct.values())
