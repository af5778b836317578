"""What does one DAG file say? A walk through its syntax tree: imports first, then what is done with what they bring."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tradewind.compat.finder import ROOT
from tradewind.compat.inspection import names
from tradewind.compat.inspection.arguments import complaints
from tradewind.compat.inspection.findings import Finding
from tradewind.compat.names import Name
from tradewind.compat.standins.conf import is_secret
from tradewind.compat.standins.database import MEND
from tradewind.sdk.dag_run import DagRun
from tradewind.sdk.task_instance import RunningTask
from tradewind.sdk.taskflow import TaskDecorator

DROPPED: Final = {
    "execution_date": "logical_date",
    "next_ds": "data_interval_end",
    "next_ds_nodash": "data_interval_end",
    "next_execution_date": "data_interval_end",
    "prev_ds": "prev_data_interval_start_success",
    "prev_ds_nodash": "prev_data_interval_start_success",
    "prev_execution_date": "prev_data_interval_start_success",
    "prev_execution_date_success": "prev_data_interval_start_success",
    "tomorrow_ds": "macros.ds_add(ds, 1)",
    "tomorrow_ds_nodash": "macros.ds_add(ds, 1)",
    "yesterday_ds": "macros.ds_add(ds, -1)",
    "yesterday_ds_nodash": "macros.ds_add(ds, -1)",
    "test_mode": "nothing",
    "conf": "dag_run.conf, or params",
}
"""Names of templates and contexts that Airflow 3 has dropped, and what to write instead."""
_IN_TEMPLATE: Final = re.compile(r"\{[{%]-?\s*(?:if\s+)?(?P<name>" + "|".join(DROPPED) + r")\b(?!\s*=)")
_CONTEXTS: Final = frozenset({"context", "kwargs", "ctx", "_context"})
_ROWS: Final = (DagRun, RunningTask)
"""What stands for rows of the metadata DB in Airflow 2."""
_CATCHING: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException", "<all>"})


def inspect_source(source: bytes, path: str) -> list[Finding]:
    """Return what a DAG file uses that is not supported, by line.

    Args:
        source: of the file.
        path: for the words of a syntax error only.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(source, path)
    except (SyntaxError, ValueError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        said = getattr(error, "msg", str(error))
        return [Finding(line, column, "syntax", f"this is no Python: {said}", "Correct the syntax.")]
    imports = _Imports()
    imports.visit(tree)
    uses = _Uses(imports.bound)
    uses.visit(tree)
    return sorted({*imports.found, *uses.found})


class _Walk(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[Finding] = []

    def say(self, node: ast.expr | ast.stmt | ast.keyword, kind: str, what: str, mend: str) -> None:
        """Note a finding."""
        self.found.append(Finding(node.lineno, node.col_offset + 1, kind, what, mend))


class _Imports(_Walk):
    """Notes which names stand for which of Airflow's, and says which of these are not there.

    Imports whose failure the file catches, and those for type checkers, may fail.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bound: dict[str, str] = {}
        self._may_fail = 0

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if names.is_airflow(alias.name):
                self.bound[alias.asname or ROOT] = alias.name if alias.asname else ROOT
                self._judge(node, names.missing_module(alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level or not node.module or not names.is_airflow(node.module):
            return
        missing = names.missing_module(node.module)
        self._judge(node, missing)
        for alias in node.names:
            self.bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            if missing is None:
                self._judge(node, names.missing_name(node.module, alias.name))

    def visit_Try(self, node: ast.Try) -> None:
        may_fail = any(_catches(handler) & _CATCHING for handler in node.handlers)
        self._may_fail += may_fail
        for statement in node.body:
            self.visit(statement)
        self._may_fail -= may_fail
        # A second way to import what the first may lack is taken only where the first fails.
        self._may_fail += may_fail
        for handler in node.handlers:
            self.visit(handler)
        self._may_fail -= may_fail
        for statement in (*node.orelse, *node.finalbody):
            self.visit(statement)

    def visit_If(self, node: ast.If) -> None:
        is_for_checkers = "TYPE_CHECKING" in ast.unparse(node.test)
        self._may_fail += is_for_checkers
        for statement in node.body:
            self.visit(statement)
        self._may_fail -= is_for_checkers
        for statement in node.orelse:
            self.visit(statement)

    def _judge(self, node: ast.stmt, problem: names.Problem | None) -> None:
        if problem is not None and not self._may_fail:
            self.say(node, problem.kind, problem.what, problem.mend)


def _catches(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"<all>"}
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {kind.id for kind in kinds if isinstance(kind, ast.Name)}


class _Uses(_Walk):
    """Says what is done with Airflow's names that cannot be done here. Annotations do nothing, and are passed over."""

    def __init__(self, bound: dict[str, str]) -> None:
        super().__init__()
        self._bound = bound

    def visit_Module(self, node: ast.Module) -> None:
        self._within(node.body, set())

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(part)
        self._within(node.body, _parameters(node.args))

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._within([node.body], _parameters(node.args))

    def _within(self, body: Sequence[ast.AST], parameters: set[str]) -> None:
        """Visit a scope, in which names that it sets itself are no longer those that were imported."""
        outer = self._bound
        hidden = parameters | {name for part in body for name in _names_set(part)}
        self._bound = {name: dotted for name, dotted in outer.items() if name not in hidden}
        for part in body:
            self.visit(part)
        self._bound = outer

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and node.id in self._bound:
            self._use(node, self._bound[node.id])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        dotted = self._dotted(node)
        if dotted is None:
            self.visit(node.value)
        else:
            self._use(node, dotted)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            for match in _IN_TEMPLATE.finditer(node.value):
                self._dropped(node, match["name"], f"the template uses {match['name']!r}")

    def visit_Subscript(self, node: ast.Subscript) -> None:
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(node.value, ast.Name) and node.value.id in _CONTEXTS and isinstance(key, str) and key in DROPPED:
            self._dropped(node, key, f"the context has no {key!r}")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        dotted = self._dotted(node.func)
        if dotted is not None:
            self._call(node, dotted)
        self.generic_visit(node)

    # --- judging ---------------------------------------------------------------------------------

    def _dropped(self, node: ast.expr, name: str, what: str) -> None:
        self.say(node, "template", f"{what}, which is gone since Airflow 3", f"Write {DROPPED[name]} instead.")

    def _dotted(self, node: ast.expr) -> str | None:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._bound:
            return None
        return ".".join([self._bound[node.id], *reversed(parts)])

    def _use(self, node: ast.expr, dotted: str) -> None:
        place, behind = names.place_of(dotted)
        if place is None:
            return
        if place.module == names.DATABASE:
            if place.attribute not in names.HARMLESS:
                self.say(node, "metadata-db", f"{dotted} reaches for the metadata DB", MEND)
            return
        if behind:
            self._attribute(node, dotted, _safely(place), behind[0])

    def _attribute(self, node: ast.expr, dotted: str, thing: Any, attribute: str) -> None:
        if not isinstance(thing, type | TaskDecorator) or _has(thing, attribute):
            return
        if isinstance(thing, type) and issubclass(thing, _ROWS):
            self.say(node, "metadata-db", f"{dotted} reaches for the metadata DB", MEND)
        elif isinstance(thing, TaskDecorator):
            self.say(
                node, "provider", f"@task.{attribute} is not there", "Install the provider package that brings it."
            )
        else:
            self.say(node, "attribute", f"{thing.__name__} has no {attribute!r}", "Remove it, or write it otherwise.")

    def _call(self, node: ast.Call, dotted: str) -> None:
        place, behind = names.place_of(dotted)
        if place is None:
            return
        if place.attribute == "conf" and behind[:1] and behind[0].startswith("get"):
            self._option(node)
            return
        if behind not in ([], ["partial"]):
            return
        given = {word.arg: word for word in node.keywords if word.arg and not _is_none(word.value)}
        for name, what, mend in complaints(_safely(place), given):
            self.say(given[name], "argument", what, mend)

    def _option(self, node: ast.Call) -> None:
        words = [word.value for word in node.args[:2] if isinstance(word, ast.Constant)]
        match words:
            case [str(section), str(option)] if is_secret(section, option):
                what = f"a task does not see the option [{section}] {option}, which may hold a secret"
                self.say(node, "metadata-db", what, "Put what it needs into a connection.")


def _parameters(given: ast.arguments) -> set[str]:
    plain = (*given.posonlyargs, *given.args, *given.kwonlyargs)
    return {one.arg for one in (*plain, *filter(None, (given.vararg, given.kwarg)))}


def _names_set(node: ast.AST) -> Iterator[str]:
    """Give the names that a statement sets in its own scope."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif not isinstance(node, ast.Lambda):
        for inner in ast.iter_child_nodes(node):
            yield from _names_set(inner)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _safely(place: Name) -> Any:
    try:
        return names.thing_of(place)
    except ImportError:  # it needs a library that is not installed
        return None


def _has(thing: Any, attribute: str) -> bool:
    """Ask without minding what kind of error says no."""
    try:
        getattr(thing, attribute)
    except Exception:
        return False
    return True
