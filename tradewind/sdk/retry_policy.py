"""May a failed task be tried again, and when? ``RetryPolicy`` decides by the exception, in the task process."""

from __future__ import annotations

import abc
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from tradewind.sdk.callback import import_path
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.traceback_text import user_traceback

if TYPE_CHECKING:
    from tradewind.sdk.context import Context
    from tradewind.sdk.operator import BaseOperator

log: Final = logging.getLogger("airflow.task")


class RetryAction(Enum):
    """What is to happen after a failure."""

    RETRY = "retry"  # try again, as long as ``retries`` of the task allow
    FAIL = "fail"  # fail for good, now
    DEFAULT = "default"  # as if there were no policy


@dataclass(frozen=True)
class RetryDecision:
    """What a policy says about one failure. ``retry_delay`` None is the task's own."""

    action: RetryAction = RetryAction.DEFAULT
    retry_delay: timedelta | None = None
    reason: str | None = None  # logged

    @classmethod
    def fail(cls, reason: str | None = None) -> RetryDecision:
        """Do not try again."""
        return cls(RetryAction.FAIL, reason=reason)

    @classmethod
    def retry(cls, delay: timedelta | None = None, reason: str | None = None) -> RetryDecision:
        """Try again, after ``delay`` if it is given."""
        return cls(RetryAction.RETRY, delay, reason)

    @classmethod
    def default(cls) -> RetryDecision:
        """Do as the task does without a policy."""
        return cls()


class RetryPolicy(abc.ABC):
    """Base of policies. Not asked about failures that are final by themselves, such as ``AirflowFailException``."""

    @abc.abstractmethod
    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Return what is to happen.

        Args:
            try_number: of the try that failed, counted from 1.
            max_tries: the ``retries`` of the task.
        """

    def serialize(self) -> dict[str, Any]:
        """Return the policy as plain data."""
        raise NotImplementedError(f"{type(self).__name__} has no serialize().")

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RetryPolicy:
        """Return the policy that :meth:`serialize` gave."""
        raise NotImplementedError(f"{cls.__name__} has no deserialize().")


ExceptionSpec = type[BaseException] | str
"""An exception class, or its dotted path."""


@dataclass
class RetryRule:
    """What to do after one kind of exception, or several. Classes and dotted paths may be mixed.

    Raises:
        ValueError: a text that is no dotted path.
    """

    exception: ExceptionSpec | list[ExceptionSpec]
    action: RetryAction = RetryAction.RETRY
    retry_delay: timedelta | None = None
    reason: str | None = None
    match_subclasses: bool = True
    _found: list[type[BaseException]] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for one in self._given:
            if isinstance(one, str) and "." not in one:
                raise ValueError(
                    f"RetryRule: {one!r} is no dotted path of an exception, such as 'builtins.ValueError'. "
                    "Write the module as well."
                )

    @property
    def _given(self) -> list[ExceptionSpec]:
        return self.exception if isinstance(self.exception, list) else [self.exception]

    @property
    def exception_path(self) -> str:
        """The dotted paths, joined by commas."""
        return ",".join(map(_path, self._given))

    def matches(self, exc: BaseException) -> bool:
        """Return whether the rule is for ``exc``."""
        classes = tuple(self._classes())
        return isinstance(exc, classes) if self.match_subclasses else type(exc) in classes

    def _classes(self) -> list[type[BaseException]]:
        if self._found is None:
            self._found = []
            for one in self._given:
                try:
                    self._found.append(import_path(one) if isinstance(one, str) else one)
                except ImportError as error:
                    log.warning("RetryRule: %s matches nothing, since it cannot be imported: %s", one, error)
        return self._found

    def serialize(self) -> dict[str, Any]:
        """Return the rule as plain data."""
        paths = [_path(one) for one in self._given]
        data: dict[str, Any] = {
            "exception": paths if len(paths) > 1 else paths[0],
            "action": self.action.value,
            "match_subclasses": self.match_subclasses,
        }
        if self.retry_delay is not None:
            data["retry_delay"] = self.retry_delay.total_seconds()
        if self.reason is not None:
            data["reason"] = self.reason
        return data

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RetryRule:
        """Return the rule that :meth:`serialize` gave."""
        delay = data.get("retry_delay")
        return cls(
            exception=data["exception"],
            action=RetryAction(data["action"]),
            retry_delay=None if delay is None else timedelta(seconds=delay),
            reason=data.get("reason"),
            match_subclasses=data.get("match_subclasses", True),
        )


def _path(one: ExceptionSpec) -> str:
    return one if isinstance(one, str) else f"{one.__module__}.{one.__qualname__}"


class ExceptionRetryPolicy(RetryPolicy):
    """Rules in order; the first that matches counts. ``default`` is for exceptions that no rule is for."""

    def __init__(self, rules: list[RetryRule], default: RetryAction = RetryAction.DEFAULT) -> None:
        self.rules, self.default = rules, default

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        for rule in self.rules:
            if rule.matches(exception):
                reason = rule.reason or f"Matched rule for {type(exception).__name__}"
                return RetryDecision(rule.action, rule.retry_delay, reason)
        return RetryDecision(self.default)

    def serialize(self) -> dict[str, Any]:
        return {
            "__type": "ExceptionRetryPolicy",
            "rules": [rule.serialize() for rule in self.rules],
            "default": self.default.value,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> ExceptionRetryPolicy:
        rules = [RetryRule.deserialize(rule) for rule in data["rules"]]
        return cls(rules, RetryAction(data.get("default", "default")))


def retry_policy(who: str, name: str, value: Any) -> RetryPolicy | None:
    """Return ``value`` when it is a policy or None."""
    if value is not None and not isinstance(value, RetryPolicy):
        raise DagArgumentError(
            f"{who}: {name} must be a RetryPolicy such as ExceptionRetryPolicy([...]), not {value!r}."
        )
    return value


def decide(
    task: BaseOperator, error: BaseException, try_number: int, max_tries: int, context: Context
) -> RetryDecision:
    """Ask the policy of ``task`` about a failure. Without one, and when it fails itself, nothing special happens."""
    policy: RetryPolicy | None = getattr(task, "retry_policy", None)
    if policy is None:
        return RetryDecision()
    try:
        decision = policy.evaluate(error, try_number, max_tries, context)
        if not isinstance(decision, RetryDecision):
            raise TypeError(f"evaluate() of {type(policy).__name__} returned {decision!r}, not a RetryDecision")
    except Exception as failure:
        log.error("retry_policy failed; the task is tried again as without it\n%s", user_traceback(failure))
        return RetryDecision()
    if decision.reason:
        log.info("Retry policy: %s (%s)", decision.action.value, decision.reason)
    return decision
