"""Which executors does ``[core] executor`` name, and which of them does a task mean? Airflow's syntax, without imports.

``CeleryExecutor,LocalExecutor`` · ``big:my_company.executors.BigExecutor`` · ``fast:LocalExecutor``: the first is the
default; before a colon stands the name that tasks use. What a name leads to is found by ``executors.registry``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tradewind.errors import did_you_mean

_AIRFLOW: Final[Mapping[str, str]] = {
    "airflow.executors.local_executor.LocalExecutor": "LocalExecutor",
    "airflow.providers.celery.executors.celery_executor.CeleryExecutor": "CeleryExecutor",
}
"""Where Airflow keeps executors that are built in here."""

_INSTEAD: Final[Mapping[str, str]] = {
    "SequentialExecutor": "LocalExecutor with [core] parallelism = 1",
    "DebugExecutor": "LocalExecutor, or dag.test() for one DAG in one process",
    "CeleryKubernetesExecutor": "CeleryExecutor, with queues for what is special",
    "LocalKubernetesExecutor": "LocalExecutor, or CeleryExecutor,LocalExecutor with executor= at tasks",
    "KubernetesExecutor": "CeleryExecutor with workers in pods, or an executor of your own by its dotted path",
}
"""Executors of Airflow that are not there, and what does their work here."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")  # as much as the attempt's row holds
_TARGET: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class ExecutorName:
    """One executor of an installation.

    Attributes:
        name: what it is called in the metadata DB, in the UI, and by tasks.
        target: the name of a built-in one or of an entry point, or the dotted path of a class.
    """

    name: str
    target: str

    @property
    def spellings(self) -> tuple[str, ...]:
        """All that a task may write for it: its name, its class, its path, and Airflow's path."""
        ours = [self.name, self.target, self.target.rpartition(".")[2]]
        return (*ours, *(path for path, target in _AIRFLOW.items() if target == self.target))

    def __str__(self) -> str:
        return self.name


def executor_names(value: str) -> tuple[ExecutorName, ...]:
    """Names of executors, comma-separated, the default first; each may have an alias: ``alias:module.Class``."""
    if "=" in value or ";" in value:
        raise ValueError("names of executors without teams, comma-separated, e.g. CeleryExecutor,LocalExecutor")
    found = [_executor_name(word.strip()) for word in value.split(",") if word.strip()]
    if not found:
        raise ValueError("at least one executor, e.g. LocalExecutor")
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"each executor once, but {name!r} stands there twice; give one of them an alias: other:{name}"
            )
    return tuple(found)


def _executor_name(word: str) -> ExecutorName:
    alias, colon, target = (part.strip() for part in word.rpartition(":"))
    target = _AIRFLOW.get(target, target)
    if not _TARGET.fullmatch(target) or (colon and not _NAME.fullmatch(alias)):
        raise ValueError(f"a name, module.Class or alias:module.Class in place of {word!r}")
    instead = _INSTEAD.get(target.rpartition(".")[2]) if target.startswith("airflow.") or "." not in target else None
    if instead is not None:
        raise ValueError(f"another executor than {target}, which is not there; {instead} does its work")
    return ExecutorName(alias if colon else target.rpartition(".")[2], target)


def spellings(executors: Sequence[ExecutorName]) -> dict[str, str]:
    """Return the name of the executor that is meant, for all that a task may write. A name goes before a class."""
    meant: dict[str, str] = {}
    for executor in executors:
        for spelling in executor.spellings:
            meant.setdefault(spelling, executor.name)
    return meant | {executor.name: executor.name for executor in executors}


def unknown_executor(task_id: str, wished: str, known: Iterable[str]) -> str:
    """Return what is said to the author of a task whose executor is not there."""
    there = sorted(known)
    return (
        f"Task {task_id!r} asks for executor {wished!r}, which is not there.{did_you_mean(wished, there)} [core] "
        f"executor has {', '.join(there)}. Change executor= in the DAG file, or add it to [core] executor and restart "
        "the schedulers."
    )
