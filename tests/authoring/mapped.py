"""What do the tests of mapping share? Whole runs of small DAGs in this process, with what each index left."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scheduler.dagtest import InProcessRun
from scheduler.stored import Stored
from tradewind.config import load_config
from tradewind.sdk.dag import DAG
from tradewind.xcom import decode


def run(dag: DAG) -> InProcessRun:
    """Run a DAG once. No metadata DB is looked for."""
    with _quiet(), _NothingStored() as nothing:
        result: InProcessRun = dag.test(stored=nothing)
    return result


class _NothingStored(Stored):
    def __init__(self) -> None:
        super().__init__(load_config({}, None))

    @property
    def plane(self) -> None:
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep a handler at the root, so that a run does not write to the terminal."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def states(result: InProcessRun) -> dict[str, str]:
    """Return the states as words, by task; an index stands in brackets."""
    return {name: state.value for name, state in result.states.items()}


def left(result: InProcessRun, task_id: str, key: str = "return_value") -> dict[int, Any]:
    """Return what each index of a task left."""
    found = result.memory.xcoms.items()
    return {index: decode(x.value or "null") for (t, index, k), x in sorted(found) if (t, k) == (task_id, key)}


def value(result: InProcessRun, task_id: str) -> Any:
    """Return what a task that is not mapped left."""
    return left(result, task_id).get(-1)
