"""How does a user's own rule weigh tasks? ``PriorityWeightStrategy``: asked once for each task, when the file is read.

Airflow asks again for each try; here the weight of the first try holds for all of them, and for every map index, since
user code never runs where tasks are chosen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tradewind.errors import DagError, did_you_mean
from tradewind.sdk import arguments
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.rules import WeightRule

if TYPE_CHECKING:
    from tradewind.sdk.operator import BaseOperator


class PriorityWeightStrategy(ABC):
    """A rule of one's own for ``weight_rule=``: an instance, its class, or the dotted path of the class."""

    @abstractmethod
    def get_weight(self, ti: WeighedTask) -> int:
        """Return the weight of a task; larger goes first."""

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> PriorityWeightStrategy:
        """Return an instance of what :meth:`serialize` gave. Part of Airflow's interface; not called here."""
        return cls(**data)

    def serialize(self) -> dict[str, Any]:
        """Return the arguments of the instance. Part of Airflow's interface; not called here."""
        return {}


@dataclass(frozen=True, slots=True)
class WeighedTask:
    """What a strategy sees of the first try of a task, under the names of Airflow's task instance."""

    task: BaseOperator
    task_id: str
    dag_id: str
    priority_weight: int
    pool: str
    queue: str
    try_number: int = 1
    map_index: int = -1
    run_id: None = None


def weight_rule(who: str, name: str, value: Any) -> str | PriorityWeightStrategy:
    """Return the rule: the name of a built-in one, or a strategy.

    Raises:
        DagArgumentError: it is neither.
    """
    if isinstance(value, PriorityWeightStrategy):
        return value
    if isinstance(value, str) and "." in value:
        value = _named(who, name, value)
    if isinstance(value, type) and issubclass(value, PriorityWeightStrategy):
        try:
            return value()
        except TypeError as error:
            raise DagArgumentError(
                f"{who}: {name}: {value.__name__}() cannot be made: {error}. Give an instance."
            ) from None
    if isinstance(value, str):
        known = [str(rule) for rule in WeightRule]
        if str(value) in known:
            return str(value)
        raise DagArgumentError(
            f"{who}: {name} {str(value)!r} does not exist.{did_you_mean(value, known)} It must be one of "
            f"{', '.join(known)}, or a PriorityWeightStrategy."
        )
    raise arguments.wrong(who, name, value, f"one of {', '.join(WeightRule)}, or a PriorityWeightStrategy")


def _named(who: str, name: str, path: str) -> Any:
    module, _, attribute = path.rpartition(".")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise DagArgumentError(
            f"{who}: {name} {path!r} cannot be imported: {error}. Correct the path, or give the class itself."
        ) from None


def rule_name(rule: str | PriorityWeightStrategy) -> str:
    """Return how a rule is written down."""
    return rule if isinstance(rule, str) else f"{type(rule).__module__}.{type(rule).__qualname__}"


def ask(strategy: PriorityWeightStrategy, task: BaseOperator) -> int:
    """Return the weight that a strategy gives to a task.

    Raises:
        DagError: it fails, or gives no whole number.
    """
    seen = WeighedTask(task, task.task_id, task.dag_id, task.priority_weight, task.pool, task.queue)
    try:
        weight = strategy.get_weight(seen)
    except Exception as error:
        raise DagError(
            f"{task.who}: {rule_name(strategy)}.get_weight() failed: {type(error).__name__}: {error}. It is asked when "
            "the file is read, and sees the task, its ids, pool, queue and priority_weight."
        ) from error
    if not isinstance(weight, int) or isinstance(weight, bool):
        raise DagError(f"{task.who}: {rule_name(strategy)}.get_weight() must return a whole number, not {weight!r}.")
    return weight
